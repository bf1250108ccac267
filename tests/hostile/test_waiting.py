"""Requests that wait: bounded for each caller and in all, and whoever is refused is told when to come back."""

import os
import threading
import time
from typing import Any

import httpx2
import pytest

from market import limits
from market.jobs import routes
from market.limits import Places, Room
from market.problems import Problem
from tests.hostile.server import Served, until
from tests.market.world import World

POLLERS = int(os.environ.get("HOSTILE_POLLERS", "64"))
MEDIAN_SECONDS = 0.5
WORST_SECONDS = 10.0

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


@pytest.fixture
def rooms(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few places."""
    world.context.places = Places()
    monkeypatch.setitem(limits.ROOMS, "wait", Room(6, 6))
    monkeypatch.setitem(limits.ROOMS, "follow", Room(3, 3))


def refusal_of(response: httpx2.Response) -> None:
    """The one answer for no place."""
    assert (response.status_code, response.json()["code"]) == (503, "busy")
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0


def waiting(serve: Served, headers: dict[str, str], seconds: int = 20) -> Any:
    """A poll that waits, as a raw connection."""
    token = headers["Authorization"]
    head = f"POST /v1/leases/next?wait={seconds} HTTP/1.1\r\nHost: m\r\nAuthorization: {token}\r\n"
    return serve.open(f"{head}Content-Length: 0\r\n\r\n".encode())


def test_device_waits_twice_at_once_and_no_more(world: World, serve: Served) -> None:
    device = world.device("one")
    held = [waiting(serve, device.headers) for _ in range(2)]
    assert until(lambda: world.context.places.taken("wait_device") == 2)
    with httpx2.Client(base_url=serve.url) as http:
        refusal_of(http.post("/v1/leases/next?wait=5", headers=device.headers))
        assert http.post("/v1/leases/next?wait=0", headers=device.headers).status_code == 204
        for connection in held:
            connection.close()
        assert until(lambda: world.context.places.taken("wait_device") == 0), "a caller that hung up holds no place"
        assert http.post("/v1/leases/next?wait=0.01", headers=device.headers).status_code == 204


def test_waiting_devices_are_bounded_in_all_and_others_are_served(rooms: None, world: World, serve: Served) -> None:
    devices = [world.device(f"device {i}") for i in range(4)]
    held = [waiting(serve, device.headers) for device in devices[:3] for _ in range(2)]
    assert until(lambda: world.context.places.taken("wait") == 6)
    started = time.monotonic()
    with httpx2.Client(base_url=serve.url) as http:
        refusal_of(http.post("/v1/leases/next?wait=20", headers=devices[3].headers))
        assert http.get("/v1/network").status_code == 200
        world.open_job(world.bid(tasks=40, span_tasks=1))
        devices[3].world.tick()
        assert http.post("/v1/leases/next?wait=20", headers=devices[3].headers).status_code == 200
    assert time.monotonic() - started < 5
    for connection in held:
        connection.close()


def test_followers_are_bounded_end_in_time_and_give_their_places_back(
    rooms: None, world: World, serve: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.open_job()
    request = f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: m\r\n\r\n".encode()
    held = [serve.open(request) for _ in range(3)]
    assert all(b"200 OK" in connection.recv(1 << 16) for connection in held)
    with httpx2.Client(base_url=serve.url) as http:
        refusal_of(http.get(f"/v1/jobs/{job}/events"))
        assert http.get(f"/v1/jobs/{job}").status_code == 200
        for connection in held:
            connection.close()
        assert until(lambda: world.context.places.taken("follow") == 0)
        monkeypatch.setattr(routes, "FOLLOW_SECONDS", 0.0)
        first = http.get(f"/v1/jobs/{job}/events")
        assert first.status_code == 200
        assert first.text.startswith(": follow")
        assert until(lambda: world.context.places.taken("follow") == 0)


def test_work_at_once_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from market.quotes import service

    world.context.places = Places()
    going, release = threading.Semaphore(0), threading.Event()

    def slow(*_: Any, **__: Any) -> Any:
        going.release()
        release.wait(10)
        raise Problem(422, "quote_failed", "slow")

    monkeypatch.setattr(service, "quote", slow)
    body = {"programId": "0x" + "11" * 32, "manifest": "0x" + "11" * 32}
    callers = [threading.Thread(target=world.http.post, args=("/v1/quotes",), kwargs={"json": body}) for _ in range(2)]
    for caller in callers:
        caller.start()
    for _ in callers:
        assert going.acquire(timeout=10)
    refusal_of(world.http.post("/v1/quotes", json=body))
    assert world.http.get("/healthz").status_code == 200
    release.set()
    for caller in callers:
        caller.join(10)
    assert world.context.places.taken("work") == 0


def test_places_are_counted_for_each_caller_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.ROOMS, "wait", Room(2, 3))
    places = Places()
    with places.place("wait", "a"), places.place("wait", "a"):
        with pytest.raises(Problem, match="busy"), places.place("wait", "a"):
            pass
        with places.place("wait", "b"), pytest.raises(Problem, match="busy"), places.place("wait", "c"):
            pass
        with places.place("wait", limits.EVERYBODY):
            assert places.taken("wait") == 3
    assert places.taken("wait") == 0


def test_pollers_that_take_every_place_do_not_keep_others_from_an_answer(
    world: World, serve: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.ROOMS, "wait", Room(POLLERS, POLLERS))
    world.context.settings = world.context.settings.model_copy(update={"poll_step_seconds": 1.0})  # as it is outside
    devices = [world.device(f"device {i}") for i in range(POLLERS // 2 + 5)]
    held = [waiting(serve, device.headers, 25) for device in devices for _ in range(2)]
    assert until(lambda: world.context.places.taken("wait") == POLLERS, 20)
    waits = []
    with httpx2.Client(base_url=serve.url, timeout=30) as http:
        for path in ("/v1/network", "/v1/offers", "/v1/jobs") * 5:
            started = time.monotonic()
            assert http.get(path).status_code == 200
            waits.append(time.monotonic() - started)
    print(f"\n{POLLERS} waiting polls: worst {max(waits):.3f} s, median {sorted(waits)[len(waits) // 2]:.4f} s")
    assert sorted(waits)[len(waits) // 2] < MEDIAN_SECONDS
    assert max(waits) < WORST_SECONDS
    for connection in held:
        connection.close()
    assert until(lambda: world.context.places.taken("wait") == 0, 20)
