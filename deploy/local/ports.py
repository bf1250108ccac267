"""Free TCP ports of this machine's loopback address."""

from __future__ import annotations

import socket
from contextlib import ExitStack

_handed_out: set[int] = set()
_MAX_TRIES = 1_000


def free_ports(count: int) -> list[int]:
    """`count` different ports of 127.0.0.1 that nobody listens on; one process is never given the same port twice.

    Raises OSError when the system has none left.
    """
    ports: list[int] = []
    with ExitStack() as held:
        for _ in range(_MAX_TRIES):
            if len(ports) == count:
                break
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            if port not in _handed_out:
                _handed_out.add(port)
                ports.append(port)
    if len(ports) < count:
        raise OSError(f"only {len(ports)} of {count} free ports were found")
    return ports


def free_port() -> int:
    """One port of 127.0.0.1 that nobody listens on."""
    return free_ports(1)[0]


def is_listening(port: int, host: str = "127.0.0.1", timeout_s: float = 0.2) -> bool:
    """Whether something accepts connections at the port."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True
    except OSError:
        return False
