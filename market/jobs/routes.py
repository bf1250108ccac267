"""Endpoints of jobs."""

import csv
from collections import Counter
from contextlib import ExitStack
from io import StringIO
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from market import events
from market.access import ContextDep, WaitersDep, limited, occupied
from market.guard import HeldStream, StrictRoute
from market.jobs import service, views
from market.jobs.models import Job, JobTransaction, SpanState
from market.jobs.transactions import transactions_of
from market.limits import caller_of
from market.problems import Problem
from market.wire import BidField, HashPath, LongSignatureHex, Wire
from protocol.encoding import checksum_address, from_hex

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

TaskState = Literal["open", "leased", "accepted", "committed", "drawn", "undrawn", "final", "voided"]
FOLLOW_SECONDS = 600.0
"""A stream of events ends after this; its client comes back with Last-Event-ID."""


class JobRequest(Wire):
    """A bid signed by its buyer: by its key, or as a contract wallet signs (EIP-1271)."""

    bid: BidField
    signature: LongSignatureHex


class JobOpening(Wire):
    """The job of the bid; it opens when the chain has locked its budget."""

    job_id: str
    state: str


class TaskCounts(BaseModel):
    """Tasks by state; those committed are drawn or undrawn once the epoch has its seed, and some of them attested."""

    open: int = 0
    leased: int = 0
    accepted: int = 0
    committed: int = 0
    final: int = 0
    voided: int = 0
    attested: int = 0


class JobBody(Wire):
    """A job and how far it is; `refunded` in wei once it is closed."""

    job_id: str
    state: str
    bid: BidField
    fee_ppm: int
    period: int
    tasks: TaskCounts
    refunded: str | None
    error: str | None


class JobPage(BaseModel):
    """Jobs, newest first; `next` continues, null at the end."""

    jobs: list[JobBody]
    next: int | None


class ResultBody(BaseModel):
    """A task: open, leased, accepted, committed, drawn, undrawn, final or voided; its output as 0x-hex.

    `attested`: all who were drawn to look found it right. `replayed`: it was drawn itself, and attested.
    """

    task: int
    state: str
    attested: bool
    output: str | None
    wu: str | None
    status: int | None
    device: str | None
    epoch: int | None
    drawn: bool | None
    replayed: bool


class ResultPage(BaseModel):
    """Results in task order; `next` continues, null at the end. A page may be short, or empty, before the end."""

    results: list[ResultBody]
    next: int | None


class BillItem(Wire):
    """One device's work in one epoch, where its money went (wei), what posted it and what claimed or voided it."""

    device: str
    epoch: int | None
    state: str
    tasks: int
    wu: str
    amount: str
    fee: str
    deduction: str
    surcharge: str
    paid: str
    bonded: str
    post_tx: str | None
    claim_tx: str | None


class BillTransaction(Wire):
    """A transaction of the job: open, post, claim, void, return, closing or close."""

    what: str
    hash: str
    block: int
    epoch: int | None
    device: str | None


class Bill(Wire):
    """The itemised receipt of a job; wei. `spent` = pay + fees + surcharge, `verification` = deductions + surcharge."""

    job_id: str
    state: str
    budget: str
    spent: str
    fees: str
    verification: str
    refunded: str | None
    items: list[BillItem]
    transactions: list[BillTransaction]


def body_of(job: Job, counts: Counter[str]) -> JobBody:
    """A job on the wire."""
    return JobBody(
        job_id=job.job_id,
        state=job.state,
        bid=job.bid,
        fee_ppm=job.fee_ppm,
        period=job.period,
        tasks=TaskCounts(**{state: counts[state] for state in (*SpanState, "attested")}),
        refunded=None if job.refunded is None else str(job.refunded),
        error=job.error,
    )


@router.post(
    "",
    status_code=202,
    operation_id="submitJob",
    dependencies=[Depends(limited("job")), Depends(occupied("work"), scope="function")],
)
def submit_job(
    request: JobRequest,
    context: ContextDep,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")] = None,
) -> JobOpening:
    """Open a job on a signed bid. Repeating it gives the same job; `idempotency_conflict` for a reused key."""
    job = service.submit(context, request.bid, from_hex(request.signature), idempotency_key)
    return JobOpening(job_id=job.job_id, state=job.state)


