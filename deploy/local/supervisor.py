"""Starts, watches, restarts and ends the processes of a local network.

Every service is a child in a session and process group of its own, with a log file of its own. A guard (guard.py)
outlives the launcher: whatever way the launcher dies, no process stays behind, grandchildren included.

    SupervisorError
      ServiceExitedError    a service that must stay up has ended
      NotReadyError         a service did not get ready in time
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Self

import psutil

from deploy.local import guard

POLL_INTERVAL_S = 0.1
MAX_RESTARTS = 50
MAX_BACKOFF_S = 5.0


class SupervisorError(Exception):
    """Root of this package's errors."""


class ServiceExitedError(SupervisorError):
    """Raised when a service that must stay up has ended; the message ends with the tail of its log."""


class NotReadyError(SupervisorError):
    """Raised when a service did not get ready in time; the message ends with the tail of its log."""


class StopRequested(KeyboardInterrupt):
    """Raised in the main thread by the handlers of SIGINT, SIGTERM and SIGHUP, once.

    A KeyboardInterrupt, because asyncio lets only that through at once.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"asked to stop by {signal.Signals(number).name}")
        self.exit_status = 128 + number


@dataclass(frozen=True)
class Account:
    """The OS user that a service runs as; only root can name another."""

    uid: int
    gid: int


@dataclass(frozen=True)
class ServiceSpec:
    """What to run. `environment` is added to the launcher's own. A `foundation` (chain, database, broker) is stopped
    after all others. With `restart` a service that ends is started again, up to MAX_RESTARTS times."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    account: Account | None = None
    restart: bool = False
    foundation: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 5.0


class Service:
    """One supervised process: the running incarnation of a spec."""

    def __init__(self, spec: ServiceSpec, log: Path) -> None:
        self.spec = spec
        self.log = log
        self.starts = 0
        self.wanted = True
        self._process: subprocess.Popen[bytes] | None = None
        self._next_start = 0.0

    @property
    def name(self) -> str:
        """The spec's name."""
        return self.spec.name

    @property
    def pid(self) -> int:
        """Process id of the latest incarnation, which is also its session's and group's id."""
        if self._process is None:
            raise SupervisorError(f"{self.name} was never started")
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Exit status of the latest incarnation (negative: a signal), None while it runs."""
        return self._process.poll() if self._process is not None else None

    @property
    def running(self) -> bool:
        """Whether the latest incarnation runs."""
        return self._process is not None and self._process.poll() is None

    def spawn(self) -> None:
        """Starts a new incarnation. Raises OSError where the machine cannot now; the next attempt is due later."""
        self.starts += 1
        self._next_start = time.monotonic() + min(MAX_BACKOFF_S, 0.1 * 2 ** min(self.starts, 8))
        account = self.spec.account
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                list(self.spec.argv),
                env={**os.environ, **self.spec.environment},
                cwd=self.spec.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )

    @property
    def due(self) -> bool:
        """Whether a service that ended is to be started again now."""
        may = self.wanted and self.spec.restart and self.starts <= MAX_RESTARTS
        return may and not self.running and time.monotonic() >= self._next_start

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the service's process alone."""
        if self.running and self._process is not None:
            self._process.send_signal(number)

    def end_group(self) -> None:
        """Kills what is left of the service's process group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def wait(self, timeout_s: float) -> bool:
        """Waits for the process to end; False when it still runs after the time."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


