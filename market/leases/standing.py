"""What SQL knows of devices and jobs, in the form that the rules of leasing ask for: one statement for each.

Leasing asks this for every lease, so its statements are plain SQL: SQLAlchemy needs twice as long to put one together.
"""

from typing import Any

from sqlalchemy import Row, Select, or_, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from market.jobs.models import Job, JobState, SpanState
from market.leases.models import UNFINAL, LeaseState, Receipt, ReceiptState
from market.matching.policy import DeviceStanding, JobStanding
from market.sessions.models import Device
from market.settlement.models import Epoch, EpochLeaf, EpochState, LeafState
from protocol.messages import Bid

_UNFINAL = [str(state) for state in UNFINAL]
OF_DEVICE = """
    (select coalesce(sum(amount), 0) from receipts where device = :device and state = any(:unfinal)) as unfinal,
    exists (
        select from receipts
        left join epoch_leaves on epoch_leaves.receipt_id = receipts.id
        left join epochs on epochs.id = epoch_leaves.epoch
        where receipts.device = :device and receipts.state = any(:unfinal) and (
            receipts.state != :committed or epochs.state is null
            or epochs.state != :final or not epoch_leaves.attested
        )
    ) as unattested
"""
"""Columns about :device, with DEVICE_STATES."""
DEVICE_STATES = {"unfinal": _UNFINAL, "committed": str(ReceiptState.COMMITTED), "final": str(EpochState.FINAL)}
OPEN_OF_JOB = f"job_id = :job and state = '{SpanState.OPEN}'"
"""Written out: only so does a prepared statement find the index over open spans."""
OF_JOB = f"""
    (select count(*) from spans where {OPEN_OF_JOB}) as open_spans,
    (
        select coalesce(sum(cardinality(spans)), 0) from leases
        where device = :device and state = :live and job_id = :job and period = :period
    ) + (
        select coalesce(sum(cardinality(spans)), 0) from receipts
        where job_id = :job and device = :device and period = :period and state != :dropped
    ) as held,
    (select coalesce(sum(reserve), 0) from leases where job_id = :job and state = :live)
    + (select coalesce(sum(debit), 0) from receipts where job_id = :job and state = any(:unfinal))
    + (
        select coalesce(sum(receipts.amount + epoch_leaves.fee + epoch_leaves.surcharge), 0)
        from receipts join epoch_leaves on epoch_leaves.receipt_id = receipts.id
        where receipts.job_id = :job and epoch_leaves.state = :claimed
    ) as reserved
"""  # noqa: S608 - constants of this package
"""Columns about :job and :device in a :period, with JOB_STATES. `reserved` is what the job's budget is bound to, wei:
leases at their limit, debits, and what was spent."""
JOB_STATES = {
    "live": str(LeaseState.LIVE),
    "unfinal": _UNFINAL,
    "dropped": str(ReceiptState.DROPPED),
    "claimed": str(LeafState.CLAIMED),
}
_DEVICE = text(f"select {OF_DEVICE}").bindparams(**DEVICE_STATES)
_JOB = text(f"select {OF_JOB}").bindparams(**JOB_STATES)
_OPEN_SPANS = text(f"select count(*) from spans where {OPEN_OF_JOB}")  # noqa: S608 - constants of this package


def device_standing(session: Session, row: Device) -> DeviceStanding:
    """A device as leasing sees it."""
    return standing_of_device(row, session.execute(_DEVICE, {"device": row.address}).one())


def standing_of_device(row: Device | Row[Any], found: Row[Any]) -> DeviceStanding:
    """A device's row and the columns OF_DEVICE."""
    return DeviceStanding(
        address=row.address,
        bound=row.owner is not None,
        convicted=row.convicted,
        stake=int(row.stake),
        unfinal=int(found.unfinal),
        unattested=found.unattested,
        lease_spans=row.lease_spans,
        open_games=row.open_games,
    )


def job_standing(session: Session, job: Job, bid: Bid, device: str) -> JobStanding:
    """A job, with its bid, as leasing to this device sees it."""
    values = {"job": job.job_id, "device": device, "period": job.period}
    return standing_of_job(job, bid, session.execute(_JOB, values).one())


def standing_of_job(job: Job | Row[Any], bid: Bid, found: Row[Any]) -> JobStanding:
    """A job's row, its bid and the columns OF_JOB."""
    return JobStanding(
        job_id=job.job_id,
        open=job.state == JobState.OPEN,
        spans=bid.span_count,
        open_spans=found.open_spans,
        held=found.held,
        min_stake=bid.min_stake,
        deadline=bid.deadline,
        budget=bid.budget,
        reserved=int(found.reserved),
        span_tasks=bid.span_tasks,
        task_limit_wu=bid.task_limit_wu,
        fee_ppm=job.fee_ppm,
        rate_floor_ppm=bid.rate_floor_ppm,
    )


def open_spans(session: Session, job_id: str) -> int:
    """Spans that nobody holds."""
    return int(session.scalar(_OPEN_SPANS, {"job": job_id}) or 0)


def unattested_work(device: InstrumentedAttribute[str]) -> Select[Any]:
    """Receipts of a device whose work has not come through the window of its epoch with its seats' word."""
    return (
        select(Receipt.id)
        .outerjoin(EpochLeaf, EpochLeaf.receipt_id == Receipt.id)
        .outerjoin(Epoch, Epoch.id == EpochLeaf.epoch)
        .where(Receipt.device == device, Receipt.state.in_(UNFINAL))
        .where(
            or_(
                Receipt.state != ReceiptState.COMMITTED,
                Epoch.state.is_(None),
                Epoch.state != EpochState.FINAL,
                EpochLeaf.attested.is_(False),
            )
        )
    )
