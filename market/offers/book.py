"""The order book in public: what live devices ask and what open jobs still want, by price. Aggregates, never names.

`totals` is what the market has accepted and settled so far. Sums and counts only: nobody's offer can be told from them
unless it is the only one at its price.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from market.context import Context
from market.jobs.models import Job, JobState, Span, SpanState
from market.leases.models import Lease, LeaseState, Receipt, ReceiptState
from market.offers.models import Offer
from market.offers.service import live_seconds
from market.sessions.models import Device

MOST_JOBS = 200
"""Oldest open jobs whose demand is shown: those that matching looks at."""

MOST_LEVELS = 100
"""Price levels shown of each side: the cheapest asks, the best bids."""

WORDS = {
    ReceiptState.ACCEPTED: "accepted",
    ReceiptState.POSTING: "accepted",
    ReceiptState.COMMITTED: "committed",
    ReceiptState.CLAIMED: "final",
    ReceiptState.VOIDED: "voided",
    ReceiptState.DROPPED: "voided",
}
"""States of receipts in the words of tasks."""


class Offered(NamedTuple):
    """A live device that may be given leases: its ask in wei per GWU, ns per WU where it told them."""

    price: int
    ns_per_wu: float | None


class Wanted(NamedTuple):
    """An open job: the most it pays in wei per GWU, its free tasks, and their WU at the limit."""

    price: int
    tasks: int
    most_wu: int


class AskLevel(NamedTuple):
    """Devices that ask this price; `wu_per_second` is of those that told their speed, the others are `unmeasured`."""

    price: int
    devices: int
    wu_per_second: float
    unmeasured: int


class BidLevel(NamedTuple):
    """Jobs that pay at most this price, their free tasks, and their WU at the limit."""

    price: int
    jobs: int
    tasks: int
    most_wu: int


class Paid(NamedTuple):
    """The price of live leases, wei per GWU: the lowest, the mean by leases, the highest."""

    low: int
    mean: int
    high: int
    leases: int


class Work(NamedTuple):
    """Receipts of one state together: their tasks, WU and pay in wei."""

    state: str
    tasks: int
    wu: int
    amount: int


class Book(NamedTuple):
    """Both sides, cheapest ask and best bid first; `paid` None while nothing is leased.

    `hidden` counts the levels that lie beyond those shown.
    """

    asks: list[AskLevel]
    bids: list[BidLevel]
    paid: Paid | None
    hidden: int


def read(context: Context) -> Book:
    """The book as it is."""
    with context.sessions() as session:
        asks, bids = ask_levels(_offered(context, session)), bid_levels(_wanted(session))
        hidden = max(0, len(asks) - MOST_LEVELS) + max(0, len(bids) - MOST_LEVELS)
        return Book(asks[:MOST_LEVELS], bids[:MOST_LEVELS], _paid(session), hidden)


def totals(context: Context) -> list[Work]:
    """What was accepted so far, by where it stands."""
    sums = (func.sum(Receipt.count), func.sum(Receipt.total_wu), func.sum(Receipt.amount))
    query = select(Receipt.state, *sums).group_by(Receipt.state)
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    with context.sessions() as session:
        for state, *values in session.execute(query):
            word = WORDS[ReceiptState(state)]
            found[word] = [a + int(b) for a, b in zip(found[word], values, strict=True)]
    return [Work(state, *found[state]) for state in dict.fromkeys(WORDS.values())]


# --- pure


def ask_levels(offers: Iterable[Offered]) -> list[AskLevel]:
    """Asks by price, the lowest first."""
    by_price: dict[int, list[Offered]] = defaultdict(list)
    for one in offers:
        by_price[one.price].append(one)
    return [_ask_level(price, at) for price, at in sorted(by_price.items())]


def bid_levels(jobs: Iterable[Wanted]) -> list[BidLevel]:
    """Demand by price, the highest first."""
    by_price: dict[int, list[Wanted]] = defaultdict(list)
    for one in jobs:
        by_price[one.price].append(one)
    return [
        BidLevel(price, len(at), sum(job.tasks for job in at), sum(job.most_wu for job in at))
        for price, at in sorted(by_price.items(), reverse=True)
    ]


def _ask_level(price: int, offers: Sequence[Offered]) -> AskLevel:
    speeds = [1e9 / one.ns_per_wu for one in offers if one.ns_per_wu]
    return AskLevel(price, len(offers), round(sum(speeds), 3), len(offers) - len(speeds))


# --- out of SQL


def _offered(context: Context, session: Session) -> list[Offered]:
    query = (
        select(Offer.min_price, Offer.ns_per_wu)
        .join(Device, Device.address == Offer.device)
        .where(Offer.polled_at > context.moment(-live_seconds(context)), Offer.valid_until > context.moment())
        .where(Device.owner.is_not(None), Device.convicted.is_(False), Device.open_games == 0)
    )
    return [Offered(price, speed) for price, speed in session.execute(query)]


def _wanted(session: Session) -> list[Wanted]:
    jobs = session.scalars(select(Job).where(Job.state == JobState.OPEN).order_by(Job.seq).limit(MOST_JOBS)).all()
    count = (
        select(Span.job_id, func.count())
        .where(Span.job_id.in_([job.job_id for job in jobs]), Span.state == SpanState.OPEN)
        .group_by(Span.job_id)
    )
    free = {job_id: spans for job_id, spans in session.execute(count)}  # noqa: C416 - rows are no tuples to mypy
    wanted = []
    for job in jobs:
        bid, spans = job.bid, free.get(job.job_id, 0)
        if spans:
            tasks = min(spans * bid.span_tasks, bid.task_count)
            wanted.append(Wanted(bid.max_price_wei_per_gwu, tasks, tasks * bid.task_limit_wu))
    return wanted


def _paid(session: Session) -> Paid | None:
    of_price = (func.min(Lease.price), func.avg(Lease.price), func.max(Lease.price), func.count())
    low, mean, high, leases = session.execute(select(*of_price).where(Lease.state == LeaseState.LIVE)).one()
    return Paid(int(low), int(mean), int(high), leases) if leases else None
