"""Accepting results: everything in a receipt is computed again before a single row changes."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from market import events
from market.blobs.store import BlobMissing
from market.blobs.uses import KEEPING, LOCKING, USING
from market.context import Context
from market.events import RECORDING
from market.jobs.models import JobState, SpanState
from market.leases.models import LeaseState, ReceiptState, Result
from market.leases.service import HELD, check_live, tasks_of
from market.matching.policy import next_size
from market.problems import Problem, not_found
from protocol import messages
from protocol.blobs import blob_id, to_canonical_json
from protocol.encoding import from_hex, to_hex
from protocol.errors import ProtocolError
from protocol.frontier import Frontier
from protocol.merkle import TaskResult, words_root
from protocol.messages import Bid
from protocol.money import amount_of, check_receipt, debit_of
from protocol.output_blob import decode_outputs
from protocol.spans import SpanSet

_OFFERED = text(
    """
    select leases.lease_id, leases.spans, leases.state, expires_at, submission, bid_json, convicted,
        (
            select max(spans.lease_id) from spans
            where spans.job_id = leases.job_id and spans.span = any(leases.spans)
        ) as holder
    from leases join jobs on jobs.job_id = leases.job_id join devices on address = device
    where leases.job_id = :job and leases.lease_id = :lease and device = :device
    """
)
_LOCKED = text(
    f"""
    {HELD} select held.*, jobs.state as job_state, jobs.period as job_period, fee_ppm
    from held join jobs on jobs.job_id = held.job_id for share of jobs
    """  # noqa: S608 - constants of this package
)
_BASE = text(
    f"""
    select {LOCKING}, receipts.id, receipts.spans, receipts.count as tasks, total_wu, receipts.price, receipts.post_by,
        frontier,
        (
            select max(spans.lease_id) from spans
            where spans.job_id = leases.job_id and spans.span = any(leases.spans)
        ) as holder
    from leases left join receipts on receipts.job_id = leases.job_id and receipts.device = leases.device
        and receipts.period = :period and receipts.state = :accepted
    where leases.job_id = :job and leases.lease_id = :lease
    """  # noqa: S608 - constants of this package
).bindparams(accepted=str(ReceiptState.ACCEPTED))
_STORE = text(
    f"""
    with receipt as (
        insert into receipts (job_id, device, period, state, spans, results_root, count, total_wu, total_squared_wu,
            amount, price, post_by, signature, digest, debit, frontier, first_accepted_at, accepted_at)
        values (:job, :device, :period, :accepted, :spans, :root, :count, :wu, :squared, :amount,
            :price, :post_by, :signature, :digest, :debit, cast(:frontier as jsonb), :now, :now)
        on conflict (job_id, device, period) do update set
            state = excluded.state, spans = excluded.spans, results_root = excluded.results_root,
            count = excluded.count, total_wu = excluded.total_wu, total_squared_wu = excluded.total_squared_wu,
            amount = excluded.amount, price = excluded.price, post_by = excluded.post_by,
            signature = excluded.signature, digest = excluded.digest, debit = excluded.debit,
            frontier = excluded.frontier, accepted_at = excluded.accepted_at, first_accepted_at = case receipts.state
                when :dropped then excluded.first_accepted_at else receipts.first_accepted_at end
        where receipts.state in (:accepted, :dropped)
        returning id
    ), stored as (
        insert into results (job_id, task, lease_id, receipt_id, output_length, output_root, wu, status)
        select :job, task, :lease, id, length, root, wu, status
        from receipt, unnest(cast(:tasks as integer[]), cast(:lengths as bigint[]), cast(:roots as text[]),
            cast(:wus as numeric[]), cast(:statuses as integer[])) as found (task, length, root, wu, status)
        on conflict (job_id, task) do update set
            lease_id = excluded.lease_id, receipt_id = excluded.receipt_id, output_length = excluded.output_length,
            output_root = excluded.output_root, wu = excluded.wu, status = excluded.status, drawn = null
    ), accepted as (
        update spans set state = :span_state, lease_id = :lease from receipt
        where job_id = :job and span = any(:lease_spans)
    ), sized as (
        update devices set lease_spans = :next_size from receipt where address = :device and lease_spans != :next_size
    ), kept as ({KEEPING}), used as ({USING}), told as ({RECORDING})
    update leases set state = :done, receipt_id = receipt.id, outputs = :outputs,
        submission = :submission, period = :period
    from receipt where job_id = :job and lease_id = :lease
    returning receipt.id
    """  # noqa: S608 - constants of this package
).bindparams(
    accepted=str(ReceiptState.ACCEPTED),
    dropped=str(ReceiptState.DROPPED),
    span_state=str(SpanState.ACCEPTED),
    done=str(LeaseState.DONE),
)
"""All that an accepted lease changes. No row where the period's receipt is on its way to the chain, or past it: what
was written is to be rolled back then. A dropped one was never posted, and the new one takes its row."""


class Submission(NamedTuple):
    """What a device hands in for a lease; `outputs` is a blob id, `blob` its bytes where they came along."""

    results: tuple[TaskResult, ...]
    outputs: str
    receipt: messages.Receipt
    signature: bytes
    blob: bytes | None = None

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

    Whoever calls wakes those who follow the job.

    Problem 409 `lease_expired`, `lease_fenced`, `device_convicted`, `period_closed`, `deadline_passed`;
    422 `receipt_invalid`.
    """
    fingerprint = work.fingerprint
    bid = _check_alone(context, device, job_id, lease_id, work, fingerprint)
    with context.transaction() as session:
        lease = session.execute(_LOCKED, {"job": job_id, "lease": lease_id, "device": device}).one_or_none()
        if lease is None:
            raise not_found("lease of this device")
        if lease.submission == fingerprint:
            return
        # INVARIANT: what the receipt builds on is read after the device's lock, by a statement of its own.
        found = session.execute(_BASE, {"job": job_id, "lease": lease_id, "period": lease.job_period}).one()
        check_live(lease, found.holder, context.moment())
        base = None if found.id is None else found
        _check_time(context, lease.job_state, bid)
        _check_period(lease.job_period, base, work.receipt)
        frontier = _check_cumulative(session, bid, lease, base, work)
        _check_signature(context, bid, work)
        _store(context, session, bid, lease, base, frontier, work, fingerprint)
        if work.blob is not None:
            context.blobs.put_as(work.outputs, work.blob)


