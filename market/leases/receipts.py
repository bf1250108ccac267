"""Accepting results: everything in a receipt is computed again before a single row changes."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from market import events
from market.blobs.store import BlobMissing
from market.blobs.uses import note_uses
from market.context import Context
from market.jobs.models import Job, JobState, Span, SpanState
from market.leases.frontier import Frontier
from market.leases.models import Lease, LeaseState, Receipt, ReceiptState, Result
from market.leases.service import check_live, lease_of, receipt_of, tasks_of
from market.matching.policy import next_size
from market.problems import Problem
from market.sessions.models import Device
from market.wake import LEASES, job_topic
from protocol import messages
from protocol.blobs import blob_id, to_canonical_json
from protocol.encoding import from_hex, to_hex
from protocol.errors import ProtocolError
from protocol.merkle import TaskResult, words_root
from protocol.messages import Bid
from protocol.money import amount_of, check_receipt, debit_of
from protocol.output_blob import decode_outputs
from protocol.spans import SpanSet


class Submission(NamedTuple):
    """What a device hands in for a lease; `outputs` is a blob id."""

    results: tuple[TaskResult, ...]
    outputs: str
    receipt: messages.Receipt
    signature: bytes

    @property
    def fingerprint(self) -> str:
        """Equal for equal submissions."""
        rows = [to_hex(result.leaf.hash) for result in self.results]
        value = [rows, self.outputs, to_hex(self.receipt.struct_hash), to_hex(self.signature)]
        return to_hex(blob_id(to_canonical_json(value)))


def invalid(reason: str) -> Problem:
    """422 `receipt_invalid` with its reason."""
    return Problem(422, "receipt_invalid", reason, reason=reason)


def accept(context: Context, device: str, job_id: str, lease_id: int, work: Submission) -> None:
    """Accepts the work of a lease. The same call again gives the same answer.

    Problem 409 `lease_expired`, `lease_fenced`, `device_convicted`, `period_closed`, `deadline_passed`;
    422 `receipt_invalid`.
    """
    bid = _check_alone(context, device, job_id, lease_id, work)
    with context.transaction() as session:
        lease = lease_of(session, job_id, lease_id, device)
        if lease.submission == work.fingerprint:
            return
        job = session.get_one(Job, job_id, with_for_update={"read": True})
        check_live(session, lease, context.moment())
        _check_time(context, job, bid)
        base = receipt_of(session, job, device)
        _check_period(job, base, work.receipt)
        frontier = _check_cumulative(session, bid, lease, base, work)
        _check_signature(context, bid, work)
        receipt = _store_receipt(context, session, job, lease, base, work)
        receipt.frontier = frontier.to_json()
        _store_results(session, lease, receipt, work.results)
        _finish_lease(context, session, lease, receipt, work)
        note_uses(session, job_id, [work.outputs])
        told = {"device": device, "lease": lease_id, "outputs": work.outputs}
        events.record_spans(session, job_id, SpanState.ACCEPTED, lease.spans, **told)
    context.waker.wake(job_topic(job_id), LEASES)


def _check_alone(context: Context, device: str, job_id: str, lease_id: int, work: Submission) -> Bid:
    """What needs no lock: results of exactly the lease's tasks, each possible, each output in the blob."""
    with context.transaction() as session:
        lease = lease_of(session, job_id, lease_id, device)
        if lease.submission != work.fingerprint:
            check_live(session, lease, context.moment())
        spans, bid = list(lease.spans), session.get_one(Job, job_id).bid
    tasks = tasks_of(bid, spans)
    if len(work.results) != len(tasks):
        raise invalid(f"{len(work.results)} results for {len(tasks)} tasks")
    for task, result in zip(tasks, work.results, strict=True):
        fault = result.fault(task, bid)
        if fault:
            raise invalid(f"task {task}: {fault}")
    _check_outputs(context, bid, work)
    return bid


def _check_outputs(context: Context, bid: Bid, work: Submission) -> None:
    try:
        outputs = decode_outputs(context.blobs.get(work.outputs), len(work.results), bid.max_output_bytes)
    except BlobMissing:
        raise invalid("the blob of outputs was not uploaded") from None
    except ProtocolError as error:
        raise invalid(error.reason) from None
    for result, output in zip(work.results, outputs, strict=True):
        if len(output) != result.output_length or words_root(output) != result.output_root:
            raise invalid(f"task {result.task_index}: the blob holds another output")


def _check_time(context: Context, job: Job, bid: Bid) -> None:
    if job.state not in (JobState.OPEN, JobState.CLOSING):
        raise Problem(409, "job_closed", f"the job is {job.state}")
    if context.now() > bid.deadline:
        raise Problem(409, "deadline_passed", "the job's deadline is past")


def _check_period(job: Job, base: Receipt | None, receipt: messages.Receipt) -> None:
    if receipt.period != job.period:
        raise Problem(
            409,
            "period_closed",
            f"the job is in period {job.period}",
            period=job.period,
            receiptBase=base_of(base),
        )


