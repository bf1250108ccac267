"""Leases: given, kept alive, given back, run out.

What every lease costs is plain SQL, a statement for each step: the market's pace is what its own process spends here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select, text, update
from sqlalchemy.orm import Session

from market import events
from market.context import Context
from market.events import RECORDING
from market.jobs.models import Span, SpanState
from market.leases.models import Lease, LeaseState, Receipt, ReceiptState, Result
from market.leases.standing import (
    DEVICE_STATES,
    JOB_STATES,
    OF_DEVICE,
    OF_JOB,
    OPEN_OF_JOB,
    standing_of_device,
    standing_of_job,
)
from market.matching.policy import (
    DeviceStanding,
    JobStanding,
    device_refusal,
    job_refusal,
    lease_size,
    reserve_of,
    spans_wanted,
)
from market.offers.service import live_seconds, touch
from market.problems import Problem, not_found
from market.wake import LEASES, job_topic
from protocol import messages
from protocol.encoding import from_hex, to_hex
from protocol.errors import SpansInvalid
from protocol.messages import Bid
from protocol.spans import SpanSet

SEEN_SECONDS = 3.0
"""A poll is noted where the last one was so long ago: not every lease of a quick device writes its offer's row."""

LIVE, OPEN, LEASED = str(LeaseState.LIVE), str(SpanState.OPEN), str(SpanState.LEASED)

_DEVICE = text(
    """
    select address, owner, stake, convicted, open_games, lease_spans, min_price, polled_at, valid_until,
        matches.job_id as matched, matches.price as matched_price
    from devices left join offers on offers.device = address left join matches on matches.device = address
    where address = :device for update of devices
    """
)
_ASKED = text(
    f"""
    select standing.*, held.* from (
        select {OF_DEVICE}, (select count(*) from offers where polled_at > :since) as live_devices
    ) as standing left join lateral (
        select job_id, lease_id, device, spans, price, expiry, post_by, signature
        from leases where device = :device and state = :live and expires_at > :now
        order by issued_at limit 1
    ) as held on true
    """  # noqa: S608 - constants of this package
).bindparams(live=LIVE, **DEVICE_STATES)
"""How a device stands, and its live lease where it has one."""
HELD = """
    with holder as (select address, convicted from devices where address = :device for update), held as (
        select leases.*, convicted from holder join leases on device = address
        where job_id = :job and lease_id = :lease for update of leases
    )
"""
"""A lease of a device with `convicted` of the device, which is locked first."""
_LEASE = text(f"{HELD} select * from held")  # noqa: S608 - constants of this package
_OVERDUE = text("select * from leases where state = :live and expires_at <= :now for update skip locked").bindparams(
    live=LIVE
)
_HOLDER = text(
    """
    select max(spans.lease_id) from spans join leases on spans.job_id = leases.job_id and span = any(leases.spans)
    where leases.job_id = :job and leases.lease_id = :lease
    """
)
_KEEP = text("update leases set expires_at = :until where job_id = :job and lease_id = :lease")
_END = text(
    """
    with opened as (
        update spans set state = :open
        where job_id = :job and lease_id = :lease and state = :leased
    )
    update leases set state = :state where job_id = :job and lease_id = :lease
    """
).bindparams(open=OPEN, leased=LEASED)
_JOB = """
    select job_id, jobs.state, period, fee_ppm, last_lease_id, bid_json, signature, to_jsonb(programs) as program
    from jobs join programs on programs.program_id = jobs.program_id where job_id = :job
"""
_JOB_READ, _JOB_LOCKED = text(_JOB), text(f"{_JOB} for update of jobs")
_BASE = text(
    """
    select id, spans, count as tasks, total_wu, price from receipts
    where job_id = :job and device = :device and period = :period and state = :accepted
    """
).bindparams(accepted=str(ReceiptState.ACCEPTED))
_WANTED = text(
    f"""
    with free as (select span from spans where {OPEN_OF_JOB} order by span limit :most for update)
    select {OF_JOB}, id, spans, count as tasks, total_wu, price, array(select span from free order by span) as free
    from (values (1)) as one left join receipts on receipts.job_id = :job and receipts.device = :device
        and receipts.period = :period and receipts.state = :accepted
    """  # noqa: S608 - constants of this package
).bindparams(accepted=str(ReceiptState.ACCEPTED), **JOB_STATES)
"""How a job stands for a device, the device's receipt of the period, and the first open spans, locked."""
_ISSUE = text(
    f"""
    with numbered as (update jobs set last_lease_id = :lease where job_id = :job),
        taken as (
            update spans set state = :leased, lease_id = :lease
            where job_id = :job and span = any(:spans)
        ),
        told as ({RECORDING})
    insert into leases (job_id, lease_id, device, spans, price, period, expiry, post_by, signature, state, reserve,
        issued_at, expires_at)
    values (:job, :lease, :device, :spans, :price, :period, :expiry, :post_by, :signature, :live,
        :reserve, :issued_at, :expires_at)
    """  # noqa: S608 - constants of this package
).bindparams(live=LIVE, leased=LEASED)


