"""What the contributor allows: price, memory, processors, and when no new lease is taken, always with the reason.

A lease in hand when a condition turns is finished, for leases are made to last seconds; one that takes longer than
`finish_within_s` from then on is given back. Children are never stopped in the middle: their time would run on.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker import control
from worker.conditions import Conditions, Sensors, Watch
from worker.courtesy import Rests, due_rests, unknown_wishes
from worker.errors import SettingsInvalid
from worker.grants import Terms
from worker.wishes import Wishes

PAGE_BYTES = 65_536
MEMORY_PAGES_MAX = 65_536
LOG = logging.getLogger("multitude.worker")


def default_memory_pages(cpus: int) -> int:
    """Half of the machine's memory shared by the processors, in pages of 64 KiB."""
    machine_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(16, min(MEMORY_PAGES_MAX, machine_bytes // 2 // PAGE_BYTES // max(1, cpus)))


@dataclass(frozen=True)
class Decision:
    """Whether a new lease may be taken now; where not, why, and until when (Unix seconds; None: nobody knows)."""

    allowed: bool
    reason: str | None = None
    until: float | None = None


ALLOWED = Decision(True)


@dataclass(frozen=True)
class Policy:
    """`cpus` tasks run at a time; `memory_pages` (64 KiB) is the most of one task; the pause is a file in `folder`.

    `look` gives the machine's conditions, None before they were read once.
    """

    folder: Path
    min_price_wei_per_gwu: int
    cpus: int
    memory_pages: int
    wishes: Wishes = field(default_factory=Wishes)
    look: Callable[[], Conditions | None] | None = field(default=None, compare=False)
    _rests: Rests = field(default_factory=Rests, init=False, compare=False, repr=False)
    _told: set[str] = field(default_factory=set, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.cpus <= 1024:
            raise SettingsInvalid(f"{self.cpus} processors")
        if not 1 <= self.memory_pages <= MEMORY_PAGES_MAX:
            raise SettingsInvalid(f"{self.memory_pages} pages of memory, not 1 to {MEMORY_PAGES_MAX}")
        if not 0 <= self.min_price_wei_per_gwu < 1 << 128:
            raise SettingsInvalid(f"a price of {self.min_price_wei_per_gwu} wei per GWU")
        if self.look is None:
            object.__setattr__(self, "look", Watch(Sensors(self.folder, self.wishes.conditions).read).latest)

    @property
    def processors(self) -> int:
        """How many tasks may run at a time: `cpus`, and no more than the wished part of the machine's processors."""
        part = (os.cpu_count() or 1) * self.wishes.processors_percent // 100
        return max(1, min(self.cpus, part)) if self.wishes.processors_percent < 100 else self.cpus

    def decision(self, now: float) -> Decision:
        """Whether a new lease may be taken at `now` (Unix seconds): asked before each poll, and when a lease came."""
        pause = control.pause_at(self.folder, now)
        if pause is not None:
            return Decision(False, "paused by its contributor", pause.until)
        return self._by_conditions(now)

    def leave(self, now: float) -> str | None:
        """Why the lease in hand is to be given back at `now`; None to go on. The contributor's pause is no reason."""
        decision = self._by_conditions(now)
        since = self._rests.since
        late = not decision.allowed and since is not None and now - since > self.wishes.finish_within_s
        return decision.reason if late else None

    def _by_conditions(self, now: float) -> Decision:
        conditions: Conditions | None = Conditions()
        if self.wishes.conditions:
            assert self.look is not None, "set by __post_init__"
            conditions = self.look()
        if conditions is None:
            return Decision(False, "looks at the machine first")
        self._tell_unknown(conditions)
        found = self._rests.update(due_rests(self.wishes, conditions, now, self._rests.names), now)
        if not found:
            return ALLOWED
        ends = [rest.until for rest in found if rest.until is not None]
        until = max(ends) if len(ends) == len(found) else None
        return Decision(False, "; ".join(rest.reason for rest in found), until)

    def _tell_unknown(self, conditions: Conditions) -> None:
        """Says once of each wish that it cannot be kept here."""
        for question in unknown_wishes(self.wishes, conditions):
            if question not in self._told:
                self._told.add(question)
                then = "works all the same" if self.wishes.work_when_unknown else "rests"
                LOG.warning("it cannot be known here %s: the device %s", question, then)

    def terms(self, device: str) -> Terms:
        """What is asked of every lease."""
        return Terms(device, self.min_price_wei_per_gwu, self.memory_pages)

    def offer(self, ns_per_wu: float | None) -> dict[str, Any]:
        """The offer as the market's API takes it; `ns_per_wu` is the speed measured so far."""
        return {
            "programs": None,
            "minPriceWeiPerGWU": str(self.min_price_wei_per_gwu),
            "nsPerWU": ns_per_wu,
            "memoryPages": self.memory_pages,
        }
