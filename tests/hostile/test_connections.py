"""Sockets: silence, drips, floods and slow readers cost a bounded time and a bounded number of places."""

import contextlib
import json
import resource
import socket
import time

import httpx2
import pytest

from market import connections
from market.cli import server_options
from tests.hostile.server import Served, answer_of, served, until
from tests.market.world import World

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

GET = b"GET /healthz HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n"
SLOW_BODY = b"POST /v1/sessions HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
HANGING = 2_000
MEDIAN_SECONDS = 0.5
WORST_SECONDS = 25.0


def problem_of(answer: bytes) -> tuple[int, str]:
    """Status and code of a raw problem+json answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer[:300]
    return int(head.split(b" ", 2)[1]), json.loads(body)["code"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of fractions of a second."""
    for name, value in (("HEAD_SECONDS", 0.3), ("BODY_SECONDS", 0.3), ("STALL_SECONDS", 0.4), ("LINGER_SECONDS", 0.2)):
        monkeypatch.setattr(connections, name, value)


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: m\r\nX-A: "])
def test_head_that_does_not_come_is_ended(quick: None, shared_serve: Served, sent: bytes) -> None:
    started = time.monotonic()
    assert problem_of(shared_serve.ask(sent)) == (408, "request_too_slow")
    assert time.monotonic() - started < 3
    assert until(lambda: not shared_serve.connections.of)


def test_head_that_drips_is_ended(quick: None, shared_serve: Served) -> None:
    with shared_serve.open() as connection:
        started = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in GET * 20:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)
        assert time.monotonic() - started < 3


def test_second_head_of_a_kept_connection_has_a_deadline_too(quick: None, shared_serve: Served) -> None:
    with shared_serve.open(GET.replace(b"Connection: close\r\n", b"")) as connection:
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /hea")
        assert problem_of(answer_of(connection)) == (408, "request_too_slow")


def test_body_that_does_not_come_is_ended(quick: None, shared_serve: Served) -> None:
    assert problem_of(shared_serve.ask(SLOW_BODY)) == (408, "request_too_slow")


def test_body_that_comes_slowly_but_steadily_is_taken(
    quick: None, shared_serve: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BODY_BYTES_PER_SECOND", 1000)
    body = b"x" * 1_000
    head = b"POST /v1/sessions HTTP/1.1\r\nHost: m\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n"
    with shared_serve.open(head) as connection:
        for start in range(0, 1_000, 100):
            connection.sendall(body[start : start + 100])
            time.sleep(0.06)
        assert problem_of(answer_of(connection)) == (422, "request_invalid")


def test_body_that_goes_on_after_its_refusal_is_cut(quick: None, shared_serve: Served) -> None:
    head = b"POST /v1/sessions HTTP/1.1\r\nHost: m\r\nContent-Length: 99999999\r\n\r\n"
    with shared_serve.open(head) as connection:
        assert b"413" in connection.recv(1 << 16)
        end = time.monotonic() + 5
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end:
                connection.sendall(b"x" * 65_536)
        assert time.monotonic() < end


def test_reader_that_stalls_is_cut_and_costs_no_memory(quick: None, shared: World, shared_serve: Served) -> None:
    data = bytes(16 << 20)
    name = shared.context.blobs.put(data)
    request = f"GET /v1/blobs/{name} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n".encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", shared_serve.port))
        connection.sendall(request)
        assert until(lambda: shared_serve.connections.of)
        assert until(lambda: not shared_serve.connections.of, 5)
        assert len(answer_of(connection)) < len(data)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\x16\x03\x01 nonsense\r\n\r\n",
        b"GET /nothing HTTP/9.9\r\nConnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: m\r\nConnection: close\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: m\r\nConnection: close\r\n"
        + b"".join(b"X-%d: a\r\n" % i for i in range(9_000))
        + b"\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: m\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: m\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /v1/jobs HTTP/1.1\r\nHost: m\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: m\r\nBad Name: a\r\n\r\n",
        b"GET /heal\x00thz HTTP/1.1\r\nHost: m\r\n\r\n",
    ],
)
def test_what_is_no_request_is_a_problem(shared_serve: Served, sent: bytes) -> None:
    status, _ = problem_of(shared_serve.ask(sent))
    assert status in (400, 404, 431, 501)
    assert shared_serve.ask(GET).startswith(b"HTTP/1.1 200")


def test_methods_upgrades_and_absolute_targets_are_no_failures(shared_serve: Served) -> None:
    for line in (b"BREW /healthz", b"TRACE /healthz", b"CONNECT m:1", b"OPTIONS *", b"GET http://other/healthz"):
        status = int(shared_serve.ask(line + b" HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n").split(b" ", 2)[1])
        assert status in (200, 404, 405), line
    upgrade = b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
    assert shared_serve.ask(b"GET /healthz HTTP/1.1\r\nHost: m\r\n" + upgrade + b"\r\n").startswith(b"HTTP/1.1 200")
    assert b'method="other"' in shared_serve.ask(GET.replace(b"healthz", b"metrics"))
    assert b"BREW" not in shared_serve.ask(GET.replace(b"healthz", b"metrics"))


def test_redirects_never_repeat_the_callers_host(shared_serve: Served) -> None:
    answer = shared_serve.ask(b"GET /v1/jobs/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert problem_of(answer)[0] in (404, 422)
    assert b"evil.example" not in answer


def test_forwarded_address_of_a_stranger_is_not_believed(shared: World) -> None:
    settings = shared.context.settings
    assert server_options(settings, [])["proxy_headers"] is False
    trusting = server_options(settings, ["10.0.0.1"])
    assert trusting["proxy_headers"] is True
    assert trusting["forwarded_allow_ips"] == ["10.0.0.1"]


def test_one_address_with_all_its_connections_makes_room_for_its_own_next_one(world: World) -> None:
    with served(world.context) as running:
        running.connections.each = 20
        held = [running.open(b"GET /he") for _ in range(20)]
        assert until(lambda: running.connections.of.total() == 20)
        assert running.ask(GET).startswith(b"HTTP/1.1 200")
        assert answer_of(held[0]) == b""
        for connection in held:
            connection.close()
        assert until(lambda: not running.connections.of)


def answer_of_or_raise(connection: socket.socket) -> None:
    """Reads the end of a connection that was cut."""
    if not connection.recv(10):
        raise ConnectionResetError


def test_honest_client_is_answered_while_thousands_of_sockets_hang(world: World) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * HANGING
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    with served(world.context) as running, contextlib.ExitStack() as stack:
        running.connections.most = 1_500
        for i in range(HANGING):
            stack.enter_context(running.open((b"", b"GET /hea", SLOW_BODY)[i % 3]))
        assert until(lambda: running.connections.of.total() == 1_500)
        waits = []
        with httpx2.Client(base_url=running.url, timeout=30) as honest:
            for path in ("/v1/network", "/readyz", "/v1/jobs", "/v1/offers") * 10:
                started = time.monotonic()
                assert honest.get(path).status_code == 200
                waits.append(time.monotonic() - started)
        for _ in range(10):
            started = time.monotonic()
            assert running.ask(GET).startswith(b"HTTP/1.1 200")
            waits.append(time.monotonic() - started)
        assert sorted(waits)[len(waits) // 2] < MEDIAN_SECONDS
        assert max(waits) < WORST_SECONDS
        print(f"\n{HANGING} sockets hang: worst {max(waits):.3f} s, median {sorted(waits)[len(waits) // 2]:.4f} s")
        assert running.connections.of.total() <= 1_500
