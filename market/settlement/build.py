"""Building epochs: which receipts, their trees, the data blob, and the posting in the outbox."""

from collections.abc import Iterable

import structlog
from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from chain.calls import Entry
from market import events
from market.blobs.uses import note_uses
from market.context import Context
from market.jobs.models import Job, JobState, Span, SpanState
from market.leases.models import Lease, LeaseState, Receipt, ReceiptState, Result
from market.leases.receipts import result_of
from market.leases.service import reopen
from market.sessions.models import Device
from market.settlement.gateway import Call
from market.settlement.models import Epoch, EpochEntry, EpochLeaf, EpochState
from market.wake import LEASES, job_topic
from protocol.encoding import from_hex, to_hex
from protocol.epoch_data import ENTRIES_MAX, EntryData, EpochData, LeafData, SignedLease
from protocol.merkle import receipt_leaf
from protocol.verdicts import LEAVES_MAX

log = structlog.get_logger(__name__)


def tick(context: Context) -> int | None:
    """Drops receipts that are too late, then posts an epoch if one is due; its row's id, None where none is."""
    drop_late(context)
    with context.transaction() as session:
        jobs = _postable_jobs(session)
        if not jobs or not _is_due(context, session, jobs):
            return None
        epoch = _build(context, session, jobs)
    if epoch is not None:
        context.waker.wake(LEASES, *map(job_topic, jobs))
    return epoch


def drop_late(context: Context) -> int:
    """Drops accepted receipts whose time to be posted is over and opens their spans again; how many."""
    with context.transaction() as session:
        query = select(Receipt).where(Receipt.state == ReceiptState.ACCEPTED, Receipt.post_by < context.now())
        late = list(session.scalars(query.with_for_update()))
        for receipt in late:
            drop_receipt(session, receipt, "late")
    return len(late)


def drop_receipt(session: Session, receipt: Receipt, why: str) -> None:
    """Takes back accepted work that will never be paid: its spans are open again."""
    receipt.state = ReceiptState.DROPPED
    reopen(session, receipt)
    session.execute(update(Lease).where(Lease.receipt_id == receipt.id).values(receipt_id=None, state=LeaseState.VOID))
    events.record_spans(session, receipt.job_id, SpanState.OPEN, receipt.spans, device=receipt.device, reason=why)


def _postable_jobs(session: Session) -> list[str]:
    """Jobs with receipts to post and no posting under way, those that waited longest first."""
    under_way = exists().where(
        EpochEntry.job_id == Job.job_id, EpochEntry.epoch == Epoch.id, Epoch.state == EpochState.POSTING
    )
    query = (
        select(Receipt.job_id)
        .join(Job, Job.job_id == Receipt.job_id)
        .where(
            Receipt.state == ReceiptState.ACCEPTED,
            Receipt.period <= Job.postings,
            Job.state.in_((JobState.OPEN, JobState.CLOSING)),
            ~under_way,
        )
        .order_by(Receipt.first_accepted_at)
    )
    return list(dict.fromkeys(session.scalars(query)))


def _is_due(context: Context, session: Session, jobs: list[str]) -> bool:
    """True when the interval is over since the first receipt, or no span of any of the jobs is open or leased."""
    oldest = session.scalar(
        select(Receipt.first_accepted_at)
        .where(Receipt.state == ReceiptState.ACCEPTED, Receipt.job_id.in_(jobs))
        .order_by(Receipt.first_accepted_at)
        .limit(1)
    )
    if oldest is not None and oldest <= context.moment(-context.clock("epoch_interval")):
        return True
    busy = select(Span.job_id).where(Span.job_id.in_(jobs), Span.state.in_((SpanState.OPEN, SpanState.LEASED))).limit(1)
    return session.scalar(busy) is None


def _build(context: Context, session: Session, jobs: Iterable[str]) -> int | None:
    """The epoch of these jobs: rows, blob and posting in one transaction."""
    chosen = _choose(session, jobs)
    if not chosen:
        return None
    entries = [(job, receipts, _entry_data(session, job, receipts)) for job, receipts in chosen]
    entries = _accepted_by_chain(context, entries)
    if not entries:
        return None
    data = EpochData(context.settler.address, tuple(entry for _, _, entry in entries))
    data.check(context.domain)
    data_id = context.blobs.put(data.blob)
    epoch = Epoch(data_id=data_id, state=EpochState.POSTING)
    session.add(epoch)
    session.flush()
    posted, number = [], 0
    for index, (job, receipts, entry) in enumerate(entries):
        posted.append(_store_entry(session, epoch, index, job, entry))
        number = _store_leaves(session, epoch, index, number, receipts)
        job.period = max(job.period, job.postings + 1)
        note_uses(session, job.job_id, [data_id])
    context.chain.enqueue(session, post_call(epoch, posted))
    log.info("epoch_built", epoch=epoch.id, jobs=len(entries), leaves=number, data=data_id)
    return epoch.id


Part = tuple[Job, list[Receipt], EntryData]


def _accepted_by_chain(context: Context, parts: list[Part]) -> list[Part]:
    """The parts that the ledger would take now: one job that it refuses must not hold up the others."""
    if _refusal(context, parts) is None:
        return parts
    passed = []
    for part in parts:
        reason = _refusal(context, [part])
        if reason is None:
            passed.append(part)
        else:
            log.warning("job_not_postable", job=part[0].job_id, reason=reason)
    return passed


