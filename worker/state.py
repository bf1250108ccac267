"""The device as a pure state machine: events in, instructions out; clock and randomness are passed in.

```
IDLE --lease--> CHECKING --ready--> RUNNING --results--> SUBMITTING --accepted or refused--> IDLE
                    |                   |                                 any ----> STOPPED
                    +--- refused, expired, failed: back to IDLE without a receipt
```

In every phase at most one step is outstanding (`worker.moves`); sessions are opened on the way to the next step.
"""

from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from random import Random
from typing import Any, ClassVar

from worker import moves
from worker.book import Book, Holding
from worker.errors import IllegalTransition, LeaseRefused
from worker.facts import (
    Convicted,
    Fact,
    LeaseSettled,
    LeaseTaken,
    NetworkPinned,
    Outcome,
    PeriodMoved,
    ResultsRecorded,
)
from worker.grants import Grant, Terms, check_grant
from worker.moves import Event, Instruction

BACKOFF_BASE_S = 0.5
BACKOFF_MAX_S = 15.0
SESSION_MARGIN_S = 60.0
POLL_INTERVAL_MIN_S = 0.25
PAUSE_POLL_S = 1.0
STORY_LENGTH = 50


class Phase(StrEnum):
    """Where the device stands with its lease."""

    IDLE = "idle"
    CHECKING = "checking"
    RUNNING = "running"
    SUBMITTING = "submitting"
    STOPPED = "stopped"


TRANSITIONS: frozenset[tuple[Phase, Phase]] = frozenset(
    {
        (Phase.IDLE, Phase.CHECKING),
        (Phase.CHECKING, Phase.RUNNING),
        (Phase.RUNNING, Phase.SUBMITTING),
        (Phase.CHECKING, Phase.IDLE),
        (Phase.RUNNING, Phase.IDLE),
        (Phase.SUBMITTING, Phase.IDLE),
        (Phase.IDLE, Phase.STOPPED),
        (Phase.CHECKING, Phase.STOPPED),
        (Phase.RUNNING, Phase.STOPPED),
        (Phase.SUBMITTING, Phase.STOPPED),
    }
)
"""Every legal change of phase."""

_TROUBLE: tuple[type[moves.Answer], ...] = (moves.SessionLost, moves.Unreachable)
ANSWERS: dict[type[moves.Step], tuple[type[moves.Answer], ...]] = {
    moves.OpenSession: (moves.SessionOpened, *_TROUBLE),
    moves.Poll: (moves.NoLease, moves.LeaseGiven, moves.Paused, *_TROUBLE),
    moves.Prepare: (moves.WorkReady, moves.WorkRefused, *_TROUBLE),
    moves.Execute: (moves.ResultsComputed, moves.DeviceFailed),
    moves.Submit: (moves.Accepted, moves.PeriodClosed, moves.ResultsRefused, *_TROUBLE),
    moves.Wait: (moves.Waited,),
}
"""Every legal answer to a step."""


