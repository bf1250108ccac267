"""Endpoints of leases."""

import asyncio
import base64
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from market.access import ContextDep, DeviceDep, WaitersDep
from market.context import Context
from market.guard import StrictRoute
from market.leases import receipts, service
from market.limits import caller_of
from market.problems import Problem
from market.programs.routes import ProgramBody, body_from
from market.wake import LEASES, job_topic
from market.wire import BidField, Hash, HashPath, LeaseField, ReceiptField, SignatureHex, Wire
from protocol.blobs import blob_id
from protocol.encoding import from_hex, to_hex, uint_from_json
from protocol.errors import ProtocolError
from protocol.merkle import TaskResult

router = APIRouter(prefix="/v1/leases", tags=["leases"], route_class=StrictRoute)

STEPS_FOR_A_LOOK = 3
INLINE_BYTES_MAX = 64 << 10
"""Largest blob of outputs that may come along with the results."""

LeaseIdPath = Annotated[int, Path(ge=1, le=2**63 - 1)]
CONFLICTS: dict[int | str, dict[str, Any]] = {
    409: {"description": "Codes lease_expired, lease_fenced, device_convicted, period_closed, deadline_passed"}
}
ResultRow = Annotated[
    list[int | str],
    Field(min_length=5, max_length=5, description="taskIndex, outputLength, outputRoot, wu, status (section 9)"),
]


class ReceiptBase(Wire):
    """What the market has accepted of a device for a job and period: its next receipt covers this and more."""

    first_word: int
    words: list[str]
    count: int
    total_wu: str = Field(alias="totalWU")


class LeaseGrant(Wire):
    """A lease with all that a device needs to check it and to work on it."""

    lease: LeaseField
    signature: str
    period: int
    receipt_base: ReceiptBase | None
    bid: BidField
    bid_signature: str
    program: ProgramBody
    manifest: str
    heartbeat_seconds: float
    price_wei_per_gwu: str = Field(alias="priceWeiPerGWU")


