"""From wishes and conditions to the reasons to rest. Pure: the reading and the clock are passed in.

A threshold that was passed is only left with a margin, and a rest lasts a while, so that the device does not flap.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from worker.conditions import Conditions
from worker.hours import next_begin
from worker.wishes import Wishes

LEAST_REST_S = 30.0
MIB = 1 << 20
COOLER_C = 5
STEP_S = 10.0


@dataclass(frozen=True)
class Rest:
    """One reason not to work: its name, its words, when it ends at the earliest (Unix seconds; None: nobody knows)."""

    name: str
    reason: str
    until: float | None = None


def due_rests(wishes: Wishes, conditions: Conditions, now: float, resting: Collection[str]) -> list[Rest]:
    """The reasons to rest at `now`; `resting` names those in force, which take a margin to end."""
    hours = wishes.open_hours
    begin = next_begin(hours, now) if hours else now
    found = [] if begin == now else [Rest("hours", "outside its hours", begin)]
    for name in sorted(wishes.conditions):
        value = getattr(conditions, name)
        if value is not None:
            found += _RULES[name](wishes, value, now, name in resting)
        elif not wishes.work_when_unknown:
            found.append(Rest(name, f"it cannot be known here {_QUESTIONS[name]}"))
    return found


def unknown_wishes(wishes: Wishes, conditions: Conditions) -> list[str]:
    """What these wishes need to know and this machine does not tell, in words."""
    return [_QUESTIONS[name] for name in sorted(wishes.conditions) if getattr(conditions, name) is None]


class Rests:
    """The rests in force, and since when there is one without a break."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Rest, float]] = {}
        self.since: float | None = None

    @property
    def names(self) -> frozenset[str]:
        """Of the rests in force."""
        return frozenset(self._held)

    def update(self, found: Sequence[Rest], now: float) -> list[Rest]:
        """Those in force at `now`: the ones found, and the ones that began less than LEAST_REST_S ago."""
        young = {
            name: (Rest(name, rest.reason, began + LEAST_REST_S), began)
            for name, (rest, began) in self._held.items()
            if 0 <= now - began < LEAST_REST_S
        }
        began = {name: at for name, (_, at) in self._held.items()}
        self._held = young | {rest.name: (rest, began.get(rest.name, now)) for rest in found}
        self.since = (now if self.since is None else self.since) if self._held else None
        return [rest for rest, _ in self._held.values()]


def _coarse(at: float) -> float:
    """In steps, so that what is shown does not change with every look."""
    return -(-at // STEP_S) * STEP_S


def _idle(wishes: Wishes, value: float, now: float, _resting: bool) -> Iterator[Rest]:
    if value < wishes.idle_s:
        yield Rest("idle_s", "somebody uses this machine", _coarse(now + wishes.idle_s - value))


def _battery(_wishes: Wishes, value: bool, _now: float, _resting: bool) -> Iterator[Rest]:
    if value:
        yield Rest("on_battery", "on battery")


def _metered(_wishes: Wishes, value: bool, _now: float, _resting: bool) -> Iterator[Rest]:
    if value:
        yield Rest("metered", "on a metered network")


def _load(wishes: Wishes, value: float, _now: float, resting: bool) -> Iterator[Rest]:
    if value > wishes.other_load_percent * (0.75 if resting else 1):
        yield Rest("other_load_percent", f"other programs use more than {wishes.other_load_percent} % of this machine")


def _memory(wishes: Wishes, value: int, _now: float, resting: bool) -> Iterator[Rest]:
    if value < wishes.min_free_memory_mib * MIB * (1.25 if resting else 1):
        yield Rest("free_memory_bytes", f"less than {wishes.min_free_memory_mib} MiB of memory are free")


def _disk(wishes: Wishes, value: int, _now: float, resting: bool) -> Iterator[Rest]:
    if value < wishes.min_free_disk_mib * MIB * (1.25 if resting else 1):
        yield Rest("free_disk_bytes", f"less than {wishes.min_free_disk_mib} MiB of disk are free")


def _temperature(wishes: Wishes, value: float, _now: float, resting: bool) -> Iterator[Rest]:
    if value >= wishes.max_temperature_c - (COOLER_C if resting else 0):
        yield Rest("temperature_c", f"its processors are at {wishes.max_temperature_c} °C or more")


_RULES: dict[str, Callable[[Wishes, Any, float, bool], Iterator[Rest]]] = {
    "idle_s": _idle,
    "on_battery": _battery,
    "metered": _metered,
    "other_load_percent": _load,
    "free_memory_bytes": _memory,
    "free_disk_bytes": _disk,
    "temperature_c": _temperature,
}
_QUESTIONS = {
    "idle_s": "whether somebody uses the machine",
    "on_battery": "whether it is on battery",
    "metered": "whether its network is metered",
    "other_load_percent": "how much other programs use",
    "free_memory_bytes": "how much memory is free",
    "free_disk_bytes": "how much disk is free",
    "temperature_c": "how hot its processors are",
}
