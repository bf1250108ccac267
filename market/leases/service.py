"""Leases: given, kept alive, given back, run out."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from market import events
from market.context import Context
from market.jobs.models import Job, Span, SpanState
from market.leases.models import Lease, LeaseState, Receipt, ReceiptState, Result
from market.leases.standing import device_standing, job_standing
from market.matching.policy import JobStanding, device_refusal, job_refusal, lease_size, reserve_of
from market.offers.models import Match, Offer
from market.offers.service import live_count, touch
from market.problems import Problem, not_found
from market.programs.models import Program
from market.sessions.models import Device
from market.sessions.service import device_row
from market.wake import LEASES, job_topic
from protocol import messages
from protocol.encoding import to_hex
from protocol.errors import SpansInvalid
from protocol.spans import SpanSet


@dataclass(frozen=True)
class Grant:
    """A lease with all that a device needs to work on it; `base` is its receipt of this period so far."""

    lease: Lease
    job: Job
    program: Program
    base: Receipt | None


def next_lease(context: Context, device: str) -> Grant | None:
    """The device's live lease, or a new one, or None while there is none for it.

    Problem 409 `no_offer`, `device_unbound`, `device_convicted`.
    """
    if not touch(context, device):
        raise Problem(409, "no_offer", "make an offer first; it holds for one session's time")
    with context.transaction() as session:
        row = device_row(session, device, lock=True)
        live = _live_lease_of(context, session, device)
        if live is not None:
            return _grant(session, live)
        reason = device_refusal(device_standing(session, row), context.policy)
        if reason in ("device_unbound", "device_convicted"):
            raise Problem(409, reason, "the device is given no lease")
        made = None if reason else _cut(context, session, row)
    if made is not None:
        context.waker.wake(job_topic(made.job.job_id))
    return made


def _cut(context: Context, session: Session, row: Device) -> Grant | None:
    """A new lease of the job that matching gave the device, where the rules allow one."""
    match = session.get(Match, row.address)
    if match is None:
        return None
    job = session.get_one(Job, match.job_id, with_for_update=True)
    device, standing = device_standing(session, row), job_standing(session, job, row.address)
    if job_refusal(device, standing, context.policy, context.now()):
        return None
    base = receipt_of(session, job, row.address)
    price = base.price if base else match.price
    if price < _asked(session, row.address):
        return None
    size = lease_size(device, standing, price, live_count(context), context.policy)
    if size < 1 or not _claimable(context, standing, base, size, device.stake, price):
        return None
    spans = _take(session, job.job_id, size)
    if not spans:
        return None
    return _grant(session, _issue(context, session, job, row.address, spans, price, standing))


def _claimable(context: Context, job: JobStanding, base: Receipt | None, spans: int, stake: int, price: int) -> bool:
    """False where a receipt over one lease more might have more replayed than the ledger lets anybody claim."""
    most = context.policy.max_replay_wu
    if most is None:
        return True
    wu = spans * job.span_tasks * job.task_limit_wu
    total = wu + (base.total_wu if base else 0)
    worst_task_wei = job.task_limit_wu * price // 10**9 + 1
    rate = 1_000_000 if stake == 0 else min(1_000_000, 40_000_000 * worst_task_wei // (9 * stake) + 1)
    return total * max(rate, job.rate_floor_ppm) // 1_000_000 <= most


def _issue(
    context: Context, session: Session, job: Job, device: str, spans: list[int], price: int, standing: JobStanding
) -> Lease:
    job.last_lease_id += 1
    life = context.clock("lease")
    expiry = int(context.now()) + life * context.settings.lease_renewals
    lease = Lease(
        job_id=job.job_id,
        lease_id=job.last_lease_id,
        device=device,
        spans=spans,
        price=price,
        period=job.period,
        expiry=expiry,
        post_by=expiry + context.clock("post_by_after_expiry"),
        reserve=reserve_of(standing, len(spans), price),
        state=LeaseState.LIVE,
        signature="",
        issued_at=context.moment(),
        expires_at=context.moment(life),
    )
    lease.signature = to_hex(lease.message.sign(context.domain, context.settler.key))
    session.add(lease)
    session.execute(
        update(Span)
        .where(Span.job_id == job.job_id, Span.span.in_(spans))
        .values(state=SpanState.LEASED, lease_id=lease.lease_id)
    )
    events.record_spans(session, job.job_id, SpanState.LEASED, spans, device=device, lease=lease.lease_id)
    session.flush()
    return lease


def _take(session: Session, job_id: str, size: int) -> list[int]:
    query = select(Span.span).where(Span.job_id == job_id, Span.state == SpanState.OPEN)
    return list(session.scalars(query.order_by(Span.span).limit(size).with_for_update()))


def _asked(session: Session, device: str) -> int:
    offer = session.get(Offer, device)
    return offer.min_price if offer else 0


def _live_lease_of(context: Context, session: Session, device: str) -> Lease | None:
    query = select(Lease).where(Lease.device == device, Lease.state == LeaseState.LIVE)
    return next((lease for lease in session.scalars(query) if lease.expires_at > context.moment()), None)


def _grant(session: Session, lease: Lease) -> Grant:
    job = session.get_one(Job, lease.job_id)
    return Grant(lease, job, session.get_one(Program, job.program_id), receipt_of(session, job, lease.device))


def receipt_of(session: Session, job: Job, device: str) -> Receipt | None:
    """The device's receipt that the next lease of this job and period adds to."""
    query = select(Receipt).where(
        Receipt.job_id == job.job_id,
        Receipt.device == device,
        Receipt.period == job.period,
        Receipt.state == ReceiptState.ACCEPTED,
    )
    return session.scalars(query).one_or_none()


