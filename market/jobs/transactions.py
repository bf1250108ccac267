"""The transactions that a job's story on chain is made of, as the indexer saw their events."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chain.codec import Event
from market.context import Context
from market.jobs.models import Job, JobTransaction
from protocol.encoding import to_hex


class _Kind(NamedTuple):
    """How an event is listed; `of_leaf` where it names a device and a receipt."""

    what: str
    of_leaf: bool = False


KINDS = {
    ("JobEscrow", "JobOpened"): _Kind("open"),
    ("JobEscrow", "JobClosing"): _Kind("closing"),
    ("JobEscrow", "JobClosed"): _Kind("close"),
    ("EpochLedger", "Posted"): _Kind("post"),
    ("EpochLedger", "Claimed"): _Kind("claim", of_leaf=True),
    ("EpochLedger", "LeafVoided"): _Kind("void", of_leaf=True),
    ("EpochLedger", "Returned"): _Kind("return"),
}
"""Events that name a job, or (Posted) several."""


def note_transaction(session: Session, event: Event) -> None:
    """Writes down the transaction of an event, where it is about jobs of this market."""
    kind = KINDS.get((event.contract, event.name))
    if kind is None:
        return
    named = [event.args, *event.args.get("head", {}).get("entries", ())]
    ids = {to_hex(value["jobId"]) for value in named if "jobId" in value}
    values = {
        "block_number": event.block_number,
        "log_index": event.log_index,
        "what": kind.what,
        "tx_hash": to_hex(event.tx_hash),
        "epoch_id": event.args.get("epochId"),
        "device": event.args["device"] if kind.of_leaf else None,
        "digest": to_hex(event.args["receiptDigest"]) if kind.of_leaf else None,
    }
    for job_id in session.scalars(select(Job.job_id).where(Job.job_id.in_(ids))).all():
        session.execute(insert(JobTransaction).values(job_id=job_id, **values).on_conflict_do_nothing())


def forget_transaction(session: Session, event: Event) -> None:
    """The event is not on the chain any more."""
    at = JobTransaction.block_number == event.block_number, JobTransaction.log_index == event.log_index
    session.execute(delete(JobTransaction).where(*at))


def transactions_of(context: Context, job_id: str) -> Sequence[JobTransaction]:
    """A job's transactions in the chain's order."""
    order = JobTransaction.block_number, JobTransaction.log_index
    with context.sessions() as session:
        return session.scalars(select(JobTransaction).where(JobTransaction.job_id == job_id).order_by(*order)).all()
