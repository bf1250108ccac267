"""Webhooks: whom they tell, what they may reach, and that they come at least once."""

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook as Receiver

from market.webhooks import address, deliver
from market.webhooks.address import Target, UrlRefused, check, is_public, parse
from market.webhooks.models import Delivery
from market.webhooks.service import notify, secret_of
from tests.market.test_lifecycle import reveal_all
from tests.market.test_people import sign_in
from tests.market.world import World, world_on

BOTH = ["job.finished", "job.voided"]


class Inbox(http.server.ThreadingHTTPServer):
    """A receiver on loopback that answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.send_header("Location", self.server.url + "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    server = Inbox()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def local(market_url: str, valkey_url: str, tmp_path: Path) -> Iterator[World]:
    """A market that may tell loopback."""
    with world_on(market_url, valkey_url, tmp_path, webhook_loopback=True) as made:
        yield made


def register(world: World, headers: dict[str, str], url: str, **changes: Any) -> Any:
    return world.http.post("/v1/webhooks", json={"url": url, "jobId": None, "events": BOTH} | changes, headers=headers)


def finished_job(world: World) -> str:
    """A job that two devices did, and that is claimed and closed."""
    devices = [world.device("one"), world.device("two")]
    job = world.open_job()
    for device in devices:
        device.do_all()
    for _ in range(3):
        world.tick()
    reveal_all(world, 1)
    world.chain.phases[1] = "final"
    for _ in range(4):
        world.tick()
    return job


# --- what may be reached


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
        "2001:db8::1", "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_address_that_is_not_public_is_refused(host: str) -> None:
    assert not is_public(ip_address(host))
    with pytest.raises(UrlRefused):
        check(Target("https", "name.example", 443, "/"), [ip_address("1.1.1.1"), ip_address(host)], loopback=False)


@pytest.mark.parametrize("host", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "64:ff9b::101:101"])
def test_address_that_is_public_is_taken(host: str) -> None:
    assert check(Target("https", "name.example", 443, "/"), [ip_address(host)], loopback=False) == ip_address(host)


@pytest.mark.parametrize(
    "url",
    [
        "http://name.example/", "ftp://name.example/", "https://", "https:///x", "https://user@name.example/",
        "https://:secret@name.example/", "https://name.example/#x", "https://name.example:99999/",
        "https://name.example/a b", "https://name.example/\r\nX: y", "https://n\u00e4me.example/", "https://[::1",
        "https://[fe80::1%25eth0]/", "//name.example/", "https://name.example/" + "x" * 2000, "https://a\\@b.example/",
    ],
)  # fmt: skip
def test_url_that_is_no_plain_https_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        parse(url, loopback=False)


def test_url_keeps_its_name_and_connects_to_the_address() -> None:
    target = parse("https://name.example:8443/a/b?c=d", loopback=False)
    assert target.at(ip_address("1.1.1.1")) == "https://1.1.1.1:8443/a/b?c=d"
    assert target.authority == "name.example:8443"
    assert parse("https://[2606:4700::1111]", loopback=False).authority == "[2606:4700::1111]"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "https://127.0.0.1/", "https://169.254.169.254/latest", "https://[::ffff:7f00:1]/"]
)
def test_webhook_to_what_is_not_public_is_refused_at_once(world: World, url: str) -> None:
    response = register(world, sign_in(world, "buyer"), url)
    assert (response.status_code, response.json()["code"]) == (422, "webhook_url_refused")


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost"])
async def test_name_that_resolves_to_this_machine_is_refused_when_it_is_sent(host: str) -> None:
    target = parse(f"https://{host}/", loopback=False)
    try:
        found = await address.look_up(target)
    except UrlRefused:
        return
    with pytest.raises(UrlRefused):
        check(target, found, loopback=False)


@pytest.mark.anyio
async def test_name_is_looked_up_once_and_connected_to_as_found(inbox: Inbox, monkeypatch: Any) -> None:
    """A name that points elsewhere the second time finds nobody asking a second time."""
    asked = []

    def answer(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        there = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (there, 80))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    url = inbox.url.replace("127.0.0.1", "name.example")
    answers = await deliver._send_all([deliver.Message("msg_1", url, "{}", {})], loopback=True)
    assert (answers[0].status, asked) == (204, ["name.example"])
    assert inbox.got[0][0]["host"] == f"name.example:{inbox.server_address[1]}"


# --- whom it tells


def test_webhooks_are_only_for_who_is_signed_in(world: World) -> None:
    for call in (
        world.http.post("/v1/webhooks", json={"url": "https://name.example/", "events": BOTH}),
        world.http.get("/v1/webhooks"),
        world.http.delete("/v1/webhooks/wh_" + "0" * 32),
        world.http.get("/v1/webhooks/wh_" + "0" * 32 + "/deliveries"),
    ):
        assert (call.status_code, call.json()["code"]) == (401, "unauthorized")


def test_webhook_of_anothers_job_or_of_none_is_refused(world: World) -> None:
    job, headers = world.open_job(), sign_in(world, "somebody")
    assert register(world, headers, "https://name.example/", jobId=job).json()["code"] == "not_buyer"
    assert register(world, headers, "https://name.example/", jobId="0x" + "00" * 32).json()["code"] == "not_found"
    assert register(world, headers, "https://name.example/", events=["job.opened"]).status_code == 422
    assert register(world, headers, "https://name.example/", events=[]).status_code == 422


def test_webhook_belongs_to_its_owner_alone(world: World) -> None:
    owner, other = sign_in(world, "buyer"), sign_in(world, "somebody")
    made = register(world, owner, "https://name.example/").json()
    path = f"/v1/webhooks/{made['id']}"
    assert made["secret"].startswith("whsec_")
    assert world.http.get(path, headers=owner).json() == made
    for call in (
        world.http.get(path, headers=other),
        world.http.delete(path, headers=other),
        world.http.get(path + "/deliveries", headers=other),
    ):
        assert call.status_code == 404
    assert world.http.get("/v1/webhooks", headers=other).json()["webhooks"] == []
    assert world.http.delete(path, headers=owner).status_code == 204
    assert world.http.get("/v1/webhooks", headers=owner).json()["webhooks"] == []


def test_webhooks_of_a_person_are_bounded(world: World) -> None:
    headers = sign_in(world, "buyer")
    codes = [register(world, headers, "https://name.example/").status_code for _ in range(21)]
    assert codes == [201] * 20 + [409]


# --- delivery


def test_finished_job_is_told_once_signed(local: World, inbox: Inbox) -> None:
    local.clock.seconds = time.time()  # the receiver's library knows no other
    headers = sign_in(local, "buyer")
    made = register(local, headers, inbox.url).json()
    register(local, sign_in(local, "somebody"), inbox.url)
    job = finished_job(local)
    assert local.job(job)["state"] == "closed"
    assert deliver.tick(local.context) == 1
    assert deliver.tick(local.context) == 0
    sent, body = inbox.got[0]
    value = Receiver(made["secret"]).verify(body, sent)
    assert (value["type"], value["data"]["jobId"], value["data"]["outcome"]) == ("job.finished", job, "final")
    assert value["data"]["tasks"]["final"] == 10
    listed = local.http.get(f"/v1/webhooks/{made['id']}/deliveries", headers=headers).json()["deliveries"]
    assert [(row["state"], row["attempts"], row["status"]) for row in listed] == [("delivered", 1, 204)]
    assert listed[0]["id"] == sent["webhook-id"]


def queue(world: World, url: str) -> str:
    """A webhook of the buyer with one message; its delivery's id."""
    from market.jobs.models import Job
    from market.webhooks.models import EventType

    register(world, sign_in(world, "buyer"), url)
    job = world.open_job()
    with world.context.transaction() as session:
        assert notify(world.context, session, session.get_one(Job, job), EventType.JOB_VOIDED, {"n": 1}, "k") == 1
        assert notify(world.context, session, session.get_one(Job, job), EventType.JOB_VOIDED, {"n": 2}, "k") == 1
    with world.context.sessions() as session:
        return session.scalars(select(Delivery.id)).one()