class Supervisor:
    """Runs services until `stop`; use it as a context manager. Not for use from several threads at once."""

    def __init__(self, log_directory: Path) -> None:
        self.log_directory = log_directory
        self.mark = uuid.uuid4().hex
        self._services: dict[str, Service] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._guard: subprocess.Popen[str] | None = None
        self._monitor = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self.log_directory.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-I", guard.__file__, self.mark]
        self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)
        os.environ[guard.MARK_VARIABLE] = self.mark
        self._monitor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def services(self) -> Mapping[str, Service]:
        """The services by name."""
        return dict(self._services)

    def start(self, spec: ServiceSpec) -> Service:
        """Starts a service. Raises SupervisorError for a name that is taken."""
        if spec.name in self._services:
            raise SupervisorError(f"there is a service {spec.name} already")
        service = Service(spec, self.log_directory / f"{spec.name}.log")
        with self._lock:
            self._spawn(service)
            self._services[spec.name] = service
        return service

    def restart(self, name: str) -> None:
        """Starts a service again that was stopped or that ended."""
        with self._lock:
            self._services[name].wanted = True
            self._spawn(self._services[name])

    def end(self, name: str) -> None:
        """Stops one service and keeps it stopped."""
        with self._lock:
            self._stop_all([self._services[name]])

    def kill(self, name: str) -> None:
        """Kills a service's whole group at once, as a crash would; its restart policy applies."""
        service = self._services[name]
        self._watch_descendants(service)
        service.end_group()
        service.wait(5)

    def remove_at_end(self, folder: Path) -> None:
        """Has a temporary folder removed when the run ends, in whatever way."""
        self._tell(f"remove {folder}")

    def check(self) -> None:
        """Raises ServiceExitedError when a wanted service has ended for good, SupervisorError without a guard."""
        if self._guard is None or self._guard.poll() is not None:
            raise SupervisorError("the guard has died")
        for service in self._services.values():
            may_return = service.spec.restart and service.starts <= MAX_RESTARTS
            if service.wanted and not service.running and not may_return:
                raise ServiceExitedError(
                    f"{service.name} ended with status {service.exit_status}; "
                    f"the end of {service.log}:\n{service.log_tail()}"
                )

    def wait_ready(self, service: Service, ready: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Waits until `ready()`. Raises ServiceExitedError when a service ends first, NotReadyError after the time."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            self.check()
            if time.monotonic() >= deadline:
                raise NotReadyError(
                    f"{service.name} was not ready after {timeout_s} s; the end of {service.log}:\n{service.log_tail()}"
                )
            time.sleep(POLL_INTERVAL_S / 2)

    def stop(self) -> None:
        """Stops everything: services first, foundations last, then whatever the guard still finds. May be repeated."""
        if self._stopping.is_set() or self._guard is None:
            return
        self._stopping.set()
        self._monitor.join(5)
        with self._lock:
            services = list(self._services.values())
            self._stop_all([service for service in services if not service.spec.foundation])
            self._stop_all([service for service in services if service.spec.foundation])
        if self._guard.stdin is not None:
            with suppress(BrokenPipeError):
                self._guard.stdin.close()
        self._guard.wait(30)
        if os.environ.get(guard.MARK_VARIABLE) == self.mark:
            del os.environ[guard.MARK_VARIABLE]

    def _spawn(self, service: Service) -> None:
        service.spawn()
        try:
            self._tell(f"watch {service.pid}")
        except SupervisorError:
            service.end_group()
            raise

    def _watch_descendants(self, service: Service) -> None:
        """Tells the guard of the processes below a service while it still ties them to the run."""
        try:
            for child in psutil.Process(service.pid).children(recursive=True):
                self._tell(f"watch {child.pid}")
        except (psutil.Error, SupervisorError):
            return

    def _tell(self, line: str) -> None:
        if self._guard is None or self._guard.stdin is None:
            raise SupervisorError("the supervisor is not running")
        pipe: IO[str] = self._guard.stdin
        try:
            pipe.write(line + "\n")
            pipe.flush()
        except BrokenPipeError as error:
            raise SupervisorError("the guard has died") from error

    def _watch(self) -> None:
        while not self._stopping.wait(POLL_INTERVAL_S):
            with self._lock:
                for service in self._services.values():
                    if service.due and not self._stopping.is_set() and not self._revive(service):
                        return

    def _revive(self, service: Service) -> bool:
        """Starts a service again; False when there is no guard any more, which `check` reports.

        INVARIANT: what the machine refuses for a moment (a busy file, no memory) ends no watch: it is tried again.
        """
        service.end_group()
        try:
            self._spawn(service)
        except SupervisorError:
            return False
        except OSError as error:
            with service.log.open("a") as log:
                log.write(f"supervisor: cannot start {service.name} now: {error}\n")
        return True

    def _stop_all(self, services: Sequence[Service]) -> None:
        for service in services:
            self._watch_descendants(service)
            service.wanted = False
            service.signal(service.spec.stop_signal)
        deadline = time.monotonic() + max((service.spec.stop_timeout_s for service in services), default=0.0)
        for service in services:
            service.wait(max(0.0, deadline - time.monotonic()))
            service.end_group()
            service.wait(5)


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Within it, the first SIGINT, SIGTERM or SIGHUP raises StopRequested in the main thread.

    Later ones are ignored, so that the orderly stop is not cut short. Under `make` the end of make counts as SIGTERM.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def handle(number: int, _frame: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise StopRequested(number)

    before = {number: signal.signal(number, handle) for number in numbers}
    if "MAKELEVEL" in os.environ:
        threading.Thread(target=_follow_make, args=(os.getppid(),), name="follow-make", daemon=True).start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _follow_make(make: int) -> None:
    """Asks this process to stop when make has died, or waits for its recipe to end after a SIGINT of its own.

    GNU make passes SIGTERM on, but on SIGINT it only puts the default handler back and waits; that is visible in /proc
    as a bit that is no longer set.
    """
    caught = _catches_sigint(make)
    while os.getppid() == make and _catches_sigint(make) == caught:
        time.sleep(POLL_INTERVAL_S)
    os.kill(os.getpid(), signal.SIGTERM if os.getppid() != make else signal.SIGINT)


def _catches_sigint(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:")]
    return any(mask >> (signal.SIGINT - 1) & 1 for mask in masks)
