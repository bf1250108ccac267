"""Endpoints of blobs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from market.access import ContextDep, HasSessionDep, limited
from market.blobs import uploads
from market.blobs.store import BlobHash, BlobMissing
from market.context import Context
from market.guard import StrictRoute
from market.limits import Hold, caller_of
from market.problems import Problem, not_found

router = APIRouter(prefix="/v1/blobs", tags=["blobs"], route_class=StrictRoute)

BlobId = Annotated[str, Path(pattern=r"^0x[0-9a-f]{64}$", description="0x and keccak256 of the bytes")]
BINARY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@router.put(
    "/{blob}",
    operation_id="putBlob",
    status_code=201,
    response_class=Response,
    responses={200: {"description": "It was there already"}, 413: {"description": "Too large"}},
    openapi_extra={"requestBody": {"required": True, **BINARY}},
    dependencies=[Depends(limited("upload"))],
)
async def put_blob(blob: BlobId, request: Request, context: ContextDep, known: HasSessionDep) -> Response:
    """Store bytes under their hash. Up to 1 MiB from anybody, more with a session of a device or a person.

    What no job, program or result refers to within a day goes again; `upload_quota` and `storage_full` bound it.
    """
    settings, caller = context.settings, caller_of(request.scope)
    limit = settings.blob_max_bytes if known else settings.open_blob_max_bytes
    declared = _declared(request, limit)
    await run_in_threadpool(_check_room, context, caller, blob, declared)
    with context.places.holding("upload_bytes", caller) as hold:
        data, name = await _read(request, limit, hold)
        if name != blob:
            raise Problem(422, "blob_mismatch", "the bytes are not those of the id")
        made = await run_in_threadpool(_store, context, caller, blob, data)
    return Response(status_code=201 if made else 200)


@router.get("/{blob}", operation_id="getBlob", response_class=StreamingResponse, responses={200: BINARY})
def get_blob(blob: BlobId, context: ContextDep) -> StreamingResponse:
    """The bytes of a blob."""
    try:
        size, chunks = context.blobs.stream(blob)
    except BlobMissing:
        raise not_found("blob") from None
    headers = {**FOREVER, "Content-Length": str(size)}
    return StreamingResponse(chunks, media_type="application/octet-stream", headers=headers)


@router.head("/{blob}", operation_id="headBlob", response_class=Response)
def head_blob(blob: BlobId, context: ContextDep) -> Response:
    """Whether a blob is there, and its size."""
    try:
        size = context.blobs.size(blob)
    except BlobMissing:
        raise not_found("blob") from None
    return Response(media_type="application/octet-stream", headers={**FOREVER, "Content-Length": str(size)})


def _declared(request: Request, limit: int) -> int:
    """The length that the caller says, the limit where it says none; Problem 413 above the limit."""
    length = request.headers.get("content-length", "")
    declared = int(length) if length.isascii() and length.isdigit() else limit
    if declared > limit:
        raise Problem(413, "body_too_large", f"more than {limit} bytes")
    return declared


async def _read(request: Request, limit: int, hold: Hold) -> tuple[bytes, str]:
    """The body with its id; Problem 413 as soon as it passes the limit. `hold` counts what is in memory."""
    parts, size, name = [], 0, BlobHash()
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise Problem(413, "body_too_large", f"more than {limit} bytes")
        hold.add(len(part))
        name.update(part)
        parts.append(part)
    return b"".join(parts), name.name


def _check_room(context: Context, caller: str, blob: str, size: int) -> None:
    if not context.blobs.has(blob):
        uploads.check_room(context, caller, size)


def _store(context: Context, caller: str, blob: str, data: bytes) -> bool:
    """Stores a blob; False where it was there already."""
    if context.blobs.has(blob):
        uploads.renew(context, blob)
        return False
    uploads.note(context, blob, len(data), caller)
    context.blobs.put_as(blob, data)
    return True
