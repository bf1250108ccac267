"""What each event of the chain changes in the market's tables, and what its loss to a reorg changes back."""

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from chain.calls import Head
from chain.codec import Event
from market import events
from market.context import Context
from market.jobs.ending import close, look_whether_finished, refuse, tell_voided
from market.jobs.models import Job, JobState, Span, SpanState
from market.jobs.transactions import forget_transaction, note_transaction
from market.leases.models import Lease, LeaseState, Receipt, ReceiptState, Result
from market.leases.service import end_lease, reopen
from market.programs.models import Program
from market.sessions.models import Device
from market.sessions.service import refresh_device
from market.settlement.build import drop_receipt, take_back
from market.settlement.models import Epoch, EpochLeaf, EpochState, LeafState, Verdict
from market.settlement.settle import note_attested
from market.settlement.trees import head_to_json
from protocol.encoding import to_hex

log = structlog.get_logger(__name__)

Args = dict[str, Any]
Handler = Callable[[Context, Session, Args], None]

RIGHT = 1
VAULT_EVENTS = ("Bound", "Staked", "Bonded", "UnstakeRequested", "Unstaked", "GameOpened", "GameClosed", "Convicted")


def apply(context: Context, session: Session, new: Sequence[Event], removed: Sequence[Event]) -> set[str]:
    """Takes back removed events (newest first), applies new ones (in order); the jobs that changed."""
    for event in removed:
        log.warning("event_removed", name=event.name, block=event.block_number)
        forget_transaction(session, event)
        _run(UNDO, context, session, event)
    for event in new:
        note_transaction(session, event)
        _run(DO, context, session, event)
    _refresh_devices(context, session, [*new, *removed])
    touched: set[str] = session.info.get("touched", set())
    return touched


def _run(table: dict[tuple[str, str], Handler], context: Context, session: Session, event: Event) -> None:
    handler = table.get((event.contract, event.name))
    if handler is not None:
        handler(context, session, event.args)
        session.flush()


def _refresh_devices(context: Context, session: Session, seen: Sequence[Event]) -> None:
    named = {e.args["device"] for e in seen if e.contract == "StakeVault" and e.name in VAULT_EVENTS}
    for address in session.scalars(select(Device.address).where(Device.address.in_(named))).all():
        refresh_device(context, session, address)


# --- jobs


def _job(session: Session, args: Args) -> Job | None:
    return session.get(Job, to_hex(args["jobId"]))


def _job_opened(context: Context, session: Session, args: Args) -> None:
    job = _job(session, args)
    if job is None:
        return
    job.fee_ppm = args["feePpm"]
    if args["settler"] != context.settler.address:
        refuse(context, session, job, f"opened by another settler, {args['settler']}")
        return
    job.state, job.error, job.over_at = JobState.OPEN, None, None
    events.record(session, job.job_id, "job.opened", feePpm=job.fee_ppm)


def _job_unopened(_: Context, session: Session, args: Args) -> None:
    job = _job(session, args)
    if job is not None:
        job.state = JobState.OPENING


def _job_debited(_: Context, session: Session, args: Args) -> None:
    job = _job(session, args)
    if job is not None:
        job.postings = max(job.postings, args["period"] + 1)
        job.period = max(job.period, job.postings)


def _job_undebited(_: Context, session: Session, args: Args) -> None:
    job = _job(session, args)
    if job is not None:
        job.postings = min(job.postings, args["period"])


def _job_closing(_: Context, session: Session, args: Args) -> None:
    job = _job(session, args)
    if job is not None:
        job.state = JobState.CLOSING
        events.record(session, job.job_id, "job.closing", closesAt=args["closesAt"])


def _job_closed(context: Context, session: Session, args: Args) -> None:
    job = _job(session, args)
    if job is None:
        return
    for lease in session.scalars(select(Lease).where(Lease.job_id == job.job_id, Lease.state == LeaseState.LIVE)):
        end_lease(session, lease, LeaseState.VOID)
    query = select(Receipt).where(Receipt.job_id == job.job_id, Receipt.state == ReceiptState.ACCEPTED)
    for receipt in session.scalars(query):
        drop_receipt(session, receipt, "dropped")
    close(context, session, job, args["refunded"])


def _job_reopened(_: Context, session: Session, args: Args) -> None:
    job = _job(session, args)
    if job is not None:
        job.state, job.refunded, job.over_at = JobState.OPEN, None, None


