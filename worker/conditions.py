"""What the machine says of itself: whether it is used, by whom, on which power and network. None: it cannot be known.

Reading may take seconds (commands with a time limit), so a thread does it (`Watch`), and only what is asked for.
"""

import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import TypeVar

import psutil

SAMPLE_S = 2.0
STALE_S = 60.0
"""A reading older than this is none: what reads it hangs."""
COMMAND_LIMIT_S = 2.0
SMOOTHING = 0.25
"""The weight of the newest load: half of what is shown is of the last five seconds, nearly all of the last twenty."""
_PROCESSOR_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "acpitz")
LOG = logging.getLogger("multitude.worker")

T = TypeVar("T")


@dataclass(frozen=True)
class Conditions:
    """One reading. Seconds since somebody used a keyboard; the load of other programs in percent of all processors."""

    idle_s: float | None = None
    on_battery: bool | None = None
    metered: bool | None = None
    other_load_percent: float | None = None
    free_memory_bytes: int | None = None
    free_disk_bytes: int | None = None
    temperature_c: float | None = None


KNOWABLE = frozenset(one.name for one in fields(Conditions))


class Sensors:
    """Reads the conditions named in `wanted`; `folder` lies on the disk that is meant. Remembers the load before."""

    def __init__(self, folder: Path, wanted: Iterable[str] = KNOWABLE) -> None:
        readers: dict[str, Callable[[], object]] = {
            "idle_s": idle_s,
            "on_battery": on_battery,
            "metered": metered,
            "other_load_percent": Load(),
            "free_memory_bytes": lambda: psutil.virtual_memory().available,
            "free_disk_bytes": lambda: shutil.disk_usage(_existing(folder)).free,
            "temperature_c": temperature_c,
        }
        self._readers = {name: readers[name] for name in wanted}

    def read(self) -> Conditions:
        """The conditions now; a reader that fails leaves its own unknown."""
        return Conditions(**{name: _known(reader) for name, reader in self._readers.items()})  # type: ignore[arg-type]


class Watch:
    """Reads again and again in a thread that starts with the first question and ends with the process."""

    def __init__(self, read: Callable[[], Conditions], clock: Callable[[], float] = time.monotonic) -> None:
        self._read, self._clock = read, clock
        self._latest: tuple[float, Conditions] | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def latest(self) -> Conditions | None:
        """The last reading, with nothing known where it is old; None before the first."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="conditions", daemon=True)
                self._thread.start()
        if self._latest is None:
            return None
        at, found = self._latest
        return found if self._clock() - at <= STALE_S else Conditions()

    def _watch(self) -> None:
        self._read()  # the load is a difference
        while True:
            time.sleep(SAMPLE_S)
            self._latest = self._clock(), self._read()


class Load:
    """How much of all processors programs other than this process and its children use, smoothed, in percent."""

    def __init__(self) -> None:
        self._before: tuple[float, float, float] | None = None
        self._smoothed: float | None = None

    def __call__(self) -> float | None:
        """None at the first time."""
        before, self._before = self._before, _processor_times()
        if before is None:
            return None
        total, busy, own = (new - old for new, old in zip(self._before, before, strict=True))
        self._smoothed = smoothed(self._smoothed, total, busy, own)
        return self._smoothed


def smoothed(before: float | None, total: float, busy: float, own: float) -> float | None:
    """The load of others over a time in which processors gave `total` seconds, `busy` to programs, `own` to ours."""
    if total <= 0:
        return before
    newest = 100 * max(0.0, min(total, busy) - max(0.0, own)) / total
    return newest if before is None else before + SMOOTHING * (newest - before)


def _processor_times() -> tuple[float, float, float]:
    """Seconds of all processors since the machine started: given, used by programs, used by this process's family."""
    times = psutil.cpu_times()
    parts = times._asdict()
    total = sum(value for name, value in parts.items() if not name.startswith("guest"))
    waiting = parts.get("idle", 0.0) + parts.get("iowait", 0.0) + parts.get("steal", 0.0)
    me = psutil.Process()
    mine = me.cpu_times()
    own = mine.user + mine.system + mine.children_user + mine.children_system
    for child in me.children(recursive=True):
        found = _known(child.cpu_times)
        own += found.user + found.system if found else 0.0
    return total, total - waiting, own


def idle_s() -> float | None:
    """Seconds since somebody used this machine: by the word of logind, and by terminals that were typed on.

    Without logind a display makes it unknown, because terminals tell nothing of who sits before it.
    """
    now = time.time()
    session = _logind_idle_s(_output("loginctl", "show", "--property=IdleHint", "--property=IdleSinceHint"), now)
    if session is None and _displays():
        return None
    typed = [now - used for used in _terminal_uses()]
    known = [value for value in (session, *typed) if value is not None]
    return max(0.0, min(known)) if known else None


def _logind_idle_s(answer: str | None, now: float) -> float | None:
    """Out of the properties of logind's manager, for all sessions: since when (Unix microseconds) all are idle."""
    words = dict(line.split("=", 1) for line in (answer or "").splitlines() if "=" in line)
    match words.get("IdleHint"):
        case "no":
            return 0.0
        case "yes":
            return now - int(words.get("IdleSinceHint") or 0) / 1e6
    return None


def _displays() -> bool:
    found = chain(Path("/tmp/.X11-unix").glob("X*"), Path("/run/user").glob("*/wayland-*"))  # noqa: S108
    return _known(lambda: any(True for _ in found)) is not False


def _terminal_uses() -> list[float]:
    """When each terminal was last read from, Unix seconds."""
    paths = chain(Path("/dev").glob("tty[1-9]*"), Path("/dev/pts").glob("[0-9]*"))
    return [found.st_atime for path in paths if (found := _known(path.stat)) is not None]


def on_battery() -> bool | None:
    """Whether a battery gives the power; False without one."""
    battery = psutil.sensors_battery()
    if battery is None:
        return False
    return None if battery.power_plugged is None else not battery.power_plugged


def metered() -> bool | None:
    """Whether NetworkManager takes a connection for metered, also where it guesses."""
    return _metered(_output("nmcli", "-t", "-f", "GENERAL.METERED", "device", "show"))


def _metered(answer: str | None) -> bool | None:
    values = [line.partition(":")[2] for line in (answer or "").splitlines()]
    if any(value.startswith("yes") for value in values):
        return True
    return False if any(value.startswith("no") for value in values) else None


def temperature_c() -> float | None:
    """The hottest sensor of the processors."""
    sensors = psutil.sensors_temperatures()
    found = [one.current for name in _PROCESSOR_SENSORS for one in sensors.get(name, ())]
    return max(found) if found else None


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _output(*command: str) -> str | None:
    """What a command of this machine prints, in the language of programs; None where it is not there or fails."""
    path = shutil.which(command[0])
    if path is None:
        return None
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        [path, *command[1:]], check=False, capture_output=True, text=True, timeout=COMMAND_LIMIT_S, env=environment
    )
    return done.stdout if done.returncode == 0 else None


def _known(reader: Callable[[], T]) -> T | None:
    """What is read; None where it cannot be (a sensor that psutil lacks on a system is an AttributeError)."""
    try:
        return reader()
    except (OSError, ValueError, AttributeError, RuntimeError, subprocess.SubprocessError, psutil.Error) as error:
        LOG.debug("a condition cannot be read: %r", error)
        return None
