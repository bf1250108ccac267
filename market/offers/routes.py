"""Endpoints of offers."""

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from market.access import ContextDep, DeviceDep
from market.guard import StrictRoute
from market.offers import service
from market.wire import Decimal128, Hash, Wire

router = APIRouter(prefix="/v1/offers", tags=["offers"], route_class=StrictRoute)


class OfferRequest(Wire):
    """What a device asks: programs (null takes any), the least price in wei per GWU, its speed, its memory."""

    programs: list[Hash] | None = Field(None, max_length=1000)
    min_price_wei_per_gwu: Decimal128 = Field(alias="minPriceWeiPerGWU")
    ns_per_wu: float | None = Field(None, alias="nsPerWU", gt=0, lt=1e9, allow_inf_nan=False)
    memory_pages: int = Field(65_536, ge=1, le=65_536)


class OfferSummary(BaseModel):
    """Counts of live devices; `able` may be given leases, `stakeless` of those get one short lease at a time."""

    live: int
    able: int
    stakeless: int


@router.put("", operation_id="putOffer")
def put_offer(request: OfferRequest, device: DeviceDep, context: ContextDep) -> OfferRequest:
    """Make or replace the standing offer of the session's device; it holds for one session's time."""
    service.put_offer(
        context,
        device,
        request.programs,
        int(request.min_price_wei_per_gwu),
        request.ns_per_wu,
        request.memory_pages,
    )
    return request


@router.get("", operation_id="summariseOffers")
def get_offers(context: ContextDep, summary: str = Query("", max_length=5)) -> OfferSummary:  # noqa: ARG001
    """Counts of the devices that are there."""
    live, able, stakeless = service.summary(context)
    return OfferSummary(live=live, able=able, stakeless=stakeless)