def _check_cumulative(session: Session, bid: Bid, lease: Lease, base: Receipt | None, work: Submission) -> Frontier:
    """Spans, root, sums, amount and time of the receipt over all accepted results and these; their tree's frontier."""
    receipt = work.receipt
    if to_hex(receipt.job_id) != lease.job_id or receipt.device != lease.device:
        raise invalid("the receipt is of another job or device")
    if base is not None and base.price != lease.price:
        raise invalid("one price for each job, device and period")
    spans = SpanSet.of([*(base.spans if base else ()), *lease.spans])
    if receipt.spans_hash != spans.hash or receipt.count != spans.count(bid.task_count, bid.span_tasks):
        raise invalid("the spans are not those accepted so far and those of the lease")
    frontier = _frontier(session, lease, base, work.results)
    if receipt.results_root != frontier.top.hash:
        raise invalid("resultsRoot is not that of the results accepted so far and these")
    if (receipt.total_wu, receipt.total_squared_wu) != frontier.top.sums:
        raise invalid("the sums of WU are not those of the results")
    if receipt.amount != amount_of(receipt.total_wu, lease.price):
        raise invalid("the amount is not totalWU at the lease's price")
    if receipt.post_by != min([lease.post_by, *([base.post_by] if base else [])]):
        raise invalid("postBy is not the earliest of the leases")
    return frontier


def _frontier(session: Session, lease: Lease, base: Receipt | None, results: Sequence[TaskResult]) -> Frontier:
    """The tree over all results: these added at the end where they come last, else all of them again."""
    if base is None:
        frontier = Frontier()
    elif base.frontier is not None and base.spans[-1] < lease.spans[0]:
        frontier = Frontier.from_json(base.frontier)
    else:
        frontier = Frontier()
        results = sorted([*_results_of(session, base), *results], key=lambda result: result.task_index)
    frontier.add(result.leaf for result in results)
    return frontier


def _check_signature(context: Context, bid: Bid, work: Submission) -> None:
    try:
        check_receipt(work.receipt, bid)
        work.receipt.check_signature(context.domain, work.signature, work.receipt.device)
    except ProtocolError as error:
        raise invalid(error.reason) from None


def _results_of(session: Session, base: Receipt) -> list[TaskResult]:
    query = select(Result).where(Result.receipt_id == base.id).order_by(Result.task)
    return [result_of(row) for row in session.scalars(query)]


def result_of(row: Result) -> TaskResult:
    """The result as its leaf commits to it."""
    return TaskResult(row.task, row.output_length, from_hex(row.output_root, 32), row.wu, row.status)


def _store_receipt(
    context: Context, session: Session, job: Job, lease: Lease, base: Receipt | None, work: Submission
) -> Receipt:
    message = work.receipt
    row = base or _fresh_receipt(session, job, lease.device)
    if base is None:
        row.first_accepted_at = context.moment()
        row.spans = []
    row.state = ReceiptState.ACCEPTED
    row.spans = sorted([*row.spans, *lease.spans])
    row.results_root, row.count = to_hex(message.results_root), message.count
    row.total_wu, row.total_squared_wu = message.total_wu, message.total_squared_wu
    row.amount, row.price, row.post_by = message.amount, lease.price, message.post_by
    row.signature, row.digest = to_hex(work.signature), to_hex(message.struct_hash)
    row.debit = debit_of(message.amount, job.fee_ppm, job.bid.rate_floor_ppm)
    row.accepted_at = context.moment()
    session.add(row)
    session.flush()
    return row


def _fresh_receipt(session: Session, job: Job, device: str) -> Receipt:
    """A new row, or that of a dropped receipt of the same period, which was never posted."""
    query = select(Receipt).where(Receipt.job_id == job.job_id, Receipt.device == device, Receipt.period == job.period)
    found = session.scalars(query).one_or_none()
    if found is not None and found.state != ReceiptState.DROPPED:
        raise invalid(f"the receipt of this period is {found.state}")
    return found or Receipt(job_id=job.job_id, device=device, period=job.period)


def _store_results(session: Session, lease: Lease, receipt: Receipt, results: Sequence[TaskResult]) -> None:
    rows = [
        {
            "job_id": lease.job_id,
            "task": result.task_index,
            "lease_id": lease.lease_id,
            "receipt_id": receipt.id,
            "output_length": result.output_length,
            "output_root": to_hex(result.output_root),
            "wu": result.wu,
            "status": result.status,
            "drawn": None,
        }
        for result in results
    ]
    statement = insert(Result)
    fresh = {name: statement.excluded[name] for name in rows[0] if name not in ("job_id", "task")}
    session.execute(statement.on_conflict_do_update(index_elements=["job_id", "task"], set_=fresh), rows)
    session.execute(
        update(Span)
        .where(Span.job_id == lease.job_id, Span.span.in_(lease.spans))
        .values(state=SpanState.ACCEPTED, lease_id=lease.lease_id)
    )


def _finish_lease(context: Context, session: Session, lease: Lease, receipt: Receipt, work: Submission) -> None:
    lease.state = LeaseState.DONE
    lease.receipt_id, lease.outputs, lease.submission = receipt.id, work.outputs, work.fingerprint
    lease.period = receipt.period
    seconds = (context.moment() - lease.issued_at).total_seconds()
    device = session.get_one(Device, lease.device)
    device.lease_spans = next_size(len(lease.spans), seconds, context.policy)


def base_of(receipt: Receipt | None) -> dict[str, object] | None:
    """What the market has accepted of a device's period, for the device to build on."""
    if receipt is None:
        return None
    spans = receipt.span_set
    return {
        "firstWord": spans.first_word,
        "words": [f"0x{word:064x}" for word in spans.words],
        "count": receipt.count,
        "totalWU": str(receipt.total_wu),
    }
