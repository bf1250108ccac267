"""A hostile market toward a device's client: whatever it answers, the device gets a typed error, in a bounded time and
memory, and sends its token and its requests nowhere else."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.encoding import to_hex
from protocol.messages import Session
from protocol.signing import address_of
from tests.worker.fake_market import DEVICE, NETWORK, inputs_of, make_bid, make_grant
from worker import market_client
from worker.errors import LeaseRefused, MarketError, MarketRefused, MarketUnreachable
from worker.market_client import ANSWER_BYTES_MAX, PROBLEM_BYTES_MAX, TEXT_MAX, HttpMarket

pytestmark = pytest.mark.anyio

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SESSION = Session(address_of(DEVICE), 1, bytes(32))
GRANT = make_grant(make_bid(inputs_of(10)))
URL = "https://market.example"


@asynccontextmanager
async def hostile(handle: Handler) -> AsyncIterator[HttpMarket]:
    """A client of a market that answers as the handler does, once its request's head is there."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    client = HttpMarket([f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"])
    try:
        yield client
    finally:
        await client.aclose()
        server.close()


def answers(data: bytes, *, for_ever: bytes = b"", pause_s: float = 0.0) -> Handler:
    """Sends some bytes, then perhaps others without an end."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        while for_ever:
            writer.write(for_ever)
            await writer.drain()
            await asyncio.sleep(pause_s)
        await writer.drain()

    return handle


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
KIB = b"400\r\n" + b" " * 1024 + b"\r\n"


@pytest.mark.parametrize(
    "handle",
    [
        answers(CHUNKED, for_ever=KIB * 64),
        answers(OK + b"\r\n", for_ever=b" " * 65_536),
        answers(b"HTTP/1.1 100 Continue\r\n\r\n", for_ever=b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        answers(OK, for_ever=b"X-Header: " + b"a" * 1000 + b"\r\n"),
        answers(b"HTTP/1.1 500 No\r\n\r\n", for_ever=b"x" * 65_536),
        answers(b"HTTP/1.1 409 No\r\n\r\n", for_ever=b"x" * 65_536),
        answers(b"nonsense\r\n\r\n"),
        answers(OK + b"Content-Length: 5\r\n\r\n[1"),
        answers(OK + b"Content-Length: -5\r\n\r\n[1"),
        answers(b""),
        answers(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(1 << 20))),
        answers(OK + b"Content-Encoding: br\r\n\r\nx"),
        answers(OK + b"\r\n" + b"[" * 1_000_000),
        answers(OK + b"\r\n" + b"9" * 10_000),
        answers(OK + b"\r\n\xff\xfe"),
    ],
)
async def test_answer_without_end_or_sense_is_a_typed_error(handle: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_client, "TIMEOUT_S", 3.0)
    started = time.monotonic()
    async with hostile(handle) as client:
        with pytest.raises(MarketError):
            await client._json("GET", "/v1/network", timeout_s=3.0)
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("start", [b"", OK, CHUNKED, OK + b"Content-Length: 9999\r\n\r\n"])
async def test_answer_that_drips_is_given_up_after_its_time(start: bytes) -> None:
    drip = b"1\r\n \r\n" if start == CHUNKED else b" " if start.endswith(b"\r\n\r\n") else b"X"
    started = time.monotonic()
    async with hostile(answers(start, for_ever=drip, pause_s=0.05)) as client:
        with pytest.raises(MarketUnreachable):
            await client._json("GET", "/v1/network", timeout_s=0.5)
    assert time.monotonic() - started < 3


async def test_blob_that_drips_is_given_up_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_client, "BLOB_TIMEOUT_S", 0.5)
    async with hostile(answers(OK + b"\r\n", for_ever=b"x", pause_s=0.05)) as client:
        client._blobs = client.url
        with pytest.raises(MarketUnreachable):
            await client.get_blob(bytes(32), 1 << 20)


async def test_blob_without_end_is_refused_at_its_limit() -> None:
    async with hostile(answers(OK + b"\r\n", for_ever=b"x" * 65_536)) as client:
        client._blobs = client.url
        with pytest.raises(LeaseRefused):
            await client.get_blob(bytes(32), 100_000)


async def test_redirect_leads_nowhere() -> None:
    reached = []

    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(1)
        writer.write(OK + b"\r\n{}")

    async with hostile(other) as target:
        for status in (301, 302, 303, 307, 308):
            redirect = f"HTTP/1.1 {status} Go\r\nLocation: {target.url}/x\r\nContent-Length: 0\r\n\r\n".encode()
            async with hostile(answers(redirect)) as client:
                client._blobs = client.url
                with pytest.raises(MarketRefused):
                    await client.network()
                with pytest.raises(MarketError):
                    await client.get_blob(bytes(32), 100)
                with pytest.raises(MarketRefused):
                    await client.put_blob(b"x")
    assert reached == []


class Fake:
    """A market that answers the network and sessions well, and everything else as told."""

    def __init__(
        self, status: int = 200, body: Any = None, headers: dict[str, str] | None = None, **parts: Any
    ) -> None:
        self.status, self.body, self.headers, self.parts = status, body, headers, parts

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/network" and "network" not in self.parts:
            return httpx2.Response(200, json=NETWORK.to_json())
        if request.url.path == "/v1/sessions" and "session" not in self.parts:
            return httpx2.Response(200, json={"token": "t", "expiresAt": 99})
        body = self.parts.get("network", self.parts.get("session", self.body))
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx2.Response(self.status, content=content, headers=self.headers)


async def client_of(
    fake: Fake, clock: Callable[[], float] = time.monotonic, urls: tuple[str, ...] = (URL,)
) -> HttpMarket:
    """A client of it."""
    return HttpMarket(urls, httpx2.MockTransport(fake), clock)


@pytest.mark.parametrize(
    "session",
    [
        {"token": "a\r\nX-Evil: 1", "expiresAt": 1},
        {"token": "é", "expiresAt": 1},
        {"token": "", "expiresAt": 1},
        {"token": "x" * 5_000, "expiresAt": 1},
        {"token": 5, "expiresAt": 1},
        {"token": "t", "expiresAt": float("nan")},
        {"token": "t", "expiresAt": float("inf")},
        {"token": "t", "expiresAt": 10**400},
        {"token": "t", "expiresAt": [1]},
    ],
)
async def test_session_of_strange_parts_is_unreachable(session: Any) -> None:
    client = await client_of(Fake(session=session))
    with pytest.raises(MarketUnreachable):
        await client.open_session(SESSION, bytes(65))


@pytest.mark.parametrize(
    "blobs",
    [
        "http://elsewhere.example",
        "http://127.0.0.1:631/",
        "https://127.0.0.1/",
        "https://localhost:9",
        "https://[::1]/",
        "file:///etc/passwd",
        "//x",
        "https://",
        "https://[",
        5,
        None,
    ],
)
async def test_network_that_sends_to_this_machine_or_in_the_clear_is_unreachable(blobs: Any) -> None:
    client = await client_of(Fake(network=NETWORK.to_json() | {"blobs": blobs}))
    with pytest.raises(MarketUnreachable):
        await client.network()


async def test_words_of_the_market_are_cut_and_cleaned() -> None:
    fake = Fake(
        409, {"code": "\x1b[2J" + "c" * 9_000, "detail": "\x1b]0;owned\x07\n\u202e" + "d" * 9_000, "period": -1}
    )
    client = await client_of(fake)
    with pytest.raises(MarketRefused) as caught:
        await client.put_offer({})
    assert caught.value.period is None
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 2 * TEXT_MAX + 20


@pytest.mark.parametrize(
    "body", [b"[" * PROBLEM_BYTES_MAX, b"9" * 5_000, b"\x1b[2J", b"", b"null", b'{"code": {"a": 1}}']
)
async def test_problems_of_strange_forms_are_refusals(body: bytes) -> None:
    client = await client_of(Fake(409, body))
    with pytest.raises(MarketRefused) as caught:
        await client.put_offer({})
    assert caught.value.reason.isprintable()


@pytest.mark.parametrize(("wish", "waits"), [("nan", 0), ("inf", 60), ("-5", 0), ("1e999", 60), ("7", 7), ("soon", 0)])
async def test_wish_to_come_back_is_bounded(wish: str, waits: float) -> None:
    client = await client_of(Fake(503, {}, {"Retry-After": wish}))
    with pytest.raises(MarketUnreachable) as caught:
        await client.put_offer({})
    assert caught.value.retry_after_s == waits


async def test_answer_above_the_limit_is_unreachable() -> None:
    client = await client_of(Fake(200, b" " * (ANSWER_BYTES_MAX + 1)))
    with pytest.raises(MarketUnreachable):
        await client.next_lease(0)


STRANGE = [
    None,
    True,
    -1,
    2**256,
    1.5,
    float("nan"),
    "",
    "0x",
    "x" * 10_000,
    [],
    {},
    [[[[]]]],
    {"a": 1},
    "-1",
    "1e5",
    "٣",
]


@pytest.mark.parametrize("name", sorted(GRANT.to_json()))
async def test_lease_with_a_strange_part_is_unreachable_or_taken_as_it_is(name: str) -> None:
    good = GRANT.to_json()
    parts = [{name: strange} for strange in STRANGE]
    inner = good[name]
    if isinstance(inner, dict):
        parts += [{name: inner | {key: strange}} for key in inner for strange in STRANGE]
    for part in parts:
        client = await client_of(Fake(200, good | part))
        try:
            await client.next_lease(0)
        except MarketError:
            continue


async def test_any_json_as_a_network_is_a_typed_error() -> None:
    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(NETWORK.to_json())), inner),
        max_leaves=6,
    )

    @settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(json_values)
    def check(value: Any) -> None:
        async def ask() -> None:
            client = await client_of(Fake(network=value))
            with pytest.raises(MarketUnreachable):
                await client.network()

        asyncio.run(ask())

    await asyncio.to_thread(check)


async def test_first_url_is_tried_again_after_a_while() -> None:
    now, hosts = 0.0, []

    def fake(request: httpx2.Request) -> httpx2.Response:
        hosts.append(request.url.host)
        if request.url.host == "one.example" and now < 10:
            return httpx2.Response(503)
        return httpx2.Response(200, json=NETWORK.to_json())

    client = HttpMarket(["https://one.example", "https://two.example"], httpx2.MockTransport(fake), lambda: now)
    with pytest.raises(MarketUnreachable):
        await client.network()
    for moment in (1.0, 299.0, 300.0):
        now = moment
        await client.network()
    assert hosts == ["one.example", "two.example", "two.example", "one.example"]
    assert client.url == "https://one.example"


async def test_blob_under_another_name_is_refused_when_it_is_used() -> None:
    from worker.preparation import Preparation

    client = await client_of(Fake(200, b"something else"))
    await client.network()
    with pytest.raises(LeaseRefused, match="something else"):
        await Preparation(client).prepare(GRANT)
    assert to_hex(GRANT.bid.manifest)
