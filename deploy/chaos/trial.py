"""One cell: a job, the state waited for, the kill, the recovery."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from deploy.chaos.ground import Ground, Submitted
from deploy.chaos.parts import Part, recovery, victim_of
from deploy.chaos.states import EPOCH_STATES, Sight, State
from deploy.local.mainjob.play import TookTooLong
from deploy.local.supervisor import SupervisorError

STATE_TIMEOUT_S = 120.0
RECOVERY_TIMEOUT_S = 90.0
MOST_TRIES = 5
"""Jobs for one cell: a short state may be over between two looks."""


@dataclass(frozen=True)
class Cell:
    """What is killed, in which state of a job of how many tasks."""

    part: Part
    state: State
    tasks: int


@dataclass
class Trial:
    """What came of a cell. `killed_at` is None where nothing was killed, `recovered_s` where it never came back."""

    cell: Cell
    service: str = ""
    killed_at: float | None = None
    recovered_s: float | None = None
    paid_s: float | None = None
    jobs: list[Submitted] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether the kill landed and nothing was wrong afterwards."""
        return self.recovered_s is not None and self.paid_s is not None and not self.faults

    def to_json(self) -> dict[str, Any]:
        """The trial as var/chaos/<seed>.json lists it; seconds from the kill to recovery and to the last payment."""
        at = None if self.killed_at is None else datetime.fromtimestamp(self.killed_at, UTC).isoformat()
        return {
            "part": self.cell.part.value,
            "state": self.cell.state.value,
            "tasks": self.cell.tasks,
            "service": self.service,
            "killed_at": at,
            "recovered_s": self.recovered_s,
            "paid_s": self.paid_s,
            "jobs": [submitted.job.job_id for submitted in self.jobs],
            "faults": self.faults,
            "good": self.good,
        }


def run_trial(ground: Ground, trial: Trial, rng: Random) -> None:
    """Kills the part in the state, and waits until it works again. The job may still be under way then."""
    try:
        submitted = _reach(ground, trial, rng)
        if submitted is not None:
            trial.recovered_s = _kill(ground, trial, submitted, rng)
    except (TookTooLong, SupervisorError) as error:
        trial.faults.append(f"{type(error).__name__}: {error}")


def _reach(ground: Ground, trial: Trial, rng: Random) -> Submitted | None:
    """A job that is in the state now; None, with the fault noted, where it was missed too often."""
    cell = trial.cell
    for _ in range(MOST_TRIES):
        submitted = ground.submit(cell.tasks, rng)
        trial.jobs.append(submitted)
        slow = rng.choice(ground.verifiers) if cell.state is State.COMMITTING else None
        if _wait_for_state(ground, submitted, cell.state, slow):
            return submitted
    trial.faults.append(f"the state was over {MOST_TRIES} times before it was seen")
    return None


def _wait_for_state(ground: Ground, submitted: Submitted, state: State, slow: str | None) -> bool:
    """True once the job is in the state, False once it is past it.

    Verifiers commit in the same block when nothing keeps them; so that somebody has committed and somebody has not, the
    `slow` one is held from the seed on until the state is there.
    """
    look = ground.epoch if state in EPOCH_STATES else ground.spans
    seen: list[bool] = []
    held = False

    def done() -> bool:
        nonlocal held
        sight: Sight = look(submitted)
        if slow and not held and sight.shows(State.SEEDED):
            ground.hold(slow)
            held = True
        if sight.shows(state) or sight.is_past(state):
            seen.append(sight.shows(state))
        return bool(seen)

    try:
        ground.wait_for(done, STATE_TIMEOUT_S, f"state {state}")
    finally:
        if slow and held:
            ground.let_go(slow)
    return seen[0]


def _kill(ground: Ground, trial: Trial, submitted: Submitted, rng: Random) -> float:
    part = trial.cell.part
    trial.service = victim_of(part, ground, submitted.job.job_id, rng)
    trial.killed_at, start = time.time(), time.monotonic()
    back = recovery(part, ground, trial.service, trial.killed_at)
    ground.kill(trial.service)
    return round(ground.wait_for(back, RECOVERY_TIMEOUT_S, f"{trial.service} to work again", start), 2)