class WorkRequest(Wire):
    """The results of a lease's tasks in their order, the blob of outputs, and the cumulative receipt.

    A small blob of outputs may come along in `outputsData` (base64) instead of being uploaded; with `next` the answer
    brings the device's next lease, where there is one at once.
    """

    results: Annotated[list[ResultRow], Field(min_length=1, max_length=65_536)]
    outputs: Hash
    outputs_data: Annotated[str, StringConstraints(max_length=4 * -(-INLINE_BYTES_MAX // 3))] | None = None
    receipt: ReceiptField
    signature: SignatureHex
    next: bool = False


class WorkAccepted(Wire):
    """The work will be paid, unless it is found wrong."""

    accepted: bool = True
    next: LeaseGrant | None = None


@router.post(
    "/next", operation_id="nextLease", response_model=LeaseGrant, responses={204: {"description": "Nothing yet"}}
)
async def next_lease(
    request: Request,
    device: DeviceDep,
    context: ContextDep,
    waiters: WaitersDep,
    wait: Annotated[float, Query(ge=0, le=60, description="seconds to wait at most; 25 are granted")] = 20,
) -> Any:
    """The live lease of the device, or its next one as soon as there is one (long poll).

    A device may wait twice at once, an address and the market in all a bounded number of times (503 `busy`);
    whoever does not wait is always answered.
    """
    end = time.monotonic() + min(wait, context.settings.poll_max_seconds)
    found = await run_in_threadpool(_lease, context, device)
    if isinstance(found, service.NoGrant) and wait > 0:
        places = context.places
        with places.place("wait", caller_of(request.scope)), places.place("wait_device", device):
            found = await _wait(request, context, waiters, device, found, end)
    return Response(status_code=204) if isinstance(found, service.NoGrant) else _answer(_body(context, found))


async def _wait(
    request: Request, context: ContextDep, waiters: WaitersDep, device: str, found: service.NoGrant, end: float
) -> service.Grant | service.NoGrant:
    """A lease as soon as there is one, until the time is over or the device has hung up.

    Asks the database when woken, and else every few steps: many wait, and a step is how soon a hung-up one is seen.
    What happens to a job wakes those alone whom its budget keeps waiting: acceptances above all free no span.
    """
    steps = 0
    while (left := end - time.monotonic()) > 0 and not await request.is_disconnected():
        topics = (LEASES,) if found.short is None else (LEASES, job_topic(found.short))
        woken = await waiters.wait(min(left, context.settings.poll_step_seconds), *topics)
        steps += 1
        if not woken and steps % STEPS_FOR_A_LOOK:
            continue
        answer = await run_in_threadpool(_lease, context, device)
        if isinstance(answer, service.Grant):
            return answer
        found = answer
        await asyncio.sleep(0)
    return found


def _lease(context: Context, device: str) -> service.Grant | service.NoGrant:
    """A lease; those who follow its job are woken where it is new."""
    found = service.next_lease(context, device)
    if isinstance(found, service.Grant) and found.new:
        context.waker.wake(job_topic(found.job.job_id))
    return found


@router.post(
    "/{job}/{lease}/heartbeat",
    status_code=204,
    operation_id="keepLease",
    responses=CONFLICTS,
    response_class=Response,
)
def heartbeat(job: HashPath, lease: LeaseIdPath, device: DeviceDep, context: ContextDep) -> Response:
    """Keep a lease alive."""
    service.heartbeat(context, device, job, lease)
    return Response(status_code=204)


@router.post("/{job}/{lease}/release", status_code=204, operation_id="releaseLease", response_class=Response)
def release(job: HashPath, lease: LeaseIdPath, device: DeviceDep, context: ContextDep) -> Response:
    """Give a lease back."""
    service.release(context, device, job, lease)
    return Response(status_code=204)


@router.post("/{job}/{lease}/results", operation_id="submitResults", response_model=WorkAccepted, responses=CONFLICTS)
def submit_results(
    job: HashPath, lease: LeaseIdPath, request: WorkRequest, device: DeviceDep, context: ContextDep
) -> Response:
    """Hand in the work of a lease. Repeating it gives the same answer; `receipt_invalid` names what does not fit.

    `period_closed` carries the new period and what is accepted in it: sign this lease's results again on top of that.
    """
    context.limits.check_caller(device, "results")
    results = tuple(_result(row) for row in request.results)
    signature, blob = from_hex(request.signature), _inline(request)
    receipts.accept(
        context, device, job, lease, receipts.Submission(results, request.outputs, request.receipt, signature, blob)
    )
    grant = _next(context, device) if request.next else None
    context.waker.wake(*{job_topic(job), job_topic(job if grant is None else grant.job.job_id)})
    return _answer(WorkAccepted(next=None if grant is None else _body(context, grant)))


def _answer(body: Wire) -> Response:
    """The body as it is: FastAPI would check again what was made here."""
    return Response(body.model_dump_json(by_alias=True), media_type="application/json")


def _next(context: Context, device: str) -> service.Grant | None:
    """What /next would give at once; why it gives nothing is told there."""
    try:
        found = service.next_lease(context, device)
    except Problem:
        return None
    return found if isinstance(found, service.Grant) else None


def _inline(request: WorkRequest) -> bytes | None:
    """The outputs that came along."""
    if request.outputs_data is None:
        return None
    try:
        data = base64.b64decode(request.outputs_data, validate=True)
    except ValueError:
        raise receipts.invalid("outputsData is not base64") from None
    if to_hex(blob_id(data)) != request.outputs:
        raise receipts.invalid("outputsData is not the blob of outputs")
    return data


def _result(row: list[int | str]) -> TaskResult:
    try:
        task, length, root, wu, status = row
        return TaskResult(
            uint_from_json(task, 32, "taskIndex"),
            _either(length, "outputLength"),
            from_hex(root, 32, "outputRoot"),
            _either(wu, "wu"),
            uint_from_json(status, 8, "status"),
        )
    except ProtocolError as error:
        raise receipts.invalid(error.reason) from None


def _either(value: int | str, name: str) -> int:
    """A uint64 in its JSON form, or as a plain number."""
    return uint_from_json(str(value) if type(value) is int else value, 64, name)


def _body(context: Context, grant: service.Grant) -> LeaseGrant:
    base = receipts.base_of(grant.base)
    return LeaseGrant(
        lease=grant.lease,
        signature=grant.signature,
        period=grant.job.period,
        receipt_base=None if base is None else ReceiptBase.model_validate(base),
        bid=grant.bid,
        bid_signature=grant.job.signature,
        program=body_from(grant.job.program),
        manifest=str(grant.job.bid_json["manifest"]),
        heartbeat_seconds=float(context.clock("heartbeat")),
        price_wei_per_gwu=str(grant.lease.price_wei_per_gwu),
    )
