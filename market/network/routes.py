"""Endpoints of the network and of the service's health."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import text

from chain.errors import ChainError
from market.access import ContextDep
from market.guard import StrictRoute
from market.problems import Problem

router = APIRouter(tags=["network"], route_class=StrictRoute)


class NetworkBody(BaseModel):
    """Where the contracts are, how long the clocks run (seconds), who settles, where blobs are.

    `rpc` is where anybody may read the chain, empty where the market names none; `confirmations` are blocks;
    `indexed_block` is the last that the market has read (-1: none yet). Blobs stay `blobs_kept_seconds` after
    their job is over, uploads that no job names `uploads_kept_seconds`.
    """

    chain_id: int
    deploy_block: int
    addresses: dict[str, str]
    clocks: dict[str, int]
    settler: str
    fee_ppm: int
    blobs: str
    rpc: str
    confirmations: int
    indexed_block: int
    blobs_kept_seconds: int
    uploads_kept_seconds: int


class Health(BaseModel):
    """The service's word on itself."""

    status: str = "ok"


@router.get("/healthz", operation_id="health")
def healthz() -> Health:
    """The process runs."""
    return Health()


@router.get("/readyz", operation_id="ready")
def readyz(context: ContextDep) -> Health:
    """The database and the chain answer."""
    with context.sessions() as session:
        session.execute(text("select 1 from alembic_version"))
    try:
        context.chain.head()
    except ChainError:
        raise Problem(503, "unavailable", "the chain does not answer", {"Retry-After": "2"}) from None
    return Health()


@router.get("/metrics", operation_id="metrics", response_class=Response)
def metrics() -> Response:
    """Measurements of this process in Prometheus' text form."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/network", operation_id="getNetwork")
def get_network(context: ContextDep) -> NetworkBody:
    """The network that this market settles on."""
    deployment = context.chain.deployment
    return NetworkBody(
        chain_id=deployment.chain_id,
        deploy_block=deployment.deploy_block,
        addresses=dict(deployment.contracts),
        clocks=dict(deployment.clocks),
        settler=context.settler.address,
        fee_ppm=context.fee_ppm,
        blobs=context.settings.public_url.rstrip("/") + "/v1/blobs",
        rpc=context.settings.public_rpc_url,
        confirmations=context.settings.confirmations,
        indexed_block=context.chain.indexed_block(),
        blobs_kept_seconds=context.settings.blobs_kept_seconds,
        uploads_kept_seconds=context.settings.upload_keep_seconds,
    )
