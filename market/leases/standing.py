"""What SQL knows of devices and jobs, in the form that the rules of leasing ask for."""

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from market.jobs.models import Job, JobState, Span, SpanState
from market.leases.models import UNFINAL, Lease, LeaseState, Receipt, ReceiptState
from market.matching.policy import DeviceStanding, JobStanding
from market.sessions.models import Device
from market.sessions.service import unfinal_wei
from market.settlement.models import Epoch, EpochLeaf, EpochState


def device_standing(session: Session, row: Device) -> DeviceStanding:
    """A device as leasing sees it."""
    return DeviceStanding(
        address=row.address,
        bound=row.owner is not None,
        convicted=row.convicted,
        stake=row.stake,
        unfinal=unfinal_wei(session, row.address),
        unattested=_has_unattested(session, row.address),
        lease_spans=row.lease_spans,
        open_games=row.open_games,
    )


def job_standing(session: Session, job: Job, device: str) -> JobStanding:
    """A job as leasing to this device sees it."""
    bid = job.bid
    return JobStanding(
        job_id=job.job_id,
        open=job.state == JobState.OPEN,
        spans=bid.span_count,
        open_spans=open_spans(session, job.job_id),
        held=_held(session, job, device),
        min_stake=bid.min_stake,
        deadline=bid.deadline,
        budget=bid.budget,
        reserved=reserved_wei(session, job.job_id),
        span_tasks=bid.span_tasks,
        task_limit_wu=bid.task_limit_wu,
        fee_ppm=job.fee_ppm,
        rate_floor_ppm=bid.rate_floor_ppm,
    )


def open_spans(session: Session, job_id: str) -> int:
    """Spans that nobody holds."""
    query = select(func.count()).select_from(Span).where(Span.job_id == job_id, Span.state == SpanState.OPEN)
    return int(session.scalar(query) or 0)


def reserved_wei(session: Session, job_id: str) -> int:
    """What the job's budget is already bound to, in wei: leases at their limit, debits, and what was spent."""
    leased = select(func.coalesce(func.sum(Lease.reserve), 0)).where(
        Lease.job_id == job_id, Lease.state == LeaseState.LIVE
    )
    debits = select(func.coalesce(func.sum(Receipt.debit), 0)).where(
        Receipt.job_id == job_id, Receipt.state.in_(UNFINAL)
    )
    spent = select(func.coalesce(func.sum(Receipt.amount + EpochLeaf.fee + EpochLeaf.surcharge), 0)).where(
        Receipt.job_id == job_id, EpochLeaf.receipt_id == Receipt.id, EpochLeaf.state == "claimed"
    )
    return sum(int(session.scalar(query) or 0) for query in (leased, debits, spent))


def _held(session: Session, job: Job, device: str) -> int:
    query = select(func.coalesce(func.sum(func.cardinality(Lease.spans)), 0)).where(
        Lease.job_id == job.job_id,
        Lease.device == device,
        Lease.period == job.period,
        Lease.state.in_((LeaseState.LIVE, LeaseState.DONE)),
    )
    return int(session.scalar(query) or 0)


def _has_unattested(session: Session, device: str) -> bool:
    """True while accepted work has not come through the window of its epoch with its seats' word."""
    query = (
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
        .limit(1)
    )
    return session.scalar(query) is not None
