"""Endpoints of epochs."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from sqlalchemy import select

from market.access import ContextDep
from market.guard import StrictRoute
from market.problems import not_found
from market.settlement.models import Epoch, EpochEntry, EpochLeaf
from market.wire import Wire

router = APIRouter(prefix="/v1/epochs", tags=["epochs"], route_class=StrictRoute)


class EntryBody(Wire):
    """One job's part of an epoch; `sum` in wei."""

    job_id: str
    subroot: str
    count: int
    sum: str


class LeafBody(Wire):
    """A leaf by its number in the epoch."""

    leaf: int
    entry: int
    device: str
    receipt_digest: str
    leaf_hash: str
    debit: str
    state: str
    attested: bool
    redraws: int


class EpochBody(Wire):
    """An epoch; `epochId` is the chain's number, null until it is posted."""

    epoch_id: int | None
    state: str
    data_id: str
    seed: str | None
    final_at: int | None
    entries: list[EntryBody]
    leaves: list[LeafBody]


class EpochPage(BaseModel):
    """Epochs, newest first; `next` continues, null at the end."""

    epochs: list[EpochBody]
    next: int | None


@router.get("", operation_id="listEpochs")
def list_epochs(
    context: ContextDep,
    cursor: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> EpochPage:
    """Epochs of this settler, newest first."""
    query = select(Epoch).order_by(Epoch.id.desc()).limit(limit)
    if cursor is not None:
        query = query.where(Epoch.id < cursor)
    with context.sessions() as session:
        rows = list(session.scalars(query))
    bodies = [_body(context, row) for row in rows]
    return EpochPage(epochs=bodies, next=rows[-1].id if len(rows) == limit else None)


@router.get("/{epoch}", operation_id="getEpoch")
def get_epoch(epoch: Annotated[int, Path(ge=0, le=2**62)], context: ContextDep) -> EpochBody:
    """A posted epoch by the chain's number."""
    with context.sessions() as session:
        row = session.scalars(select(Epoch).where(Epoch.epoch_id == epoch)).one_or_none()
    if row is None:
        raise not_found("epoch")
    return _body(context, row)


def _body(context: ContextDep, row: Epoch) -> EpochBody:
    with context.sessions() as session:
        entries = session.scalars(
            select(EpochEntry).where(EpochEntry.epoch == row.id).order_by(EpochEntry.entry_index)
        ).all()
        leaves = session.scalars(
            select(EpochLeaf).where(EpochLeaf.epoch == row.id).order_by(EpochLeaf.leaf_number)
        ).all()
    return EpochBody(
        epoch_id=row.epoch_id,
        state=row.state,
        data_id=row.data_id,
        seed=row.seed,
        final_at=row.final_at,
        entries=[EntryBody(job_id=e.job_id, subroot=e.subroot, count=e.count, sum=str(e.sum)) for e in entries],
        leaves=[_leaf(leaf) for leaf in leaves],
    )


def _leaf(leaf: EpochLeaf) -> LeafBody:
    return LeafBody(
        leaf=leaf.leaf_number,
        entry=leaf.entry_index,
        device=leaf.device,
        receipt_digest=leaf.digest,
        leaf_hash=leaf.leaf_hash,
        debit=str(leaf.debit),
        state=leaf.state,
        attested=leaf.attested,
        redraws=leaf.redraws,
    )
