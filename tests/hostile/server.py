"""A real uvicorn in a thread, and raw sockets that talk to it as no client library would."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn

from market.app import create_app
from market.cli import server_options
from market.connections import Connections
from market.context import Context


@dataclass(frozen=True)
class Served:
    """A server: its port and its view of its connections."""

    port: int
    connections: Connections

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def open(self, data: bytes = b"", timeout: float = 10.0) -> socket.socket:
        """A raw connection that has sent some bytes."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout)
        if data:
            made.sendall(data)
        return made

    def ask(self, data: bytes, timeout: float = 10.0) -> bytes:
        """What comes back until the server closes; the bytes should ask for `Connection: close`."""
        with self.open(data, timeout) as connection:
            return answer_of(connection)


def answer_of(connection: socket.socket) -> bytes:
    """Everything until the end of the connection, however it ends."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def until(what: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The first true answer within the time; the last one otherwise."""
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


@contextlib.contextmanager
def served(context: Context) -> Iterator[Served]:
    """Serves the context's API until the end of the block."""
    options = server_options(context.settings, []) | {"factory": False, "lifespan": "on", "log_level": "critical"}
    server = uvicorn.Server(uvicorn.Config(create_app(context), host="127.0.0.1", port=0, **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(port, options["http"].open_connections)
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
