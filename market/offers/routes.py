"""Endpoints of offers."""

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from market.access import ContextDep, DeviceDep, limited
from market.context import Context
from market.guard import StrictRoute
from market.offers import book, service
from market.wire import Decimal128, Hash, Wire

router = APIRouter(prefix="/v1", tags=["offers"], route_class=StrictRoute)

FRESH_SECONDS = 2.0
"""So old an answer about the whole market may be."""


class OfferRequest(Wire):
    """What a device asks: programs (null takes any), the least price in wei per GWU, its speed, its memory.

    `attestedOnly` is for devices that cannot recompute a program, as browser tabs: only those attested on chain.
    """

    programs: list[Hash] | None = Field(None, max_length=1000)
    min_price_wei_per_gwu: Decimal128 = Field(alias="minPriceWeiPerGWU")
    ns_per_wu: float | None = Field(None, alias="nsPerWU", gt=0, lt=1e9, allow_inf_nan=False)
    memory_pages: int = Field(65_536, ge=1, le=65_536)
    attested_only: bool = False


class OfferSummary(BaseModel):
    """Counts of live devices; `able` may be given leases, `stakeless` of those get one short lease at a time."""

    live: int
    able: int
    stakeless: int


class AskLevelBody(Wire):
    """Live devices that ask this price, wei per GWU; `wuPerSecond` is of those that told their speed."""

    price_wei_per_gwu: str = Field(alias="priceWeiPerGWU")
    devices: int
    wu_per_second: float = Field(alias="wuPerSecond")
    unmeasured: int


class BidLevelBody(Wire):
    """Open jobs that pay at most this price, wei per GWU; their free tasks, and what those may cost in WU at most."""

    price_wei_per_gwu: str = Field(alias="priceWeiPerGWU")
    jobs: int
    tasks: int
    most_wu: str = Field(alias="mostWU")


class PaidBody(Wire):
    """Prices of the leases that are worked on now, wei per GWU; `mean` counts each lease once."""

    low: str
    mean: str
    high: str
    leases: int


class BookBody(Wire):
    """The order book by price: cheapest asks, best bids. `paid` is null while nothing is leased; `hidden` counts the
    levels beyond those shown; `at` is Unix seconds."""

    at: float
    asks: list[AskLevelBody]
    bids: list[BidLevelBody]
    paid: PaidBody | None
    hidden: int


class WorkBody(Wire):
    """Work by where it stands (accepted, committed, final, voided): tasks, WU, pay in wei."""

    state: str
    tasks: int
    wu: str
    amount: str


class StatsBody(Wire):
    """What this market has accepted from devices so far; `at` is Unix seconds."""

    at: float
    work: list[WorkBody]


@router.get("/book", operation_id="getBook", dependencies=[Depends(limited("book"))])
def get_book(context: ContextDep) -> BookBody:
    """What live devices ask and what open jobs want, by price; up to two seconds old."""
    return context.recent.get("book", context.now, FRESH_SECONDS, lambda: _book(context))


@router.get("/stats", operation_id="getStats", dependencies=[Depends(limited("book"))])
def get_stats(context: ContextDep) -> StatsBody:
    """Tasks, WU and pay of all receipts, by where they stand; up to two seconds old."""
    return context.recent.get("stats", context.now, FRESH_SECONDS, lambda: _stats(context))


@router.put("/offers", operation_id="putOffer")
def put_offer(request: OfferRequest, device: DeviceDep, context: ContextDep) -> OfferRequest:
    """Make or replace the standing offer of the session's device; it holds for one session's time."""
    service.put_offer(
        context,
        device,
        request.programs,
        int(request.min_price_wei_per_gwu),
        request.ns_per_wu,
        request.memory_pages,
        attested_only=request.attested_only,
    )
    return request


@router.get("/offers", operation_id="summariseOffers")
def get_offers(context: ContextDep, summary: str = Query("", max_length=5)) -> OfferSummary:  # noqa: ARG001
    """Counts of the devices that are there."""
    live, able, stakeless = service.summary(context)
    return OfferSummary(live=live, able=able, stakeless=stakeless)


def _book(context: Context) -> BookBody:
    found = book.read(context)
    asks = [
        AskLevelBody(
            price_wei_per_gwu=str(one.price),
            devices=one.devices,
            wu_per_second=one.wu_per_second,
            unmeasured=one.unmeasured,
        )
        for one in found.asks
    ]
    bids = [
        BidLevelBody(price_wei_per_gwu=str(one.price), jobs=one.jobs, tasks=one.tasks, most_wu=str(one.most_wu))
        for one in found.bids
    ]
    paid = found.paid and PaidBody(
        low=str(found.paid.low), mean=str(found.paid.mean), high=str(found.paid.high), leases=found.paid.leases
    )
    return BookBody(at=context.now(), asks=asks, bids=bids, paid=paid, hidden=found.hidden)


def _stats(context: Context) -> StatsBody:
    work = [
        WorkBody(state=one.state, tasks=one.tasks, wu=str(one.wu), amount=str(one.amount))
        for one in book.totals(context)
    ]
    return StatsBody(at=context.now(), work=work)