# --- epochs and leaves


def _epoch(session: Session, epoch_id: int) -> Epoch | None:
    return session.scalars(select(Epoch).where(Epoch.epoch_id == epoch_id)).one_or_none()


def _leaf(session: Session, args: Args, key: str, column: Any) -> tuple[EpochLeaf, Receipt] | None:
    query = (
        select(EpochLeaf, Receipt)
        .join(Epoch, Epoch.id == EpochLeaf.epoch)
        .join(Receipt, Receipt.id == EpochLeaf.receipt_id)
        .where(Epoch.epoch_id == args["epochId"], column == to_hex(args[key]))
    )
    row = session.execute(query).first()
    return None if row is None else (row[0], row[1])


def _set_spans(session: Session, receipt: Receipt, old: SpanState, new: SpanState) -> None:
    """Moves a receipt's spans on, as far as a later lease has not taken them."""
    leases = select(Lease.lease_id).where(Lease.receipt_id == receipt.id)
    session.execute(
        update(Span)
        .where(Span.job_id == receipt.job_id, Span.span.in_(receipt.spans))
        .where(Span.lease_id.in_(leases), Span.state == old)
        .values(state=new)
    )


def _leaves(session: Session, epoch: Epoch) -> Sequence[tuple[EpochLeaf, Receipt]]:
    query = (
        select(EpochLeaf, Receipt).join(Receipt, Receipt.id == EpochLeaf.receipt_id).where(EpochLeaf.epoch == epoch.id)
    )
    return session.execute(query).all()


def _posted(context: Context, session: Session, args: Args) -> None:
    head = Head.of(args["head"])
    if args["settler"] != context.settler.address:
        return
    query = select(Epoch).where(Epoch.data_id == to_hex(head.data_id), Epoch.epoch_id.is_(None)).order_by(Epoch.id)
    epoch = session.scalars(query).first()
    if epoch is None:
        log.error("epoch_unknown", epoch=args["epochId"], data=to_hex(head.data_id))
        return
    epoch.epoch_id, epoch.head, epoch.state = args["epochId"], head_to_json(head), EpochState.POSTED
    for leaf, receipt in _leaves(session, epoch):
        receipt.state = ReceiptState.COMMITTED
        _set_spans(session, receipt, SpanState.ACCEPTED, SpanState.COMMITTED)
        events.record_spans(
            session, leaf.job_id, SpanState.COMMITTED, receipt.spans, epoch=epoch.epoch_id, device=leaf.device
        )


def _unposted(_: Context, session: Session, args: Args) -> None:
    epoch = _epoch(session, args["epochId"])
    if epoch is None:
        return
    epoch.epoch_id, epoch.head, epoch.seed, epoch.state = None, None, None, EpochState.POSTING
    for leaf, receipt in _leaves(session, epoch):
        leaf.seats, leaf.attested, leaf.claim_ident = None, False, None
        receipt.state = ReceiptState.POSTING
        _set_spans(session, receipt, SpanState.COMMITTED, SpanState.ACCEPTED)
        _tell_again(session, leaf, receipt, SpanState.ACCEPTED)


def _tell_again(session: Session, leaf: EpochLeaf, receipt: Receipt, state: SpanState) -> None:
    """A reorganisation put the leaf's spans back into an earlier state."""
    events.record_spans(session, leaf.job_id, state, receipt.spans, device=leaf.device, reorganised=True)


def _claimed(context: Context, session: Session, args: Args) -> None:
    found = _leaf(session, args, "receiptDigest", EpochLeaf.digest)
    if found is None:
        return
    leaf, receipt = found
    money = args["money"]
    leaf.state, receipt.state = LeafState.CLAIMED, ReceiptState.CLAIMED
    leaf.fee, leaf.deduction, leaf.surcharge = money["fee"], money["deduction"], money["surcharge"]
    leaf.paid, leaf.bonded = money["paid"], money["bonded"]
    _set_spans(session, receipt, SpanState.COMMITTED, SpanState.FINAL)
    data = {"epoch": args["epochId"], "device": leaf.device, "amount": str(money["amount"])}
    events.record_spans(session, leaf.job_id, SpanState.FINAL, receipt.spans, **data)
    look_whether_finished(context, session, session.get_one(Job, leaf.job_id))