# --- what a device says of its lease


def lease_of(session: Session, job_id: str, lease_id: int, device: str) -> Lease:
    """The device's lease, locked after the device itself. Problem 404 where it has no such lease."""
    device_row(session, device, lock=True)
    lease = session.get(Lease, (job_id, lease_id), with_for_update=True)
    if lease is None or lease.device != device:
        raise not_found("lease of this device")
    return lease


def check_live(session: Session, lease: Lease, now: datetime) -> None:
    """Problem 409 `device_convicted`, `lease_fenced` (the spans went to a later lease) or `lease_expired`."""
    if session.get_one(Device, lease.device).convicted:
        raise Problem(409, "device_convicted", "a convicted device's work is not accepted")
    query = select(Span.lease_id).where(Span.job_id == lease.job_id, Span.span.in_(lease.spans))
    holders = set(session.scalars(query))
    if any(holder is not None and holder > lease.lease_id for holder in holders):
        raise Problem(409, "lease_fenced", "the spans were given to a later lease")
    if lease.state == LeaseState.DONE:
        raise Problem(409, "lease_fenced", "the lease was delivered already")
    if lease.state != LeaseState.LIVE or lease.expires_at <= now:
        raise Problem(409, "lease_expired", "the lease is over")


def heartbeat(context: Context, device: str, job_id: str, lease_id: int) -> None:
    """Keeps a lease alive for one more lease time, up to its signed expiry."""
    with context.transaction() as session:
        lease = lease_of(session, job_id, lease_id, device)
        check_live(session, lease, context.moment())
        end = min(context.now() + context.clock("lease"), float(lease.expiry))
        lease.expires_at = context.moment(end - context.now())
    touch(context, device)


def release(context: Context, device: str, job_id: str, lease_id: int) -> None:
    """Gives a lease back; nothing to do where it is over."""
    with context.transaction() as session:
        lease = lease_of(session, job_id, lease_id, device)
        if lease.state == LeaseState.LIVE:
            end_lease(session, lease, LeaseState.RELEASED)
    context.waker.wake(LEASES, job_topic(job_id))


def end_lease(session: Session, lease: Lease, state: LeaseState) -> None:
    """Ends a live lease without delivery: its spans are open again."""
    lease.state = state
    session.execute(
        update(Span)
        .where(Span.job_id == lease.job_id, Span.lease_id == lease.lease_id, Span.state == SpanState.LEASED)
        .values(state=SpanState.OPEN)
    )
    events.record_spans(session, lease.job_id, SpanState.OPEN, lease.spans, device=lease.device, reason=str(state))


def expire_leases(context: Context) -> int:
    """Ends every lease whose time is over; how many."""
    with context.transaction() as session:
        query = (
            select(Lease)
            .where(Lease.state == LeaseState.LIVE, Lease.expires_at <= context.moment())
            .with_for_update(skip_locked=True)
        )
        leases = list(session.scalars(query))
        for lease in leases:
            end_lease(session, lease, LeaseState.EXPIRED)
    if leases:
        context.waker.wake(LEASES, *{job_topic(lease.job_id) for lease in leases})
    return len(leases)


def reopen(session: Session, receipt: Receipt) -> None:
    """Opens the spans of a receipt whose work is lost, unless a later lease has them already; forgets the results."""
    leases = select(Lease.lease_id).where(Lease.receipt_id == receipt.id)
    session.execute(
        update(Span)
        .where(Span.job_id == receipt.job_id, Span.span.in_(receipt.spans), Span.lease_id.in_(leases))
        .values(state=SpanState.OPEN)
    )
    session.execute(delete(Result).where(Result.receipt_id == receipt.id))


def tasks_of(bid: messages.Bid, spans: list[int]) -> tuple[int, ...]:
    """The tasks of some spans, rising. Problem 422 where the job has no such span."""
    try:
        return SpanSet.of(spans).tasks(bid.task_count, bid.span_tasks)
    except SpansInvalid as error:
        raise Problem(422, "receipt_invalid", error.reason) from None
