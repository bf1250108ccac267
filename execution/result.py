"""What a task comes to."""

from dataclasses import dataclass

from protocol.merkle import Status


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How a task ended, its output (empty unless ok), its cost in WU, and the state digest where it was asked for."""

    status: Status
    output: bytes
    wu: int
    state_digest: bytes | None = None


def charged_wu(status: Status, wu_used: int, task_limit_wu: int) -> int:
    """What a task costs: at least 1, at most its limit, and all of it unless it is ok."""
    return task_limit_wu if status is not Status.OK else min(max(wu_used, 1), task_limit_wu)
