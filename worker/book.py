"""What a device remembers of its leases: pure, built from facts alone, and the only source of receipts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from protocol.errors import ProtocolError
from protocol.frontier import Frontier
from protocol.merkle import TaskResult
from protocol.messages import Receipt
from protocol.money import amount_of, check_receipt
from protocol.spans import SpanSet
from worker.errors import JournalCorrupt, LeaseRefused
from worker.facts import (
    Convicted,
    Fact,
    LeaseFact,
    LeaseSettled,
    LeaseTaken,
    NetworkPinned,
    Outcome,
    PeriodMoved,
    ReceiptSigned,
    ResultsRecorded,
)
from worker.grants import Grant, LeaseKey, Network


@dataclass
class Holding:
    """A lease as the book knows it; `outcome` is None while it is being worked on, `period` is where its results go."""

    grant: Grant
    period: int
    results: tuple[TaskResult, ...] = ()
    outputs: bytes = b""
    signed: Receipt | None = None
    outcome: Outcome | None = None

    @property
    def job_id(self) -> bytes:
        """The lease's job."""
        return self.grant.lease.job_id

    @property
    def spans(self) -> frozenset[int]:
        """The lease's spans."""
        return frozenset(self.grant.lease.spans)

    @property
    def total_wu(self) -> int:
        """WU of its results."""
        return sum(result.wu for result in self.results)