@dataclass(frozen=True)
class Grant:
    """A lease with all that a device needs to work on it.

    `job` is its row with `program`, the program's columns; `base` is the device's receipt of this period so far; `new`
    says that the lease was made just now.
    """

    lease: messages.Lease
    signature: str
    job: Row[Any]
    bid: Bid
    base: Row[Any] | None
    new: bool = False


@dataclass(frozen=True)
class NoGrant:
    """No lease now. `short` is the job whose budget is all that is missing, while leases under way bind it."""

    short: str | None = None


def next_lease(context: Context, device: str) -> Grant | NoGrant:
    """The device's live lease, or a new one, or why there is none for it now.

    Whoever calls wakes those who follow the job of a new one.

    Problem 409 `no_offer`, `device_unbound`, `device_convicted`.
    """
    with context.transaction() as session:
        row = session.execute(_DEVICE, {"device": device}).one_or_none()
        if row is None or row.valid_until is None or row.valid_until <= context.moment():
            raise Problem(409, "no_offer", "make an offer first; it holds for one session's time")
        if row.polled_at is None or row.polled_at < context.moment(-SEEN_SECONDS):
            touch(context, session, device)
        # INVARIANT: what a lease rests on is read after the device's lock, by a statement of its own.
        asked = {"device": device, "now": context.moment(), "since": context.moment(-live_seconds(context))}
        found = session.execute(_ASKED, asked).one()
        if found.lease_id is not None:
            return _grant_again(session, found)
        standing = standing_of_device(row, found)
        reason = device_refusal(standing, context.policy)
        if reason is None:
            return NoGrant() if row.matched is None else _cut(context, session, row, standing, found.live_devices)
    if reason in ("device_unbound", "device_convicted"):
        raise Problem(409, reason, "the device is given no lease")
    return NoGrant()


def _cut(
    context: Context, session: Session, row: Row[Any], device: DeviceStanding, live_devices: int
) -> Grant | NoGrant:
    """A new lease of the job that matching gave the device, where the rules allow one."""
    job = session.execute(_JOB_LOCKED, {"job": row.matched}).one()
    bid = Bid.from_json(job.bid_json)
    # INVARIANT: spans and budget are read after the job's lock, by a statement of its own: no two leases share them.
    most = spans_wanted(device, context.policy)
    wanted = {"job": job.job_id, "device": row.address, "period": job.period, "most": most}
    found = session.execute(_WANTED, wanted).one()
    standing = standing_of_job(job, bid, found)
    if job_refusal(device, standing, context.policy, context.now()):
        return NoGrant()
    base = None if found.id is None else found
    price = int(base.price if base else row.matched_price)
    if price < row.min_price or not found.free:
        return NoGrant()
    size = lease_size(device, standing, price, live_devices, context.policy)
    if size < 1:
        return NoGrant(short=job.job_id)
    if not _claimable(context, standing, base, size, device.stake, price):
        return NoGrant()
    spans = found.free[:size]
    lease, signature = _issue(context, session, job, bid, row.address, spans, price, standing)
    return Grant(lease, signature, job, bid, base, new=True)


