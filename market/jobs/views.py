"""What a buyer reads of a job: its progress, its results with their outputs, its itemised receipt."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from market.blobs.store import BlobMissing
from market.context import Context
from market.jobs.models import Job, Span, SpanState
from market.leases.models import Lease, Receipt, Result
from market.leases.service import tasks_of
from market.settlement.models import Epoch, EpochLeaf, LeafState
from protocol.encoding import to_hex
from protocol.errors import OutputBlobInvalid
from protocol.output_blob import decode_outputs


class TaskView(NamedTuple):
    """A task with its result, where it has one; `output` is 0x-hex, None while it is not there."""

    task: int
    state: str
    output: str | None
    wu: int | None
    status: int | None
    device: str | None
    epoch: int | None
    drawn: bool | None


class Item(NamedTuple):
    """One leaf of a job's bill; wei. `state` is committed, claimed, voided or returned."""

    device: str
    epoch: int | None
    state: str
    tasks: int
    wu: int
    amount: int
    fee: int
    deduction: int
    surcharge: int
    paid: int
    bonded: int


def results_page(context: Context, job: Job, start: int, limit: int) -> list[TaskView]:
    """Tasks from `start` on, in order, at most `limit`."""
    bid = job.bid
    tasks = range(start, min(start + limit, bid.task_count))
    if not tasks:
        return []
    first, last = tasks[0] // bid.span_tasks, tasks[-1] // bid.span_tasks
    with context.sessions() as session:
        query = select(Span.span, Span.state).where(Span.job_id == job.job_id, Span.span.between(first, last))
        spans = dict(session.execute(query).all())
        rows = session.scalars(
            select(Result).where(Result.job_id == job.job_id, Result.task.between(tasks[0], tasks[-1]))
        )
        results = {row.task: row for row in rows}
        leases = _leases(session, job, {row.lease_id for row in results.values()})
        epochs = _epochs(session, {row.receipt_id for row in results.values()})
    outputs = _outputs(context, job, leases.values(), results)
    return [
        _view(task, spans[task // bid.span_tasks], results.get(task), leases, epochs, outputs.get(task))
        for task in tasks
    ]


def bill(context: Context, job: Job) -> list[Item]:
    """Every leaf that was posted for a job, in the order of its epochs."""
    query = (
        select(EpochLeaf, Receipt, Epoch.epoch_id)
        .join(Receipt, Receipt.id == EpochLeaf.receipt_id)
        .join(Epoch, Epoch.id == EpochLeaf.epoch)
        .where(EpochLeaf.job_id == job.job_id)
        .order_by(EpochLeaf.epoch, EpochLeaf.leaf_number)
    )
    with context.sessions() as session:
        rows = session.execute(query).all()
    return [
        Item(
            device=leaf.device,
            epoch=epoch_id,
            state=leaf.state,
            tasks=receipt.count,
            wu=receipt.total_wu,
            amount=receipt.amount,
            fee=leaf.fee or 0,
            deduction=leaf.deduction or 0,
            surcharge=leaf.surcharge or 0,
            paid=leaf.paid or 0,
            bonded=leaf.bonded or 0,
        )
        for leaf, receipt, epoch_id in rows
    ]


def _leases(session: Session, job: Job, ids: set[int]) -> dict[int, Lease]:
    query = select(Lease).where(Lease.job_id == job.job_id, Lease.lease_id.in_(ids))
    return {lease.lease_id: lease for lease in session.scalars(query)}


def _epochs(session: Session, receipts: set[int]) -> dict[int, int | None]:
    query = (
        select(EpochLeaf.receipt_id, Epoch.epoch_id)
        .join(Epoch, Epoch.id == EpochLeaf.epoch)
        .where(EpochLeaf.receipt_id.in_(receipts), EpochLeaf.state != LeafState.RETURNED)
        .order_by(Epoch.id)
    )
    return dict(session.execute(query).all())


def _outputs(context: Context, job: Job, leases: Iterable[Lease], results: dict[int, Result]) -> dict[int, str]:
    """Outputs by task, of the leases' blobs; a blob that is gone leaves its tasks out."""
    bid, found = job.bid, {}
    for lease in leases:
        tasks = tasks_of(bid, list(lease.spans))
        try:
            blob = context.blobs.get(lease.outputs or "")
            outputs = decode_outputs(blob, len(tasks), bid.max_output_bytes)
        except (BlobMissing, OutputBlobInvalid):
            continue
        for task, output in zip(tasks, outputs, strict=True):
            if task in results and results[task].lease_id == lease.lease_id:
                found[task] = to_hex(output)
    return found


def _view(
    task: int,
    state: str,
    row: Result | None,
    leases: dict[int, Lease],
    epochs: dict[int, int | None],
    output: str | None,
) -> TaskView:
    if row is None or state in (SpanState.OPEN, SpanState.LEASED):
        return TaskView(task, state, None, None, None, None, None, None)
    if state == SpanState.COMMITTED and row.drawn is not None:
        state = "drawn" if row.drawn else "undrawn"
    device = leases[row.lease_id].device if row.lease_id in leases else None
    return TaskView(task, state, output, row.wu, row.status, device, epochs.get(row.receipt_id), row.drawn)