def state_of(world: World, delivery: str) -> tuple[str, int, int | None]:
    with world.context.sessions() as session:
        row = session.get_one(Delivery, delivery)
        return row.state, row.attempts, row.status


def test_failure_is_tried_again_ever_later_and_not_for_ever(local: World, inbox: Inbox) -> None:
    delivery = queue(local, inbox.url)
    inbox.answers = [500, 302, 404, 200]
    assert deliver.tick(local.context) == 1
    assert state_of(local, delivery) == ("waiting", 1, 500)
    for attempt, pause in enumerate(deliver.BACK_OFF_SECONDS[:3], 2):
        local.clock.advance(pause - 1)
        assert deliver.tick(local.context) == 0
        local.clock.advance(1)
        assert deliver.tick(local.context) == 1
        assert state_of(local, delivery)[1] == attempt
    assert state_of(local, delivery) == ("delivered", 4, 200)
    assert len({sent["webhook-id"] for sent, _ in inbox.got}) == 1
    assert {json.loads(body)["data"]["n"] for _, body in inbox.got} == {1}


def test_delivery_that_never_passes_fails_in_the_end(local: World, inbox: Inbox) -> None:
    delivery = queue(local, inbox.url)
    inbox.answers = [503] * 20
    for _ in range(len(deliver.BACK_OFF_SECONDS) + 3):
        deliver.tick(local.context)
        local.clock.advance(100_000)
    assert state_of(local, delivery) == ("failed", len(deliver.BACK_OFF_SECONDS) + 1, 503)


def test_receiver_that_is_gone_is_told_nothing_more(local: World, inbox: Inbox) -> None:
    delivery = queue(local, inbox.url)
    inbox.answers = [410]
    deliver.tick(local.context)
    assert state_of(local, delivery) == ("failed", 1, 410)
    assert local.http.get("/v1/webhooks", headers=sign_in(local, "buyer")).json()["webhooks"][0]["active"] is False


def test_delivery_taken_by_a_process_that_died_is_sent_again(local: World, inbox: Inbox) -> None:
    queue(local, inbox.url)
    assert len(deliver._take(local.context)) == 1
    assert deliver.tick(local.context) == 0
    local.clock.advance(deliver.TAKEN_SECONDS)
    assert deliver.tick(local.context) == 1
    assert len(inbox.got) == 1


def test_receiver_that_drips_is_cut_off(local: World, monkeypatch: Any) -> None:
    """A receiver that accepts and never ends its answer takes no longer than the limit."""
    monkeypatch.setattr(deliver, "TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        delivery = queue(local, f"http://127.0.0.1:{server.getsockname()[1]}/")
        assert deliver.tick(local.context) == 1
    assert state_of(local, delivery) == ("waiting", 1, None)


def test_secrets_differ_and_are_in_no_table(local: World) -> None:
    made = register(local, sign_in(local, "buyer"), "https://name.example/").json()
    assert made["secret"] == secret_of(local.context, made["id"]) != secret_of(local.context, made["id"] + "x")