def _check_alone(context: Context, device: str, job_id: str, lease_id: int, work: Submission, fingerprint: str) -> Bid:
    """What needs no lock: results of exactly the lease's tasks, each possible, each output in the blob."""
    with context.reading() as connection:
        found = connection.execute(_OFFERED, {"job": job_id, "lease": lease_id, "device": device}).one_or_none()
    if found is None:
        raise not_found("lease of this device")
    if found.submission != fingerprint:
        check_live(found, found.holder, context.moment())
    bid = Bid.from_json(found.bid_json)
    tasks = tasks_of(bid, found.spans)
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
        blob = context.blobs.get(work.outputs) if work.blob is None else work.blob
        outputs = decode_outputs(blob, len(work.results), bid.max_output_bytes)
    except BlobMissing:
        raise invalid("the blob of outputs was not uploaded") from None
    except ProtocolError as error:
        raise invalid(error.reason) from None
    for result, output in zip(work.results, outputs, strict=True):
        if len(output) != result.output_length or words_root(output) != result.output_root:
            raise invalid(f"task {result.task_index}: the blob holds another output")


def _check_time(context: Context, job_state: str, bid: Bid) -> None:
    if job_state not in (JobState.OPEN, JobState.CLOSING):
        raise Problem(409, "job_closed", f"the job is {job_state}")
    if context.now() > bid.deadline:
        raise Problem(409, "deadline_passed", "the job's deadline is past")


def _check_period(period: int, base: Row[Any] | None, receipt: messages.Receipt) -> None:
    if receipt.period != period:
        raise Problem(
            409,
            "period_closed",
            f"the job is in period {period}",
            period=period,
            receiptBase=base_of(base),
        )


def _check_cumulative(session: Session, bid: Bid, lease: Row[Any], base: Row[Any] | None, work: Submission) -> Frontier:
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
    if receipt.amount != amount_of(receipt.total_wu, int(lease.price)):
        raise invalid("the amount is not totalWU at the lease's price")
    if receipt.post_by != min([lease.post_by, *([base.post_by] if base else [])]):
        raise invalid("postBy is not the earliest of the leases")
    return frontier


def _frontier(session: Session, lease: Row[Any], base: Row[Any] | None, results: Sequence[TaskResult]) -> Frontier:
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


def _results_of(session: Session, base: Row[Any]) -> list[TaskResult]:
    query = select(Result).where(Result.receipt_id == base.id).order_by(Result.task)
    return [result_of(row) for row in session.scalars(query)]


def result_of(row: Result) -> TaskResult:
    """The result as its leaf commits to it."""
    return TaskResult(row.task, row.output_length, from_hex(row.output_root, 32), row.wu, row.status)


def _store(
    context: Context,
    session: Session,
    bid: Bid,
    lease: Row[Any],
    base: Row[Any] | None,
    frontier: Frontier,
    work: Submission,
    fingerprint: str,
) -> None:
    """Puts receipt, results, spans, the end of the lease and what is told of it into SQL."""
    receipt, results, now = work.receipt, work.results, context.moment()
    seconds = (now - lease.issued_at).total_seconds()
    told = {"device": lease.device, "lease": lease.lease_id, "outputs": work.outputs}
    values = {
        "job": lease.job_id,
        "device": lease.device,
        "period": receipt.period,
        "spans": sorted([*(base.spans if base else ()), *lease.spans]),
        "root": to_hex(receipt.results_root),
        "count": receipt.count,
        "wu": receipt.total_wu,
        "squared": receipt.total_squared_wu,
        "amount": receipt.amount,
        "price": lease.price,
        "post_by": receipt.post_by,
        "signature": to_hex(work.signature),
        "digest": to_hex(receipt.struct_hash),
        "debit": debit_of(receipt.amount, lease.fee_ppm, bid.rate_floor_ppm),
        "frontier": json.dumps(frontier.to_json()),
        "now": now,
        "tasks": [result.task_index for result in results],
        "lengths": [result.output_length for result in results],
        "roots": [to_hex(result.output_root) for result in results],
        "wus": [result.wu for result in results],
        "statuses": [result.status for result in results],
        "lease": lease.lease_id,
        "lease_spans": lease.spans,
        "next_size": next_size(len(lease.spans), seconds, context.policy),
        "outputs": work.outputs,
        "blobs": [work.outputs],
        "submission": fingerprint,
        "kind": f"span.{SpanState.ACCEPTED}",
        "data": events.data_of(tasks=events.ranges_of(bid, lease.spans), **told),
    }
    if session.execute(_STORE, values).one_or_none() is None:
        raise invalid("the receipt of this period is on its way to the chain")


def base_of(receipt: Row[Any] | None) -> dict[str, object] | None:
    """What the market has accepted of a device's period, for the device to build on."""
    if receipt is None:
        return None
    spans = SpanSet.of(receipt.spans)
    return {
        "firstWord": spans.first_word,
        "words": [f"0x{word:064x}" for word in spans.words],
        "count": receipt.tasks,
        "totalWU": str(receipt.total_wu),
    }