def _refusal(context: Context, parts: list[Part]) -> str | None:
    found = [entry.posted(job.fee_ppm) for job, _, entry in parts]
    entries = tuple(Entry(part.job_id, part.subroot, part.count, part.sum) for part in found)
    return context.chain.dry_run(Call("post_epoch", "", "EpochLedger", "postEpoch", (entries, bytes(32))))


def post_call(epoch: Epoch, entries: Iterable[Entry]) -> Call:
    """The posting of an epoch, once for each row."""
    args = (tuple(entries), from_hex(epoch.data_id, 32))
    return Call("post_epoch", str(epoch.id), "EpochLedger", "postEpoch", args, attempts=3)


def _choose(session: Session, jobs: Iterable[str]) -> list[tuple[Job, list[Receipt]]]:
    """Receipts by job within an epoch's limits, sorted by device; jobs are locked so that no receipt moves."""
    chosen: list[tuple[Job, list[Receipt]]] = []
    room = LEAVES_MAX
    for job_id in list(jobs)[:ENTRIES_MAX]:
        job = session.get_one(Job, job_id, with_for_update=True)
        query = (
            select(Receipt)
            .join(Device, Device.address == Receipt.device)
            .where(Receipt.job_id == job_id, Receipt.state == ReceiptState.ACCEPTED)
            .where(Receipt.period <= job.postings, Device.convicted.is_(False))
            .order_by(Receipt.device, Receipt.period)
            .limit(room)
            .with_for_update(of=Receipt)
        )
        receipts = list(session.scalars(query))
        if receipts:
            chosen.append((job, receipts))
            room -= len(receipts)
        if room == 0:
            break
    return chosen


def _entry_data(session: Session, job: Job, receipts: Iterable[Receipt]) -> EntryData:
    leaves = tuple(_leaf_data(session, receipt) for receipt in receipts)
    return EntryData(job.bid, from_hex(job.signature), leaves)


def _leaf_data(session: Session, receipt: Receipt) -> LeafData:
    leases = session.scalars(select(Lease).where(Lease.receipt_id == receipt.id).order_by(Lease.lease_id)).all()
    results = session.scalars(select(Result).where(Result.receipt_id == receipt.id).order_by(Result.task)).all()
    return LeafData(
        receipt=receipt.message,
        signature=from_hex(receipt.signature, 65),
        spans=receipt.span_set,
        leases=tuple(SignedLease(lease.message, from_hex(lease.signature, 65)) for lease in leases),
        results=tuple(result_of(row) for row in results),
        outputs=tuple(from_hex(lease.outputs, 32) for lease in leases),
    )


def _store_entry(session: Session, epoch: Epoch, index: int, job: Job, entry: EntryData) -> Entry:
    found = entry.posted(job.fee_ppm)
    session.add(
        EpochEntry(
            epoch=epoch.id,
            entry_index=index,
            job_id=job.job_id,
            subroot=to_hex(found.subroot),
            count=found.count,
            sum=found.sum,
        )
    )
    return Entry(found.job_id, found.subroot, found.count, found.sum)


def _store_leaves(session: Session, epoch: Epoch, index: int, number: int, receipts: Iterable[Receipt]) -> int:
    for place, receipt in enumerate(receipts):
        receipt.state = ReceiptState.POSTING
        session.add(
            EpochLeaf(
                epoch=epoch.id,
                leaf_number=number,
                entry_index=index,
                leaf_index=place,
                receipt_id=receipt.id,
                job_id=receipt.job_id,
                device=receipt.device,
                leaf_hash=to_hex(receipt_leaf(receipt.message, receipt.debit).hash),
                digest=receipt.digest,
                debit=receipt.debit,
            )
        )
        number += 1
    return number


def take_back(session: Session, epoch: Epoch, state: EpochState) -> None:
    """An epoch that is not on chain (any more): its receipts may be posted again, a convicted device's are dropped."""
    epoch.state = state
    leaves = session.scalars(select(EpochLeaf).where(EpochLeaf.epoch == epoch.id)).all()
    jobs: set[str] = set()
    for leaf in leaves:
        receipt = session.get_one(Receipt, leaf.receipt_id)
        if receipt.state not in (ReceiptState.POSTING, ReceiptState.COMMITTED):
            continue
        receipt.state = ReceiptState.ACCEPTED
        jobs.add(leaf.job_id)
        if session.get_one(Device, leaf.device).convicted:
            drop_receipt(session, receipt, "dropped")
            continue
        session.execute(
            update(Span)
            .where(Span.job_id == leaf.job_id, Span.span.in_(receipt.spans), Span.state == SpanState.COMMITTED)
            .values(state=SpanState.ACCEPTED)
        )
        events.record_spans(
            session, leaf.job_id, SpanState.ACCEPTED, receipt.spans, device=leaf.device, epoch=epoch.epoch_id
        )
    for job_id in sorted(jobs):
        events.record(session, job_id, "epoch.state", epoch=epoch.epoch_id, state=str(state))
