"""What an agent says of itself, for `status`: a file in the device's folder, written as it changes.

The file outlives its agent: whether it still runs is asked of the lock (`control.is_running`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from worker import control

FILE = "status.json"


@dataclass(frozen=True)
class LeaseLine:
    """The lease being worked on: `tasks_done` of `tasks` have an outcome; prices in wei per GWU, times Unix seconds."""

    job_id: str
    lease_id: int
    program_id: str
    spans: int
    tasks: int
    tasks_done: int
    price_wei_per_gwu: int
    expires_at: int


@dataclass(frozen=True)
class Totals:
    """What the market has accepted from this device since this state folder was made; wei before any deduction."""

    leases: int = 0
    tasks: int = 0
    wu: int = 0
    wei: int = 0

    @property
    def task_price_wei(self) -> int:
        """The average price of a task, rounded up; 0 while there is none."""
        return -(-self.wei // self.tasks) if self.tasks else 0

    def plus(self, tasks: int, wu: int, wei: int) -> "Totals":
        """With one more lease."""
        return Totals(self.leases + 1, self.tasks + tasks, self.wu + wu, self.wei + wei)


@dataclass(frozen=True)
class Status:
    """One device. `state` is a word (see `worker.reporter.state_of`), `reason` says why it does not work.

    `since` is when `state` began, `until` when the reason ends, `session_until` when the session does; Unix seconds.
    """

    device: str
    state: str
    since: float
    started_at: float
    updated_at: float
    pid: int
    version: str
    market: str
    cpus: int
    min_price_wei_per_gwu: int
    reason: str | None = None
    until: float | None = None
    session_until: float | None = None
    ns_per_wu: float | None = None
    benchmark: dict[str, float] = field(default_factory=dict)
    lease: LeaseLine | None = None
    totals: Totals = field(default_factory=Totals)
    claim: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The JSON form; wei as decimal strings."""
        value = asdict(self)
        value["totals"]["wei"] = str(self.totals.wei)
        value["min_price_wei_per_gwu"] = str(self.min_price_wei_per_gwu)
        if self.lease is not None:
            value["lease"]["price_wei_per_gwu"] = str(self.lease.price_wei_per_gwu)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Status":
        """The status of its JSON form. Raises ValueError, TypeError, KeyError."""
        lease = value.get("lease")
        read = {one.name: value[one.name] for one in fields(cls)}
        read["totals"] = Totals(**{**value["totals"], "wei": int(value["totals"]["wei"])})
        read["min_price_wei_per_gwu"] = int(value["min_price_wei_per_gwu"])
        read["lease"] = lease and LeaseLine(**{**lease, "price_wei_per_gwu": int(lease["price_wei_per_gwu"])})
        return cls(**read)


def write_status(folder: Path, status: Status) -> None:
    """Puts the status into the device's folder."""
    control.write_whole(folder / FILE, json.dumps(status.to_json(), indent=1))


def read_status(folder: Path) -> Status | None:
    """What the last agent of this device said; None where none did, or an older version that said something else."""
    try:
        return Status.from_json(json.loads((folder / FILE).read_text()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