def _unclaimed(_: Context, session: Session, args: Args) -> None:
    found = _leaf(session, args, "receiptDigest", EpochLeaf.digest)
    if found is not None:
        found[0].state, found[1].state = LeafState.COMMITTED, ReceiptState.COMMITTED
        _set_spans(session, found[1], SpanState.FINAL, SpanState.COMMITTED)
        _tell_again(session, *found, SpanState.COMMITTED)


def _leaf_voided(context: Context, session: Session, args: Args) -> None:
    found = _leaf(session, args, "receiptDigest", EpochLeaf.digest)
    if found is None:
        return
    leaf, receipt = found
    leaf.state, receipt.state = LeafState.VOIDED, ReceiptState.VOIDED
    job = session.get_one(Job, leaf.job_id)
    if job.state == JobState.CLOSED:
        _set_spans(session, receipt, SpanState.COMMITTED, SpanState.VOIDED)
    else:
        reopen(session, receipt)
    tell_voided(context, session, job, args["epochId"], leaf.device, leaf.digest, receipt.spans)


def _leaf_unvoided(_: Context, session: Session, args: Args) -> None:
    found = _leaf(session, args, "receiptDigest", EpochLeaf.digest)
    if found is not None:
        found[0].state, found[1].state = LeafState.COMMITTED, ReceiptState.COMMITTED
        for state in (SpanState.OPEN, SpanState.VOIDED):
            _set_spans(session, found[1], state, SpanState.COMMITTED)
        _tell_again(session, *found, SpanState.COMMITTED)


def _epoch_voided(_: Context, session: Session, args: Args) -> None:
    epoch = _epoch(session, args["epochId"])
    if epoch is not None:
        take_back(session, epoch, EpochState.VOID)


def _returned(context: Context, session: Session, args: Args) -> None:
    epoch = _epoch(session, args["epochId"])
    if epoch is None:
        return
    for leaf, receipt in _leaves(session, epoch):
        if leaf.job_id != to_hex(args["jobId"]) or leaf.state != LeafState.COMMITTED:
            continue
        leaf.state = LeafState.RETURNED
        if receipt.post_by > context.now():
            receipt.state = ReceiptState.ACCEPTED
            _set_spans(session, receipt, SpanState.COMMITTED, SpanState.ACCEPTED)
            events.record_spans(session, leaf.job_id, SpanState.ACCEPTED, receipt.spans, device=leaf.device)
        else:
            drop_receipt(session, receipt, "returned")


def _finished(_: Context, session: Session, args: Args) -> None:
    epoch = _epoch(session, args["epochId"])
    if epoch is not None:
        epoch.state = EpochState.FINISHED


def _unfinished(_: Context, session: Session, args: Args) -> None:
    epoch = _epoch(session, args["epochId"])
    if epoch is not None:
        epoch.state = EpochState.POSTED


# --- attestations


def _seeded(_: Context, session: Session, args: Args) -> None:
    epoch = _epoch(session, args["epochId"])
    if epoch is not None:
        epoch.seed, epoch.state = to_hex(args["seed"]), EpochState.SEEDED


def _unseeded(_: Context, session: Session, args: Args) -> None:
    epoch = _epoch(session, args["epochId"])
    if epoch is None:
        return
    epoch.seed, epoch.state = None, EpochState.POSTED
    for leaf, receipt in _leaves(session, epoch):
        leaf.seats, leaf.drawn, leaf.attested = None, None, False
        session.execute(update(Result).where(Result.receipt_id == receipt.id).values(drawn=None))


def _revealed(_: Context, session: Session, args: Args) -> None:
    if _epoch(session, args["epochId"]) is not None:
        digests = [to_hex(digest) for digest in args["digests"]]
        packed = f"0x{args['verdicts']:064x}"
        row = Verdict(epoch_id=args["epochId"], verifier=args["verifier"], packed=packed, digests=digests)
        session.merge(row)


def _unrevealed(_: Context, session: Session, args: Args) -> None:
    key = Verdict.epoch_id == args["epochId"], Verdict.verifier == args["verifier"]
    session.execute(delete(Verdict).where(*key))
    epoch = _epoch(session, args["epochId"])
    for leaf, _receipt in _leaves(session, epoch) if epoch else ():
        if leaf.redraws == 0:
            leaf.attested = False


