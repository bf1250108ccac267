"""Where a job and its tasks stand, as the market tells it: checked shapes, no trust."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

from multitude.buyer.display import html_card, tokens
from multitude.buyer.wire import list_of, number_of, object_of, optional_number_of, text_of
from multitude.errors import ApiHostile
from protocol.encoding import from_hex
from protocol.errors import EncodingInvalid

TaskState = Literal["accepted", "attested", "final"]

RANK: Mapping[TaskState, int] = {"accepted": 1, "attested": 2, "final": 3}
"""accepted: delivered by a device; attested: every drawn seat agreed; final: paid for, past every challenge."""

RANGES_MOST = 1_000
_ACCEPTED = ("accepted", "committed", "drawn", "undrawn")
_STATES = ("open", "leased", *_ACCEPTED, "final", "voided")


class Task(NamedTuple):
    """A task with its result.

    `replayed`: True when verifiers ran it again and agreed, False when they have not, None before the draw. `verified`:
    the output was checked against the chain and the blobs, and not only told by the market.
    """

    task: int
    state: TaskState
    output: bytes
    wu: int
    status: int
    device: str
    epoch: int | None
    replayed: bool | None
    verified: bool


@dataclass(frozen=True)
class JobStatus:
    """A job: opening, open, closing, closed or refused (`error` says why); `tasks` counts tasks by state.

    `refunded` is in wei, None while the job is not closed.
    """

    job_id: str
    state: str
    task_count: int
    tasks: Mapping[str, int]
    refunded: int | None
    error: str | None

    @classmethod
    def from_json(cls, value: Mapping[str, Any], task_count: int) -> Self:
        """The status as the API tells it. Raises ApiHostile."""
        counts = object_of(value.get("tasks"), "tasks")
        error = value.get("error")
        return cls(
            text_of(value, "jobId", 66),
            text_of(value, "state", 16),
            task_count,
            {str(name): number_of(counts, name) for name in list(counts)[:20]},
            optional_number_of(value, "refunded"),
            None if error is None else str(error)[:2000],
        )

    def reached(self, state: TaskState) -> int:
        """How many tasks are in this state or a later one."""
        final = self.tasks.get("final", 0)
        attested = final + self.tasks.get("attested", 0)
        accepted = final + self.tasks.get("committed", 0) + self.tasks.get("accepted", 0)
        return {"final": final, "attested": attested, "accepted": accepted}[state]

    @property
    def is_over(self) -> bool:
        """True when nothing more comes."""
        return self.state in ("closed", "refused")

    def to_json(self) -> dict[str, Any]:
        """Everything; the refund as a decimal string."""
        return {**vars(self), "refunded": None if self.refunded is None else str(self.refunded)}

    def rows(self) -> list[tuple[str, str]]:
        """The status for people."""
        counted = ", ".join(f"{self.reached(state)} {state}" for state in RANK)
        rows = [("job", self.job_id), ("state", self.state), ("tasks", f"{self.task_count}: {counted}")]
        rows += [] if self.refunded is None else [("refunded", tokens(self.refunded))]
        return rows + ([] if self.error is None else [("error", self.error)])

    def _repr_html_(self) -> str:
        return html_card("Job", self.rows())


def tasks_of_page(page: Mapping[str, Any], first: int, limit: int, output_bytes_max: int) -> list[Task]:
    """The tasks of a page of results that have one, each within the page asked for. Raises ApiHostile."""
    found: dict[int, Task] = {}
    for value in list_of(page, "results", limit):
        task = _task(object_of(value, "a result"), output_bytes_max)
        if task is None:
            continue
        if not first <= task.task < first + limit or task.task in found:
            raise ApiHostile(f"a page of tasks from {first} on tells of task {task.task}")
        found[task.task] = task
    return list(found.values())


def ranges_of(data: Mapping[str, Any], task_count: int) -> list[range]:
    """The tasks that an event names. Raises ApiHostile."""
    found = []
    for pair in list_of(data, "tasks", RANGES_MOST):
        ints = isinstance(pair, list) and len(pair) == 2 and all(type(number) is int for number in pair)
        if not ints or not 0 <= pair[0] < pair[1] <= task_count:
            raise ApiHostile(f"an event names tasks {str(pair)[:50]}")
        found.append(range(pair[0], pair[1]))
    return found


def pages_of(tasks: Iterable[int], size: int) -> list[tuple[int, int]]:
    """(first, length) of as few pages of at most `size` tasks as cover the tasks; `tasks` rise."""
    pages: list[list[int]] = []
    for task in tasks:
        if pages and task < pages[-1][0] + size:
            pages[-1][1] = task - pages[-1][0] + 1
        else:
            pages.append([task, 1])
    return [(first, length) for first, length in pages]


def _task(value: Mapping[str, Any], output_bytes_max: int) -> Task | None:
    state = text_of(value, "state", 16)
    if state not in _STATES:
        raise ApiHostile(f"a task in state {state!r}")
    output = value.get("output")
    if state in ("open", "leased", "voided") or output is None:
        return None
    reached: TaskState = "final" if state == "final" else "attested" if value.get("attested") is True else "accepted"
    replayed = None if value.get("drawn") is None else value.get("replayed") is True
    return Task(
        number_of(value, "task"),
        reached,
        _output(output, output_bytes_max),
        number_of(value, "wu"),
        number_of(value, "status"),
        text_of(value, "device", 42),
        optional_number_of(value, "epoch"),
        replayed,
        verified=False,
    )


def _output(text: object, most: int) -> bytes:
    try:
        output = from_hex(text, None, "output")
    except EncodingInvalid as error:
        raise ApiHostile(error.reason) from error
    if len(output) > most:
        raise ApiHostile(f"an output of {len(output)} bytes, above the bid's {most}")
    return output


def missing_of(tasks: Sequence[int]) -> str:
    """The first few of some tasks, for a message."""
    shown = ", ".join(str(task) for task in tasks[:5])
    return f"{len(tasks)} tasks ({shown}{', ...' if len(tasks) > 5 else ''})"