class Device:
    """The machine. `handle` is all that moves it; `book` is what survives a crash."""

    def __init__(self, terms: Terms, rng: Random, facts: Sequence[Fact] = ()) -> None:
        """Resumes from the journal's facts. JournalCorrupt if they contradict each other."""
        self.terms = terms
        self.book = Book(facts)
        self.phase = self._resumed_phase()
        self._rng = rng
        self._renew_at = 0.0
        self._step: moves.Step | None = None
        self._tickets = 0
        self._failures = 0
        self._polled_at = float("-inf")
        self._stopping = False
        self._now = 0.0
        self._story: deque[str] = deque(maxlen=STORY_LENGTH)

    def _resumed_phase(self) -> Phase:
        holding = self.book.working_on
        if holding is None:
            return Phase.IDLE
        return Phase.SUBMITTING if holding.results else Phase.CHECKING

    @property
    def story(self) -> tuple[str, ...]:
        """What happened last, oldest first."""
        return tuple(self._story)

    def start(self, now: float) -> list[Instruction]:
        """The first instructions."""
        self._now = now
        self._tell(f"started {self.phase} with {len(self.book.holdings)} leases known")
        if self.book.convicted:
            return self._stop("this device was convicted")
        return self._next()

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """The instructions that an event leads to, Records first. `now` is in Unix seconds.

        Raises IllegalTransition, with the story, for an answer that its step does not have.
        """
        self._now = now
        self._tell(f"{event!r:.160}")
        if self.phase is Phase.STOPPED:
            return []
        if isinstance(event, moves.Answer):
            if self._step is None or event.ticket != self._step.ticket:
                return []
            self._check_answer(self._step, event)
            self._step = None
        return self._handlers[type(event)](self, event)

    def _check_answer(self, step: moves.Step, event: moves.Answer) -> None:
        if not isinstance(event, ANSWERS[type(step)]):
            raise IllegalTransition(self._tale(f"{type(event).__name__} does not answer {type(step).__name__}"))

    # --- sessions and polling

    def _on_session_opened(self, event: moves.SessionOpened) -> list[Instruction]:
        known = self.book.network
        if known is not None and (known.domain, known.settler) != (event.network.domain, event.network.settler):
            return self._stop(f"the market is on {event.network.domain}, this journal belongs to {known.domain}")
        lifetime_s = event.expires_at - self._now
        if lifetime_s <= 0:
            return self._on_unreachable(moves.Unreachable(event.ticket, "the session is over: is the clock right?"))
        self._renew_at = event.expires_at - min(SESSION_MARGIN_S, lifetime_s / 4)
        facts = [] if known == event.network else [NetworkPinned(event.network)]
        return [*self._record(*facts), *self._next()]

    def _on_session_lost(self, _event: moves.SessionLost) -> list[Instruction]:
        self._renew_at = 0.0
        self._failures += 1
        return self._next() if self._failures == 1 else self._backoff()

    def _on_unreachable(self, event: moves.Unreachable) -> list[Instruction]:
        self._renew_at = 0.0
        self._failures += 1
        if self._stopping:
            return self._stop("asked to, with the market out of reach")
        return self._backoff(event.retry_after_s)

    def _on_waited(self, _event: moves.Waited) -> list[Instruction]:
        return self._next()

    def _on_paused(self, _event: moves.Paused) -> list[Instruction]:
        return [self._wait(PAUSE_POLL_S)]

    def _on_no_lease(self, _event: moves.NoLease) -> list[Instruction]:
        self._failures = 0
        early = self._polled_at + POLL_INTERVAL_MIN_S - self._now
        return [self._wait(early)] if early > 0 else self._next()

    # --- a lease

    def _on_lease_given(self, event: moves.LeaseGiven) -> list[Instruction]:
        return self._take(event.grant)

    def _take(self, grant: Grant) -> list[Instruction]:
        """Begins on a lease that the market gave, where it may be taken."""
        self._tell(f"lease {grant.key} of {len(grant.lease.spans)} spans in period {grant.period}")
        network = self.book.network
        assert network is not None, "a lease comes after a session"
        try:
            check_grant(grant, network, self.terms, self._now)
            settled = self.book.reconcile(grant, self._now)
        except LeaseRefused as error:
            self._failures += 1
            return [moves.Release(grant.key, error.reason), *self._backoff()]
        facts = self._record(*settled, LeaseTaken(grant))
        self._enter(Phase.CHECKING)
        return [*facts, *self._next()]

    def _on_work_ready(self, event: moves.WorkReady) -> list[Instruction]:
        self._enter(Phase.RUNNING)
        return [self._ask(moves.Execute(self._ticket(), event.work))]

    def _on_work_refused(self, event: moves.WorkRefused) -> list[Instruction]:
        self._failures += 1
        return self._give_back(event.reason)

    def _on_results(self, event: moves.ResultsComputed) -> list[Instruction]:
        key = self._holding.grant.key
        reason = self._misfit(event) or self.book.conflict(key, event.results)
        if reason is not None:
            self._failures += 1
            return [moves.Forget(event.outputs), *self._give_back(reason)]
        facts = self._record(ResultsRecorded(key, event.results, event.outputs))
        self._enter(Phase.SUBMITTING)
        return [*facts, *self._next()]

    def _misfit(self, event: moves.ResultsComputed) -> str | None:
        grant = self._holding.grant
        if tuple(result.task_index for result in event.results) != grant.tasks:
            return "results of other tasks than the lease's"
        if any(result.wu > grant.bid.task_limit_wu for result in event.results):
            return "a result above the task limit"
        return None

    def _on_device_failed(self, event: moves.DeviceFailed) -> list[Instruction]:
        self._failures += 1
        return self._give_back(event.reason)

    def _on_heartbeat_refused(self, event: moves.HeartbeatRefused) -> list[Instruction]:
        holding = self.book.working_on
        working = holding is not None and holding.grant.key == event.key
        if not working or self.phase not in (Phase.CHECKING, Phase.RUNNING):
            return []
        return [*self._settle(Outcome.DROPPED), moves.Abort(event.key), *self._next()]

    # --- a receipt

    def _on_accepted(self, event: moves.Accepted) -> list[Instruction]:
        self._failures = 0
        outputs = self._holding.outputs
        settled = [*self._settle(Outcome.ACCEPTED), moves.Forget(outputs)]
        if event.grant is None:
            return [*settled, *self._next()]
        if self._stopping:
            return [*settled, moves.Release(event.grant.key, "the device is stopping"), *self._next()]
        return [*settled, *self._take(event.grant)]

    def _on_period_closed(self, event: moves.PeriodClosed) -> list[Instruction]:
        holding, key = self._holding, self._holding.grant.key
        if event.period <= holding.period:
            return self._refused(f"its period {holding.period} cannot become {event.period}")
        return [*self._record(PeriodMoved(key, event.period)), *self._next()]

    def _on_results_refused(self, event: moves.ResultsRefused) -> list[Instruction]:
        return self._refused(f"{event.code}: {event.reason}")

    def _refused(self, reason: str) -> list[Instruction]:
        """The lease ends without the market's word that it has the receipt; the next receipt base tells."""
        self._failures += 1
        outputs = self._holding.outputs
        self._tell(f"not accepted: {reason}")
        return [*self._settle(Outcome.UNKNOWN), moves.Forget(outputs), *self._backoff()]

    # --- ends

    def _on_convicted(self, _event: moves.DeviceConvicted) -> list[Instruction]:
        aborts = [moves.Abort(self.book.current)] if self.book.current else []
        return [*self._record(Convicted()), *aborts, *self._stop("this device was convicted")]

    def _on_shutdown(self, _event: moves.ShutdownAsked) -> list[Instruction]:
        again, self._stopping = self._stopping, True
        match self.phase:
            case Phase.IDLE:
                return self._stop("asked to")
            case Phase.CHECKING | Phase.RUNNING if again or self.phase is Phase.CHECKING:
                return self._give_back("the device is stopping")
            case Phase.SUBMITTING if again or self._failures:
                return self._stop("asked to; the receipt is in the journal")
            case _:
                return []

    def _stop(self, reason: str) -> list[Instruction]:
        self._enter(Phase.STOPPED)
        self._step = None
        return [moves.Stop(reason)]

    def _give_back(self, reason: str) -> list[Instruction]:
        """Ends the current lease without a receipt."""
        key = self._holding.grant.key
        self._tell(f"gave {key} back: {reason}")
        following: list[Instruction] = [moves.Abort(key), moves.Release(key, reason)]
        return [*self._settle(Outcome.DROPPED), *following, *(self._backoff() if self._failures else self._next())]

    # --- steps

    def _next(self) -> list[Instruction]:
        """The step that the phase wants, by way of a session."""
        if self.phase is Phase.IDLE and self._stopping:
            return self._stop("asked to")
        overdue = self._overdue()
        if overdue is not None:
            return self._give_up(overdue)
        if self._renew_at <= self._now:
            return [self._ask(moves.OpenSession(self._ticket()))]
        match self.phase:
            case Phase.CHECKING:
                return [self._ask(moves.Prepare(self._ticket(), self._holding.grant))]
            case Phase.SUBMITTING:
                return [self._ask(self._submission())]
            case _:
                self._polled_at = self._now
                return [self._ask(moves.Poll(self._ticket()))]

    def _overdue(self) -> str | None:
        holding = self.book.working_on
        if holding is None:
            return None
        if self.phase is Phase.CHECKING and holding.grant.lease.expiry <= self._now:
            return "it expired"
        if self.phase is Phase.SUBMITTING and self.book.receipt_of(holding.grant.key).post_by <= self._now:
            return "its postBy has passed"
        return None

    def _give_up(self, reason: str) -> list[Instruction]:
        """INVARIANT: no receipt is signed after its postBy, and nothing is begun on an expired lease."""
        holding = self._holding
        self._tell(f"gave {holding.grant.key} up: {reason}")
        kept = [moves.Forget(holding.outputs)] if holding.results else []
        outcome = Outcome.UNKNOWN if holding.signed else Outcome.DROPPED
        return [*self._settle(outcome), *kept, moves.Abort(holding.grant.key), *self._next()]

    def _submission(self) -> moves.Submit:
        holding, key = self._holding, self._holding.grant.key
        receipt = self.book.receipt_of(key)
        return moves.Submit(self._ticket(), key, receipt, holding.results, holding.outputs, not self._stopping)

    def _backoff(self, at_least_s: float = 0.0) -> list[Instruction]:
        """A wait that doubles with each failure in a row, with jitter."""
        if self._stopping and self.phase is Phase.IDLE:
            return self._stop("asked to")
        ceiling = min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2 ** min(self._failures - 1, 16))
        return [self._wait(max(at_least_s, ceiling * self._rng.uniform(0.5, 1.0)))]

    def _wait(self, seconds: float) -> moves.Step:
        return self._ask(moves.Wait(self._ticket(), seconds))

    def _ask(self, step: moves.Step) -> moves.Step:
        self._step = step
        return step

    def _ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    # --- inside

    @property
    def _holding(self) -> Holding:
        holding = self.book.working_on
        if holding is None:
            raise IllegalTransition(self._tale(f"no lease in phase {self.phase}"))
        return holding

    def _settle(self, outcome: Outcome) -> list[Instruction]:
        facts = self._record(LeaseSettled(self._holding.grant.key, outcome))
        self._enter(Phase.IDLE)
        return facts

    def _record(self, *facts: Fact) -> list[Instruction]:
        for fact in facts:
            self.book.apply(fact)
        return [moves.Record(fact) for fact in facts]

    def _enter(self, phase: Phase) -> None:
        if (self.phase, phase) not in TRANSITIONS:
            raise IllegalTransition(self._tale(f"{self.phase} to {phase}"))
        self._tell(f"{self.phase} -> {phase}")
        self.phase = phase

    def _tell(self, line: str) -> None:
        self._story.append(f"{self._now:.3f} {line}")

    def _tale(self, what: str) -> str:
        return "\n  ".join([what, *self._story])

    _handlers: ClassVar[dict[type, Callable[["Device", Any], list[Instruction]]]] = {
        moves.SessionOpened: _on_session_opened,
        moves.SessionLost: _on_session_lost,
        moves.Unreachable: _on_unreachable,
        moves.Waited: _on_waited,
        moves.Paused: _on_paused,
        moves.NoLease: _on_no_lease,
        moves.LeaseGiven: _on_lease_given,
        moves.WorkReady: _on_work_ready,
        moves.WorkRefused: _on_work_refused,
        moves.ResultsComputed: _on_results,
        moves.DeviceFailed: _on_device_failed,
        moves.Accepted: _on_accepted,
        moves.PeriodClosed: _on_period_closed,
        moves.ResultsRefused: _on_results_refused,
        moves.HeartbeatRefused: _on_heartbeat_refused,
        moves.DeviceConvicted: _on_convicted,
        moves.ShutdownAsked: _on_shutdown,
    }
