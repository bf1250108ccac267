"""Endpoints of blobs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from market.access import ContextDep, MaybeDeviceDep, limited
from market.blobs.store import BlobMissing
from market.problems import Problem, not_found
from protocol.blobs import blob_id
from protocol.encoding import to_hex

router = APIRouter(prefix="/v1/blobs", tags=["blobs"])

BlobId = Annotated[str, Path(pattern=r"^0x[0-9a-f]{64}$", description="0x and keccak256 of the bytes")]
BINARY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@router.put(
    "/{blob}",
    operation_id="putBlob",
    status_code=201,
    responses={200: {"description": "It was there already"}, 413: {"description": "Too large"}},
    openapi_extra={"requestBody": {"required": True, **BINARY}},
    dependencies=[Depends(limited("upload"))],
)
async def put_blob(blob: BlobId, request: Request, context: ContextDep, device: MaybeDeviceDep) -> Response:
    """Store bytes under their hash. Up to 1 MiB from anybody, more with a device session."""
    settings = context.settings
    limit = settings.blob_max_bytes if device else settings.open_blob_max_bytes
    data = await _read(request, limit)
    if to_hex(blob_id(data)) != blob:
        raise Problem(422, "blob_mismatch", "the bytes are not those of the id")
    if await run_in_threadpool(context.blobs.has, blob):
        return Response(status_code=200)
    await run_in_threadpool(context.blobs.put, data)
    return Response(status_code=201)


@router.get("/{blob}", operation_id="getBlob", response_class=Response, responses={200: BINARY})
def get_blob(blob: BlobId, context: ContextDep) -> Response:
    """The bytes of a blob."""
    try:
        data = context.blobs.get(blob)
    except BlobMissing:
        raise not_found("blob") from None
    return Response(data, media_type="application/octet-stream", headers=FOREVER)


@router.head("/{blob}", operation_id="headBlob", response_class=Response)
def head_blob(blob: BlobId, context: ContextDep) -> Response:
    """Whether a blob is there, and its size."""
    try:
        size = context.blobs.size(blob)
    except BlobMissing:
        raise not_found("blob") from None
    return Response(media_type="application/octet-stream", headers={**FOREVER, "Content-Length": str(size)})


async def _read(request: Request, limit: int) -> bytes:
    """The body; Problem 413 as soon as it passes the limit."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise Problem(413, "body_too_large", f"more than {limit} bytes")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise Problem(413, "body_too_large", f"more than {limit} bytes")
        parts.append(part)
    return b"".join(parts)