def _claimable(context: Context, job: JobStanding, base: Row[Any] | None, spans: int, stake: int, price: int) -> bool:
    """False where a receipt over one lease more might have more replayed than the ledger lets anybody claim."""
    most = context.policy.max_replay_wu
    if most is None:
        return True
    wu = spans * job.span_tasks * job.task_limit_wu
    total = wu + (int(base.total_wu) if base else 0)
    worst_task_wei = job.task_limit_wu * price // 10**9 + 1
    rate = 1_000_000 if stake == 0 else min(1_000_000, 40_000_000 * worst_task_wei // (9 * stake) + 1)
    return total * max(rate, job.rate_floor_ppm) // 1_000_000 <= most


def _issue(
    context: Context,
    session: Session,
    job: Row[Any],
    bid: Bid,
    device: str,
    spans: list[int],
    price: int,
    standing: JobStanding,
) -> tuple[messages.Lease, str]:
    """A lease over these spans, in the database and signed."""
    life, now = context.clock("lease"), context.moment()
    expiry = int(context.now()) + life * context.settings.lease_renewals
    lease = messages.Lease(
        job_id=from_hex(job.job_id, 32),
        lease_id=job.last_lease_id + 1,
        spans=tuple(spans),
        device=device,
        price_wei_per_gwu=price,
        expiry=expiry,
        post_by=expiry + context.clock("post_by_after_expiry"),
    )
    signature = to_hex(lease.sign(context.domain, context.settler.key))
    values = {
        "job": job.job_id,
        "lease": lease.lease_id,
        "device": device,
        "spans": spans,
        "price": price,
        "period": job.period,
        "expiry": expiry,
        "post_by": lease.post_by,
        "signature": signature,
        "reserve": reserve_of(standing, len(spans), price),
        "issued_at": now,
        "expires_at": now + timedelta(seconds=life),
        "kind": f"span.{SpanState.LEASED}",
        "data": events.data_of(tasks=events.ranges_of(bid, spans), device=device, lease=lease.lease_id),
    }
    session.execute(_ISSUE, values)
    return lease, signature


def _grant_again(session: Session, found: Row[Any]) -> Grant:
    """The lease that the device has already."""
    job = session.execute(_JOB_READ, {"job": found.job_id}).one()
    lease = messages.Lease(
        job_id=from_hex(found.job_id, 32),
        lease_id=found.lease_id,
        spans=tuple(found.spans),
        device=found.device,
        price_wei_per_gwu=int(found.price),
        expiry=found.expiry,
        post_by=found.post_by,
    )
    base = receipt_of(session, job, found.device)
    return Grant(lease, found.signature, job, Bid.from_json(job.bid_json), base)


def receipt_of(session: Session, job: Row[Any], device: str) -> Row[Any] | None:
    """The device's receipt that the next lease of this job and period adds to."""
    wanted = {"job": job.job_id, "device": device, "period": job.period}
    return session.execute(_BASE, wanted).one_or_none()


# --- what a device says of its lease


def lease_of(session: Session, job_id: str, lease_id: int, device: str) -> Row[Any]:
    """The device's lease as HELD has it; Problem 404 where it has no such lease."""
    lease = session.execute(_LEASE, {"job": job_id, "lease": lease_id, "device": device}).one_or_none()
    if lease is None:
        raise not_found("lease of this device")
    return lease


def check_live(lease: Row[Any], holder: int | None, now: datetime) -> None:
    """Problem 409 `device_convicted`, `lease_fenced` (the spans went to a later lease) or `lease_expired`."""
    if lease.convicted:
        raise Problem(409, "device_convicted", "a convicted device's work is not accepted")
    if holder is not None and holder > lease.lease_id:
        raise Problem(409, "lease_fenced", "the spans were given to a later lease")
    if lease.state == LeaseState.DONE:
        raise Problem(409, "lease_fenced", "the lease was delivered already")
    if lease.state != LeaseState.LIVE or lease.expires_at <= now:
        raise Problem(409, "lease_expired", "the lease is over")


def heartbeat(context: Context, device: str, job_id: str, lease_id: int) -> None:
    """Keeps a lease alive for one more lease time, up to its signed expiry."""
    with context.transaction() as session:
        lease = lease_of(session, job_id, lease_id, device)
        holder = session.scalar(_HOLDER, {"job": job_id, "lease": lease_id})
        check_live(lease, holder, context.moment())
        end = min(context.now() + context.clock("lease"), float(lease.expiry))
        until = context.moment(end - context.now())
        session.execute(_KEEP, {"job": job_id, "lease": lease_id, "until": until})
        touch(context, session, device)


def release(context: Context, device: str, job_id: str, lease_id: int) -> None:
    """Gives a lease back; nothing to do where it is over."""
    with context.transaction() as session:
        lease = lease_of(session, job_id, lease_id, device)
        if lease.state == LeaseState.LIVE:
            end_lease(session, lease, LeaseState.RELEASED)
    context.waker.wake(LEASES, job_topic(job_id))


def end_lease(session: Session, lease: Lease | Row[Any], state: LeaseState) -> None:
    """Ends a live lease without delivery: its spans are open again."""
    session.execute(_END, {"job": lease.job_id, "lease": lease.lease_id, "state": str(state)})
    events.record_spans(session, lease.job_id, SpanState.OPEN, lease.spans, device=lease.device, reason=str(state))


def expire_leases(context: Context) -> int:
    """Ends every lease whose time is over; how many."""
    with context.transaction() as session:
        leases = session.execute(_OVERDUE, {"now": context.moment()}).all()
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
