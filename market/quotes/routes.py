"""The endpoint of quotes."""

from fastapi import APIRouter, Depends
from pydantic import Field

from market.access import ContextDep, limited, occupied
from market.guard import StrictRoute
from market.quotes import service
from market.wire import Decimal128, Hash, Wire

router = APIRouter(prefix="/v1/quotes", tags=["quotes"], route_class=StrictRoute)


class QuoteRequest(Wire):
    """A program and an uploaded manifest; the least share of tasks to be replayed, the least stake of a device."""

    program_id: Hash
    manifest: Hash
    rate_floor_ppm: int = Field(service.RATE_FLOOR_PPM, ge=10_000, le=1_000_000)
    min_stake: Decimal128 = "0"


class WuRange(Wire):
    """WU for each task, of the samples."""

    min: str
    mean: str
    max: str


class PriceRange(Wire):
    """Asks of the devices that may take this work now, wei per GWU."""

    low: str
    high: str


class Verification(Wire):
    """What checking is expected to cost: `surcharge` is the buyer's, `deduction` comes out of the devices' pay."""

    surcharge: str
    deduction: str
    replayed_ppm: int


class Capacity(Wire):
    """Who may take this work now, and how fast they are together."""

    devices: int
    wu_per_second: float


class QuoteBody(Wire):
    """What the job would cost, in wei as decimal strings.

    A bid of `cap` as budget, `priceWeiPerGWU`, `taskLimitWU`, `spanTasks` and `feePpm` makes it binding: nothing above
    the cap can be spent. `expectedCost` is expected pay + `fees` + `verification.surcharge`. The seconds are of
    work, then until it is attested, then until it is final.
    """

    tasks: int
    wu_per_task: WuRange
    sampled: int
    task_limit_wu: str = Field(alias="taskLimitWU")
    span_tasks: int
    price_wei_per_gwu: str = Field(alias="priceWeiPerGWU")
    price_range: PriceRange
    fee_ppm: int
    cap: str
    expected_cost: str
    fees: str
    verification: Verification
    capacity: Capacity
    expected_seconds: float
    attested_seconds: float
    final_seconds: float
    drivers: list[str]


@router.post(
    "", operation_id="quoteJob", dependencies=[Depends(limited("quote")), Depends(occupied("work"), scope="function")]
)
def quote_job(request: QuoteRequest, context: ContextDep) -> QuoteBody:
    """Run at most 8 of the inputs for at most 2 seconds and say what the whole would cost on the devices there now.

    409 `no_capacity` where no device that may work on it is there; 422 `program_unknown`, `program_refused`,
    `manifest_missing`, `input_missing`, `quote_failed`.
    """
    wishes = service.Wishes(request.rate_floor_ppm, int(request.min_stake))
    return _body(service.quote(context, request.program_id, request.manifest, wishes))


def _body(found: service.Quote) -> QuoteBody:
    cost = found.expected
    return QuoteBody(
        tasks=found.tasks,
        wu_per_task=WuRange(min=str(min(found.costs)), mean=str(found.mean_wu), max=str(max(found.costs))),
        sampled=len(found.costs),
        task_limit_wu=str(found.task_limit_wu),
        span_tasks=found.span_tasks,
        price_wei_per_gwu=str(found.price),
        price_range=PriceRange(low=str(found.price_low), high=str(found.price)),
        fee_ppm=found.fee_ppm,
        cap=str(found.cap),
        expected_cost=str(found.expected_cost),
        fees=str(found.fee),
        verification=Verification(
            surcharge=str(cost.surcharge), deduction=str(cost.deduction), replayed_ppm=cost.replayed_ppm
        ),
        capacity=Capacity(devices=found.devices, wu_per_second=round(found.wu_per_second, 3)),
        expected_seconds=round(found.work_seconds, 3),
        attested_seconds=round(found.attested_seconds, 3),
        final_seconds=round(found.final_seconds, 3),
        drivers=list(found.drivers),
    )