def _redraw(session: Session, args: Args, *, rounds: int | None, is_open: bool, attested: bool) -> None:
    found = _leaf(session, args, "leafHash", EpochLeaf.leaf_hash)
    if found is not None:
        leaf = found[0]
        leaf.redraws = leaf.redraws if rounds is None else rounds
        leaf.redraw_open = is_open
        if attested:
            note_attested(session, args["epochId"], leaf)
        else:
            leaf.attested = False


def _redraw_opened(_: Context, session: Session, args: Args) -> None:
    _redraw(session, args, rounds=args["round"], is_open=True, attested=False)


def _redraw_unopened(_: Context, session: Session, args: Args) -> None:
    _redraw(session, args, rounds=args["round"] - 1, is_open=False, attested=False)


def _redraw_settled(_: Context, session: Session, args: Args) -> None:
    _redraw(session, args, rounds=None, is_open=False, attested=args["outcome"] == RIGHT)


def _redraw_unsettled(_: Context, session: Session, args: Args) -> None:
    _redraw(session, args, rounds=None, is_open=True, attested=False)


# --- devices and programs


def _convicted(_: Context, session: Session, args: Args) -> None:
    device = session.get(Device, args["device"], with_for_update=True)
    if device is None:
        return
    device.convicted = True
    leases = select(Lease).where(Lease.device == device.address, Lease.state == LeaseState.LIVE)
    for lease in session.scalars(leases):
        end_lease(session, lease, LeaseState.VOID)
    receipts = select(Receipt).where(Receipt.device == device.address, Receipt.state == ReceiptState.ACCEPTED)
    for receipt in session.scalars(receipts.with_for_update()):
        drop_receipt(session, receipt, "dropped")
    jobs = select(Receipt.job_id).where(Receipt.device == device.address).distinct()
    for job_id in session.scalars(jobs).all():
        events.record(session, job_id, "device.convicted", device=device.address)


def _registered(_: Context, session: Session, args: Args) -> None:
    row = session.get(Program, to_hex(args["programId"]))
    if row is not None:
        row.state = "registered"


def _attested(_: Context, session: Session, args: Args) -> None:
    row = session.get(Program, to_hex(args["programId"]))
    if row is not None:
        row.attested = row.attested or bool(args["complete"])


DO: dict[tuple[str, str], Handler] = {
    ("JobEscrow", "JobOpened"): _job_opened,
    ("JobEscrow", "JobDebited"): _job_debited,
    ("JobEscrow", "JobClosing"): _job_closing,
    ("JobEscrow", "JobClosed"): _job_closed,
    ("EpochLedger", "Posted"): _posted,
    ("EpochLedger", "Claimed"): _claimed,
    ("EpochLedger", "LeafVoided"): _leaf_voided,
    ("EpochLedger", "EpochVoided"): _epoch_voided,
    ("EpochLedger", "Returned"): _returned,
    ("EpochLedger", "EpochFinished"): _finished,
    ("Attestations", "Seeded"): _seeded,
    ("Attestations", "Revealed"): _revealed,
    ("Attestations", "RedrawOpened"): _redraw_opened,
    ("Attestations", "RedrawSettled"): _redraw_settled,
    ("StakeVault", "Convicted"): _convicted,
    ("ProgramRegistry", "Registered"): _registered,
    ("ProgramRegistry", "ProgramAttested"): _attested,
}
"""What an event does."""

UNDO: dict[tuple[str, str], Handler] = {
    ("JobEscrow", "JobOpened"): _job_unopened,
    ("JobEscrow", "JobDebited"): _job_undebited,
    ("JobEscrow", "JobClosing"): _job_reopened,
    ("JobEscrow", "JobClosed"): _job_reopened,
    ("EpochLedger", "Posted"): _unposted,
    ("EpochLedger", "Claimed"): _unclaimed,
    ("EpochLedger", "LeafVoided"): _leaf_unvoided,
    ("EpochLedger", "EpochFinished"): _unfinished,
    ("Attestations", "Seeded"): _unseeded,
    ("Attestations", "Revealed"): _unrevealed,
    ("Attestations", "RedrawOpened"): _redraw_unopened,
    ("Attestations", "RedrawSettled"): _redraw_unsettled,
}
"""What its loss to a reorg does. Convictions, void epochs and returns come back with the outbox or with the panel."""