@router.get("", operation_id="listJobs")
def list_jobs(
    context: ContextDep,
    buyer: Annotated[str | None, Query(pattern=r"^0x[0-9a-fA-F]{40}$")] = None,
    cursor: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> JobPage:
    """Jobs, newest first, of one buyer or of all."""
    rows = service.page(context, None if buyer is None else checksum_address(buyer), cursor, limit)
    with context.sessions() as session:
        counts = service.task_counts(session, rows)
    jobs = [body_of(row, counts[row.job_id]) for row in rows]
    return JobPage(jobs=jobs, next=rows[-1].seq if len(rows) == limit else None)


@router.get("/{job}", operation_id="getJob")
def get_job(job: HashPath, context: ContextDep) -> JobBody:
    """A job and how far it is."""
    row = service.get(context, job)
    with context.sessions() as session:
        counts = service.task_counts(session, [row])
    return body_of(row, counts[row.job_id])


@router.get("/{job}/results", operation_id="listResults", dependencies=[Depends(limited("results_page"))])
def list_results(
    job: HashPath,
    context: ContextDep,
    cursor: Annotated[int, Query(ge=0, le=2**32)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    state: Annotated[TaskState | None, Query(description="only tasks in this state")] = None,
) -> ResultPage:
    """The results of a job in task order, from task `cursor` on. A page ends early at 8 MiB of outputs."""
    row = service.get(context, job)
    page = views.results_page(context, row, cursor, limit, state)
    bodies = [ResultBody(**{**task._asdict(), "wu": None if task.wu is None else str(task.wu)}) for task in page.tasks]
    return ResultPage(results=bodies, next=page.next)


@router.get(
    "/{job}/receipt",
    operation_id="getJobReceipt",
    response_model=Bill,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def get_receipt(
    job: HashPath,
    context: ContextDep,
    form: Annotated[Literal["json", "csv"], Query(alias="format", description="csv: the items alone")] = "json",
) -> Any:
    """Where a job's money went, leaf by leaf, with its transactions."""
    row = service.get(context, job)
    items = views.bill(context, row)
    if form == "csv":
        name = f"receipt-{row.job_id[2:10]}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(_csv([_item(item) for item in items]), media_type="text/csv", headers=headers)
    claimed = [item for item in items if item.state == "claimed"]
    return Bill(
        job_id=row.job_id,
        state=row.state,
        budget=str(row.bid.budget),
        spent=str(sum(item.amount + item.fee + item.surcharge for item in claimed)),
        fees=str(sum(item.fee for item in claimed)),
        verification=str(sum(item.deduction + item.surcharge for item in claimed)),
        refunded=None if row.refunded is None else str(row.refunded),
        items=[_item(item) for item in items],
        transactions=[_transaction(one) for one in transactions_of(context, row.job_id)],
    )


@router.get(
    "/{job}/events",
    operation_id="followJob",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        204: {"description": "The job is over and nothing follows"},
        410: {"description": "Code events_gone"},
    },
    dependencies=[Depends(limited("follow"))],
)
async def follow_job(
    request: Request,
    job: HashPath,
    context: ContextDep,
    waiters: WaitersDep,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
    after_id: Annotated[str | None, Query(alias="after", max_length=20, description="instead of the header")] = None,
) -> Response:
    """A job's story as server-sent events, from the start or after Last-Event-ID; docs/api.md lists them.

    204 where the job is over and all is told; 410 `events_gone` where its events were cleaned away.
    """
    await run_in_threadpool(service.get, context, job)
    after = last_event_id or after_id or "0"
    if not after.isascii() or not after.isdigit() or int(after) >= 2**63:
        raise Problem(422, "request_invalid", "Last-Event-ID is not an id of this stream")
    if await run_in_threadpool(events.is_gone, context, job):
        raise Problem(410, "events_gone", "the job ended long ago: its receipt and its results are still there")
    if await run_in_threadpool(events.is_told, context, job, int(after)):
        return Response(status_code=204)
    with ExitStack() as stack:
        stack.enter_context(context.places.place("follow", caller_of(request.scope)))
        stream = events.stream(context, waiters, job, int(after))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        held = stack.pop_all()
        return HeldStream(stream, held, FOLLOW_SECONDS, media_type="text/event-stream", headers=headers)


def _item(item: views.Item) -> BillItem:
    return BillItem(
        device=item.device,
        epoch=item.epoch,
        state=item.state,
        tasks=item.tasks,
        wu=str(item.wu),
        amount=str(item.amount),
        fee=str(item.fee),
        deduction=str(item.deduction),
        surcharge=str(item.surcharge),
        paid=str(item.paid),
        bonded=str(item.bonded),
        post_tx=item.post_tx,
        claim_tx=item.claim_tx,
    )


def _transaction(row: JobTransaction) -> BillTransaction:
    return BillTransaction(
        what=row.what, hash=row.tx_hash, block=row.block_number, epoch=row.epoch_id, device=row.device
    )


def _csv(items: list[BillItem]) -> str:
    """The items as a table with a head, lines ending as RFC 4180 says."""
    text = StringIO(newline="")
    table = csv.writer(text)
    table.writerow(BillItem.model_json_schema()["properties"])
    table.writerows(item.model_dump().values() for item in items)
    return text.getvalue()
