"""The matching tick: offers and open jobs out of SQL, assignments back into it."""

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from market.context import Context
from market.jobs.models import Job, JobState
from market.leases.standing import device_standing, job_standing, open_spans
from market.matching.match import Ask, Assignment, OpenBid, match
from market.matching.policy import device_refusal, job_refusal
from market.offers.models import Match, Offer
from market.offers.service import live_seconds
from market.programs.models import Program
from market.sessions.models import Device
from market.wake import LEASES

MOST_JOBS = 200
"""Oldest open jobs that one tick looks at."""


def tick(context: Context) -> list[Assignment]:
    """Matches live devices to open jobs and stores what came out; wakes pollers where it changed."""
    with context.transaction() as session:
        jobs = _open_jobs(session)
        asks = _asks(context, session, jobs)
        made = match(asks, _bids(session, jobs))
        changed = _store(session, made)
    if changed:
        context.waker.wake(LEASES)
    return made


def _open_jobs(session: Session) -> list[Job]:
    return list(session.scalars(select(Job).where(Job.state == JobState.OPEN).order_by(Job.seq).limit(MOST_JOBS)))


def _bids(session: Session, jobs: list[Job]) -> list[OpenBid]:
    bids = []
    for job in jobs:
        bid, program = job.bid, session.get_one(Program, job.program_id)
        left = open_spans(session, job.job_id)
        if left:
            bids.append(
                OpenBid(
                    job_id=job.job_id,
                    program_id=job.program_id,
                    max_price=bid.max_price_wei_per_gwu,
                    since=float(job.seq),
                    open_spans=left,
                    memory_pages=program.memory_pages,
                    attested=program.attested,
                )
            )
    return bids


def _asks(context: Context, session: Session, jobs: list[Job]) -> list[Ask]:
    query = (
        select(Offer, Device)
        .join(Device, Device.address == Offer.device)
        .where(Offer.polled_at > context.moment(-live_seconds(context)), Offer.valid_until > context.moment())
    )
    asks, bids = [], {job.job_id: job.bid for job in jobs}
    for offer, row in session.execute(query):
        device = device_standing(session, row)
        if device_refusal(device, context.policy) is not None:
            continue
        standings = [job_standing(session, job, bids[job.job_id], device.address) for job in jobs]
        refused = frozenset(job.job_id for job in standings if job_refusal(device, job, context.policy, context.now()))
        programs = None if offer.programs is None else frozenset(offer.programs)
        asks.append(
            Ask(
                device=offer.device,
                price=offer.min_price,
                since=offer.made_at.timestamp(),
                programs=programs,
                memory_pages=offer.memory_pages,
                refused=refused,
                attested_only=offer.attested_only,
            )
        )
    return asks


def _store(session: Session, made: list[Assignment]) -> bool:
    old = {row.device: (row.job_id, row.price) for row in session.scalars(select(Match))}
    new = {a.device: (a.job_id, a.price) for a in made}
    if old == new:
        return False
    gone = set(old) - set(new)
    if gone:
        session.execute(delete(Match).where(Match.device.in_(gone)))
    for device, (job_id, price) in new.items():
        values = {"job_id": job_id, "price": price}
        statement = insert(Match).values(device=device, **values)
        session.execute(statement.on_conflict_do_update(index_elements=["device"], set_=values))
    return True
