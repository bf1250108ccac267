"""The endpoint of quotes."""

from fastapi import APIRouter, Depends
from pydantic import Field

from market.access import ContextDep, limited
from market.quotes import service
from market.wire import Hash, Wire

router = APIRouter(prefix="/v1/quotes", tags=["quotes"])


class QuoteRequest(Wire):
    """A registered program and an uploaded manifest."""

    program_id: Hash
    manifest: Hash
    rate_floor_ppm: int = Field(service.RATE_FLOOR_PPM, ge=10_000, le=1_000_000)


class WuRange(Wire):
    """WU for each task, of the samples."""

    min: str
    mean: str
    max: str


class QuoteBody(Wire):
    """What the job would cost; `budgetWei` is the cap, every task at its limit. Wei and WU are decimal strings."""

    wu_per_task: WuRange
    task_limit_wu: str = Field(alias="taskLimitWU")
    price_wei_per_gwu: str = Field(alias="priceWeiPerGWU")
    amount_wei: str
    fee_wei: str
    surcharge_wei: str
    budget_wei: str
    span_tasks: int
    expected_seconds: float
    samples: int


@router.post("", operation_id="quoteJob", dependencies=[Depends(limited("quote"))])
def quote_job(request: QuoteRequest, context: ContextDep) -> QuoteBody:
    """Run at most 8 of the inputs for at most 2 seconds and say what the whole would cost."""
    found = service.quote(context, request.program_id, request.manifest, request.rate_floor_ppm)
    return QuoteBody(
        wu_per_task=WuRange(min=str(found.wu_min), mean=str(found.wu_mean), max=str(found.wu_max)),
        task_limit_wu=str(found.task_limit_wu),
        price_wei_per_gwu=str(found.price),
        amount_wei=str(found.amount),
        fee_wei=str(found.fee),
        surcharge_wei=str(found.surcharge),
        budget_wei=str(found.budget),
        span_tasks=found.span_tasks,
        expected_seconds=found.expected_seconds,
        samples=found.samples,
    )
