"""What the state machine is told (events) and what it asks for (instructions).

A *step* is an instruction that the machine waits for: it carries a ticket, and so does its answer. An answer with
another ticket than the last step's is stale and changes nothing.
"""

from dataclasses import dataclass, field

from protocol.merkle import TaskResult
from protocol.messages import Receipt
from worker.facts import Fact
from worker.grants import Grant, LeaseKey, Network
from worker.work import Work

# --- instructions


@dataclass(frozen=True)
class Step:
    """Root of the instructions that are answered. One is outstanding at a time."""

    ticket: int


@dataclass(frozen=True)
class OpenSession(Step):
    """Learn the network, open a session, put the offer up. Answers: SessionOpened."""


@dataclass(frozen=True)
class Poll(Step):
    """Ask for a lease. Answers: NoLease, LeaseGiven, Paused."""


@dataclass(frozen=True)
class Prepare(Step):
    """Fetch and check program and inputs, with heartbeats from here on. Answers: WorkReady, WorkRefused."""

    grant: Grant


@dataclass(frozen=True)
class Execute(Step):
    """Run the prepared tasks. Answers: ResultsComputed, DeviceFailed."""

    work: Work


@dataclass(frozen=True)
class Submit(Step):
    """Sign the receipt, record it, upload the outputs and send, asking for a lease in the answer where `wants_next`.
    Answers: Accepted, PeriodClosed, ResultsRefused."""

    key: LeaseKey
    receipt: Receipt
    results: tuple[TaskResult, ...]
    outputs: bytes
    wants_next: bool = True


@dataclass(frozen=True)
class Wait(Step):
    """Let time pass. Answers: Waited."""

    seconds: float


@dataclass(frozen=True)
class Record:
    """Write a fact to the journal, before any other instruction of the same answer is carried out."""

    fact: Fact


@dataclass(frozen=True)
class Abort:
    """Stop the execution of this lease at once, and its heartbeats."""

    key: LeaseKey


@dataclass(frozen=True)
class Release:
    """Give the lease back, if the market can be reached."""

    key: LeaseKey
    reason: str


@dataclass(frozen=True)
class Forget:
    """Remove the outputs kept for sending again."""

    outputs: bytes


@dataclass(frozen=True)
class Stop:
    """End. `reason` is for the contributor."""

    reason: str


Instruction = Step | Record | Abort | Release | Forget | Stop

# --- events


@dataclass(frozen=True)
class Answer:
    """Root of the answers to steps."""

    ticket: int


@dataclass(frozen=True)
class SessionOpened(Answer):
    """A session is open until `expires_at` (Unix seconds), on that network."""

    network: Network
    expires_at: float


@dataclass(frozen=True)
class NoLease(Answer):
    """The market has nothing to do at present."""


@dataclass(frozen=True)
class Paused(Answer):
    """The contributor has paused this device."""


@dataclass(frozen=True)
class LeaseGiven(Answer):
    """The market handed out a lease; nothing of it is checked yet."""

    grant: Grant = field(repr=False)


@dataclass(frozen=True)
class WorkReady(Answer):
    """Program and inputs are there and are what the bid names."""

    work: Work = field(repr=False)


@dataclass(frozen=True)
class WorkRefused(Answer):
    """Program, manifest or inputs are not what the bid names."""

    reason: str


@dataclass(frozen=True)
class ResultsComputed(Answer):
    """The results of the lease in task order; the outputs are on disk under this blob id."""

    results: tuple[TaskResult, ...] = field(repr=False)
    outputs: bytes


@dataclass(frozen=True)
class DeviceFailed(Answer):
    """This device could not run a task. That is no result."""

    reason: str


@dataclass(frozen=True)
class Accepted(Answer):
    """The market has taken the receipt; `grant` is the lease that came with its answer, not checked yet."""

    grant: Grant | None = field(default=None, repr=False)


@dataclass(frozen=True)
class PeriodClosed(Answer):
    """The receipt's period was posted meanwhile; the market accepts this lease's results under `period`."""

    period: int


@dataclass(frozen=True)
class ResultsRefused(Answer):
    """The market does not take the receipt. `code` is its stable code."""

    code: str
    reason: str


@dataclass(frozen=True)
class SessionLost(Answer):
    """The market does not know the session any more."""


@dataclass(frozen=True)
class Unreachable(Answer):
    """No answer from the market, or one that says "later"."""

    reason: str
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class Waited(Answer):
    """The time has passed."""


@dataclass(frozen=True)
class HeartbeatRefused:
    """The lease is not this device's any more (lease_expired, lease_fenced)."""

    key: LeaseKey
    code: str


@dataclass(frozen=True)
class DeviceConvicted:
    """The market says that this device was convicted."""


@dataclass(frozen=True)
class ShutdownAsked:
    """Finish the lease, then stop; asked twice: stop now."""


Event = Answer | HeartbeatRefused | DeviceConvicted | ShutdownAsked