class Book:
    """Leases by key. `apply` takes facts in the order in which they happened, live or from the journal."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        """JournalCorrupt if the facts contradict each other."""
        self.network: Network | None = None
        self.convicted = False
        self.holdings: dict[LeaseKey, Holding] = {}
        self.current: LeaseKey | None = None
        self._grown: tuple[tuple[LeaseKey, ...], int, Frontier] = (), -1, Frontier()
        for fact in facts:
            self.apply(fact)

    # --- facts

    def apply(self, fact: Fact) -> None:
        """Takes a fact into the book; JournalCorrupt if it contradicts what is known."""
        match fact:
            case NetworkPinned(network):
                self.network = network
            case Convicted():
                self.convicted = True
            case LeaseTaken(grant):
                self._take(grant)
            case LeaseSettled(key, outcome):
                self._settle(key, outcome)
            case _:
                self._advance(fact)

    def _take(self, grant: Grant) -> None:
        if self.current is not None or grant.key in self.holdings:
            raise JournalCorrupt(f"lease {grant.key} taken twice, or beside lease {self.current}")
        self.holdings[grant.key] = Holding(grant, grant.period)
        self.current = grant.key

    def _advance(self, fact: ResultsRecorded | PeriodMoved | ReceiptSigned) -> None:
        holding = self._held(fact.key)
        match fact:
            case ResultsRecorded(_, results, outputs):
                if holding.results:
                    raise JournalCorrupt(f"lease {fact.key} has results already")
                holding.results, holding.outputs = results, outputs
            case PeriodMoved(_, period):
                if period <= holding.period:
                    raise JournalCorrupt(f"lease {fact.key} moved back to period {period}")
                holding.period, holding.signed = period, None
            case ReceiptSigned(_, receipt, _):
                # INVARIANT: one lease has one receipt in a period, and the book alone says which.
                if receipt != self.receipt_of(fact.key):
                    raise JournalCorrupt(f"the receipt signed for lease {fact.key} is not that of its results")
                holding.signed = receipt

    def _settle(self, key: LeaseKey, outcome: Outcome) -> None:
        holding = self._held(key)
        if outcome is Outcome.ACCEPTED and holding.signed is None:
            raise JournalCorrupt(f"lease {key} accepted without a receipt")
        if self.current == key:
            self.current = None
        if outcome is Outcome.DROPPED and holding.signed is None:
            del self.holdings[key]
        else:
            holding.outcome = outcome

    def _held(self, key: LeaseKey) -> Holding:
        if key not in self.holdings:
            raise JournalCorrupt(f"lease {key} was never taken")
        return self.holdings[key]

    # --- questions

    @property
    def working_on(self) -> Holding | None:
        """The lease being worked on."""
        return None if self.current is None else self.holdings[self.current]

    def accepted(self, job_id: bytes, period: int) -> list[Holding]:
        """What the market has accepted for (job, period), as far as this device was told."""
        return [
            holding for holding in self._of(job_id) if holding.period == period and holding.outcome is Outcome.ACCEPTED
        ]

    def receipt_of(self, key: LeaseKey) -> Receipt:
        """The cumulative receipt that carries this lease: over all accepted of (job, period), and over it.

        Raises JournalCorrupt if the lease has no results or no claim would accept the receipt.
        """
        holding = self._held(key)
        if not holding.results:
            raise JournalCorrupt(f"no receipt for lease {key}: it has no results")
        parts = [part for part in self.accepted(holding.job_id, holding.period) if part is not holding]
        parts.append(holding)
        lease, bid = holding.grant.lease, holding.grant.bid
        try:
            tree = self._tree(parts)
            root, (wu, squared) = tree.top
            receipt = Receipt(
                job_id=lease.job_id,
                device=lease.device,
                period=holding.period,
                spans_hash=SpanSet.of(span for part in parts for span in part.grant.lease.spans).hash,
                results_root=root,
                count=tree.count,
                total_wu=wu,
                total_squared_wu=squared,
                amount=amount_of(wu, lease.price_wei_per_gwu),
                post_by=min(part.grant.lease.post_by for part in parts),
            )
            check_receipt(receipt, bid)
        except ProtocolError as error:
            raise JournalCorrupt(f"no receipt for lease {key}: {error.reason}") from error
        return receipt

    def _tree(self, parts: Sequence[Holding]) -> Frontier:
        """The tree over the results of some leases. The last tree grows where its leases are the first of these and the
        others' tasks come after theirs: so a receipt costs what its lease brings."""
        keys = tuple(part.grant.key for part in parts)
        known, last_task, tree = self._grown
        if keys == known:
            return tree
        fresh = _by_task(parts[len(known) :])
        if keys[: len(known)] != known or not fresh or fresh[0].task_index <= last_task:
            fresh, tree = _by_task(parts), Frontier()
        tree = Frontier(tree.peaks)
        tree.add(result.leaf for result in fresh)
        if fresh:
            self._grown = keys, fresh[-1].task_index, tree
        return tree

    def conflict(self, key: LeaseKey, results: Sequence[TaskResult]) -> str | None:
        """Says how these results differ from ones that this device signed for the same task before; None if not."""
        spans = self._held(key).spans
        signed = {
            result.task_index: result
            for holding in self._of(key.job_id)
            if holding.signed is not None and holding.grant.key != key and not spans.isdisjoint(holding.spans)
            for result in holding.results
        }
        for result in results:
            if signed.get(result.task_index, result) != result:
                return f"task {result.task_index} came out differently than when it was signed before"
        return None

    def reconcile(self, grant: Grant, now: float) -> list[LeaseSettled]:
        """Facts that bring the book in line with the market's receipt base before this lease is taken.

        Raises LeaseRefused where they cannot be brought in line, or where a cumulative receipt could not carry the
        lease: signing on such a base would contradict what this device signed before.
        """
        self._check_fence(grant)
        held = self.accepted(grant.lease.job_id, grant.period)
        base = frozenset(grant.base.spans) if grant.base else frozenset()
        late = min((holding.grant.lease.post_by for holding in held), default=now + 1) <= now
        lapsed = [holding for holding in held if late and not holding.spans & base]
        kept = [holding for holding in held if holding not in lapsed]
        missing = frozenset[int]().union(*(holding.spans for holding in kept)) - base
        if missing:
            raise LeaseRefused(f"the market does not have span {min(missing)}, which it accepted")
        found = self._answered(grant, base, kept)
        self._check_base(grant, [*kept, *found], base)
        facts = [LeaseSettled(holding.grant.key, Outcome.LAPSED) for holding in lapsed]
        return facts + [LeaseSettled(holding.grant.key, Outcome.ACCEPTED) for holding in found]

    def _check_fence(self, grant: Grant) -> None:
        known = list(self._of(grant.lease.job_id))
        if any(holding.grant.lease.lease_id >= grant.lease.lease_id for holding in known):
            raise LeaseRefused(f"lease {grant.key} is not newer than the last")
        if any(holding.period > grant.period for holding in known):
            raise LeaseRefused(f"period {grant.period} of {grant.key} is over")

    def _answered(self, grant: Grant, base: frozenset[int], kept: Sequence[Holding]) -> list[Holding]:
        """Leases whose acceptance was never told, and that the base shows to have been accepted."""
        open_spans = base - frozenset[int]().union(*(holding.spans for holding in kept))
        found = []
        for holding in self._of(grant.lease.job_id):
            unknown = holding.outcome is Outcome.UNKNOWN and holding.period == grant.period
            if unknown and holding.spans <= open_spans:
                found.append(holding)
                open_spans -= holding.spans
        if open_spans:
            raise LeaseRefused(f"the market has span {min(open_spans)}, of which this journal has no results")
        return found

    def _check_base(self, grant: Grant, held: Sequence[Holding], base: frozenset[int]) -> None:
        if base & frozenset(grant.lease.spans):
            raise LeaseRefused("the lease is over spans that were accepted in this period")
        if any(holding.grant.lease.price_wei_per_gwu != grant.lease.price_wei_per_gwu for holding in held):
            raise LeaseRefused("another price than earlier in this period")
        told = (grant.base.count, grant.base.total_wu) if grant.base else (0, 0)
        if told != (sum(len(holding.results) for holding in held), sum(holding.total_wu for holding in held)):
            raise LeaseRefused("the market's count or WU of this period are not those that were signed")

    def _of(self, job_id: bytes) -> Iterator[Holding]:
        return (holding for holding in self.holdings.values() if holding.job_id == job_id)

    # --- forgetting

    def prune(self, now: float) -> None:
        """Forgets each (job, period) of which no receipt will be signed or posted any more."""
        groups: dict[tuple[bytes, int], list[LeaseKey]] = {}
        newest: dict[bytes, int] = {}
        for key, holding in self.holdings.items():
            groups.setdefault((key.job_id, holding.period), []).append(key)
            newest[key.job_id] = max(newest.get(key.job_id, 0), holding.period)
        for (job_id, period), keys in groups.items():
            late = all(self.holdings[key].grant.lease.post_by < now for key in keys)
            if self.current not in keys and (late or period < newest[job_id]):
                for key in keys:
                    del self.holdings[key]

    def keeps(self, fact: Fact) -> bool:
        """Whether the journal still needs this fact, so that replaying what is kept gives this book again."""
        if not isinstance(fact, LeaseFact):
            return True
        holding = self.holdings.get(fact.key)
        if holding is None:
            return False
        return not isinstance(fact, ReceiptSigned) or fact.receipt.period == holding.period


def _by_task(parts: Iterable[Holding]) -> list[TaskResult]:
    return sorted((result for part in parts for result in part.results), key=lambda result: result.task_index)
