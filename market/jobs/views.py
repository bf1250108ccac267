"""What a buyer reads of a job: its progress, its results with their outputs, its itemised receipt."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from market.blobs.store import BlobMissing
from market.context import Context
from market.jobs.models import Job, Span, SpanState
from market.jobs.transactions import transactions_of
from market.leases.models import Lease, Receipt, Result
from market.leases.service import tasks_of
from market.settlement.models import Epoch, EpochLeaf, EpochState, LeafState
from protocol.encoding import to_hex
from protocol.errors import OutputBlobInvalid
from protocol.output_blob import decode_outputs

PAGE_OUTPUT_BYTES = 8 << 20
"""Outputs of one page of results, unless the first alone is larger."""
LOOKED_AT_MOST = 20_000
"""Tasks that one page with a wanted state looks at."""


class TaskView(NamedTuple):
    """A task with its result, where it has one; `output` is 0x-hex, None while it is not there.

    `attested`: all who were asked found its leaf right. `replayed`: it was drawn, and attested.
    """

    task: int
    state: str
    attested: bool = False
    drawn: bool | None = None
    replayed: bool = False
    output: str | None = None
    wu: int | None = None
    status: int | None = None
    device: str | None = None
    epoch: int | None = None


class Page(NamedTuple):
    """Some tasks in order, and the task to look on from; None at the end."""

    tasks: list[TaskView]
    next: int | None


class Item(NamedTuple):
    """One leaf of a job's bill; wei. `state` is committed, claimed, voided or returned.

    `post_tx` posted it, `claim_tx` claimed or voided it: 0x-hex, None while the chain has not said.
    """

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
    post_tx: str | None
    claim_tx: str | None


class _Facts(NamedTuple):
    """What SQL says of a run of tasks: states by span, results by task, leases and leaves by id."""

    spans: dict[int, str]
    results: dict[int, Result]
    leases: dict[int, Lease]
    leaves: dict[int, "_Leaf"]


class _Leaf(NamedTuple):
    epoch_id: int | None
    attested: bool


def results_page(context: Context, job: Job, start: int, limit: int, wanted: str | None = None) -> Page:
    """Tasks from `start` on, in order, at most `limit`, of one state where one is wanted.

    A page ends early where outputs get too large or too many tasks were looked at.
    """
    found: list[TaskView] = []
    at, count, size = start, job.bid.task_count, 0
    while at < count and len(found) < limit and at - start < LOOKED_AT_MOST:
        facts = _facts(context, job, range(at, min(at + limit, count)))
        chosen: dict[int, Result | None] = {}
        for task in range(at, min(at + limit, count)):
            view = _view(job, task, facts)
            row = facts.results.get(task) if view.wu is not None else None
            matches = wanted is None or view.state == wanted
            size += row.output_length if row is not None and matches else 0
            full = len(found) + len(chosen) == limit or (size > PAGE_OUTPUT_BYTES and bool(found or chosen))
            if matches and full:
                return Page([*found, *_with_outputs(context, job, facts, chosen)], task)
            if matches:
                chosen[task] = row
        found += _with_outputs(context, job, facts, chosen)
        at = min(at + limit, count)
    return Page(found, at if at < count else None)


def _facts(context: Context, job: Job, tasks: range) -> _Facts:
    size = job.bid.span_tasks
    with context.sessions() as session:
        query = select(Span.span, Span.state).where(
            Span.job_id == job.job_id, Span.span.between(tasks[0] // size, tasks[-1] // size)
        )
        spans = dict(session.execute(query).all())
        rows = session.scalars(
            select(Result).where(Result.job_id == job.job_id, Result.task.between(tasks[0], tasks[-1]))
        )
        results = {row.task: row for row in rows}
        leases = _leases(session, job, {row.lease_id for row in results.values()})
        leaves = _leaves(session, {row.receipt_id for row in results.values()})
    return _Facts(spans, results, leases, leaves)


def _with_outputs(context: Context, job: Job, facts: _Facts, chosen: dict[int, Result | None]) -> list[TaskView]:
    rows = {task: row for task, row in chosen.items() if row is not None}
    needed = {row.lease_id for row in rows.values()}
    leases = [lease for number, lease in facts.leases.items() if number in needed]
    outputs = _outputs(context, job, leases, rows)
    return [_view(job, task, facts)._replace(output=outputs.get(task)) for task in chosen]


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
    listed = transactions_of(context, job.job_id)
    posts = {row.epoch_id: row.tx_hash for row in listed if row.what == "post"}
    ends = {(row.epoch_id, row.digest): row.tx_hash for row in listed if row.digest is not None}
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
            post_tx=posts.get(epoch_id),
            claim_tx=ends.get((epoch_id, leaf.digest)),
        )
        for leaf, receipt, epoch_id in rows
    ]


def _leases(session: Session, job: Job, ids: set[int]) -> dict[int, Lease]:
    query = select(Lease).where(Lease.job_id == job.job_id, Lease.lease_id.in_(ids))
    return {lease.lease_id: lease for lease in session.scalars(query)}


def _leaves(session: Session, receipts: set[int]) -> dict[int, _Leaf]:
    query = (
        select(EpochLeaf.receipt_id, Epoch.epoch_id, EpochLeaf.attested)
        .join(Epoch, Epoch.id == EpochLeaf.epoch)
        .where(EpochLeaf.receipt_id.in_(receipts), EpochLeaf.state != LeafState.RETURNED)
        .where(Epoch.state.not_in((EpochState.VOID, EpochState.FAILED)))
        .order_by(Epoch.id)
    )
    return {receipt: _Leaf(epoch, attested) for receipt, epoch, attested in session.execute(query)}


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


def _view(job: Job, task: int, facts: _Facts) -> TaskView:
    """A task without its output."""
    state, row = facts.spans[task // job.bid.span_tasks], facts.results.get(task)
    if row is None or state in (SpanState.OPEN, SpanState.LEASED):
        return TaskView(task, state)
    leaf = facts.leaves.get(row.receipt_id)
    attested = state != SpanState.VOIDED and leaf is not None and leaf.attested
    if state == SpanState.COMMITTED and row.drawn is not None:
        state = "drawn" if row.drawn else "undrawn"
    return TaskView(
        task,
        state,
        attested=attested,
        drawn=row.drawn,
        replayed=attested and bool(row.drawn),
        wu=row.wu,
        status=row.status,
        device=facts.leases[row.lease_id].device if row.lease_id in facts.leases else None,
        epoch=None if leaf is None else leaf.epoch_id,
    )
