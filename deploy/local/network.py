"""A local network: one fresh chain, database and broker, and whatever services are started on them.

    with stop_on_signals(), LocalNetwork(LOCAL) as network:
        network.run_brownie(["run", "deploy", "--network", "target"])       # automining until start_blocks
        database = network.postgres.create("market")
        environment = {"DATABASE_URL": database, "REDIS_URL": network.valkey.url(0), "RPC_URL": network.rpc_url}
        port = free_port()
        network.start_python("api", ["-m", "uvicorn", "market.app:app", "--port", str(port)], environment, port=port)
        network.start_python("market-celery", ["-m", "celery", ...], environment, restart=True)
        network.start_blocks()                                              # blocks now come at the profile's time
        network.publish(NetworkFile(...))                                   # var/run/network.json
        network.wait_while_healthy(lambda: done())                          # raises when a service has died for good

Everything lies under one folder (var/): run/ (network.json, summary.json), log/<service>.log, chain/, postgres/,
valkey/, blobs/, keys/. All but the caches are emptied at the start. Leaving the block, by whatever way, stops every
process; if the launcher is killed the guard does it. `network.supervisor` kills, ends and restarts single services.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Self

from deploy.local.anvil import Chain, start_anvil
from deploy.local.ports import is_listening
from deploy.local.postgres import Database, start_postgres
from deploy.local.profiles import Profile
from deploy.local.supervisor import Service, ServiceSpec, Supervisor, SupervisorError
from deploy.local.valkey import Broker, start_valkey
from deploy.toolchain import ROOT
from deploy.toolchain.brownie import Target, run_brownie

FRESH_FOLDERS = ("run", "log", "chain", "postgres", "valkey", "blobs", "keys")

CACHE = ROOT / "var" / "cache"

QUIET_LIBRARIES = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
"""Given to every Python service: two BLAS threads on busy cores are fifty times slower than one."""


class NetworkBusyError(SupervisorError):
    """Raised when another local network already runs in the same folder."""


@dataclass(frozen=True)
class AccountEntry:
    """A local account in network.json; its key is worth nothing outside this network."""

    role: str
    address: str
    key: str


@dataclass(frozen=True)
class NetworkFile:
    """What var/run/network.json holds while the network is up. `clocks` are seconds by name."""

    web: str
    api: str
    rpc: str
    chain_id: int
    deploy_block: int
    addresses: Mapping[str, str]
    blobs: str
    clocks: Mapping[str, float]
    accounts: Sequence[AccountEntry] = field(default_factory=tuple)


class LocalNetwork:
    """Chain, database and broker, and the services on them; use it as a context manager.

    A `durable_chain` is started again when it ends, as it was when `chain.save(chain_state)` was last called; blocks
    then come on demand until `start_blocks`.

    Attributes, valid inside the block: `chain` (Chain), `postgres` (Database), `valkey` (Broker), `supervisor`.
    """

    chain: Chain
    postgres: Database
    valkey: Broker

    def __init__(self, profile: Profile, directory: Path = ROOT / "var", durable_chain: bool = False) -> None:
        self.profile = profile
        self.directory = directory
        self._durable_chain = durable_chain
        self.supervisor = Supervisor(directory / "log")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._claim_folder()
            self._stack.enter_context(self.supervisor)
            state, durable = self.chain_state if self._durable_chain else None, self._durable_chain
            self.chain = start_anvil(
                self.supervisor,
                self.directory / "chain",
                chain_id=self.profile.chain_id,
                base_fee_wei=self.profile.base_fee_wei,
                state=state,
                restart=durable,
            )
            self.postgres = start_postgres(self.supervisor, self.directory / "postgres", CACHE)
            self.valkey = start_valkey(self.supervisor, self.directory / "valkey")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stops every process and withdraws network.json. May be repeated."""
        self._stack.close()

    @property
    def rpc_url(self) -> str:
        """HTTP address of the chain."""
        return self.chain.rpc_url

    @property
    def chain_state(self) -> Path:
        """The file that a durable chain is loaded from when it is started again (see `Chain.save`)."""
        return self.directory / "chain" / "state.json"

    @property
    def run_directory(self) -> Path:
        """Where network.json and summary.json are written."""
        return self.directory / "run"

    @property
    def blob_directory(self) -> Path:
        """Folder for the market's blobs."""
        return self.directory / "blobs"

    def start_service(
        self,
        name: str,
        argv: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        ready_url: str | None = None,
        restart: bool = False,
        ready_timeout_s: float = 30.0,
    ) -> Service:
        """Starts a process; its output goes to log/<name>.log. Raises SupervisorError.

        Waits until `port` is listened on and `ready_url` answers 2xx, where they are given. With `restart` it is
        started again when it ends.
        """
        spec = ServiceSpec(name, argv, {**QUIET_LIBRARIES, **(environment or {})}, ROOT, restart=restart)
        service = self.supervisor.start(spec)
        if port is not None:
            self.supervisor.wait_ready(service, lambda: is_listening(port), ready_timeout_s)
        if ready_url is not None:
            self.supervisor.wait_ready(service, lambda: _answers(ready_url), ready_timeout_s)
        return service

    def start_python(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        ready_url: str | None = None,
        restart: bool = False,
        ready_timeout_s: float = 30.0,
    ) -> Service:
        """`start_service` with this very Python before the arguments, such as ["-m", "uvicorn", "market.app:app"]."""
        return self.start_service(
            name,
            [sys.executable, *arguments],
            environment,
            port=port,
            ready_url=ready_url,
            restart=restart,
            ready_timeout_s=ready_timeout_s,
        )

    def run_brownie(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Runs Brownie against the chain (its network `target`); output goes to log/brownie.log.

        Raises SupervisorError with the end of that log when it fails.
        """
        log = self.directory / "log" / "brownie.log"
        target = Target(self.chain.rpc_url, self.chain.chain_id)
        status = run_brownie(arguments, target=target, environment=environment, log=log)
        if status != 0:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
            raise SupervisorError(f"brownie {' '.join(arguments)} ended with status {status}:\n{tail}")

    def start_blocks(self) -> None:
        """Ends automining: from now on blocks come at the profile's time."""
        self.chain.mine_every(self.profile.block_time_s)

    def publish(self, content: NetworkFile) -> Path:
        """Writes run/network.json, whole or not at all, and returns its path."""
        path = self.run_directory / "network.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(content), indent=2) + "\n")
        partial.replace(path)
        return path

    def wait_while_healthy(self, done: Callable[[], bool], interval_s: float = 0.5) -> None:
        """Waits until `done()`. Raises ServiceExitedError when a service that must stay up has ended."""
        while not done():
            self.supervisor.check()
            time.sleep(interval_s)

    def _claim_folder(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        lock: IO[str] = self._stack.enter_context((self.directory / ".lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NetworkBusyError(f"another local network runs in {self.directory}") from error
        for name in FRESH_FOLDERS:
            shutil.rmtree(self.directory / name, ignore_errors=True)
            (self.directory / name).mkdir()
        self._stack.callback((self.run_directory / "network.json").unlink, missing_ok=True)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1.0):  # noqa: S310 - loopback only
            return True
    except (OSError, urllib.error.URLError):
        return False
