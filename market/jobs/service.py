"""Jobs from signed bids, and what is told of them."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Select, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from market import events
from market.blobs.store import BlobMissing
from market.blobs.uses import note_uses
from market.context import Context
from market.jobs.models import IdempotencyKey, Job, JobState, Span
from market.leases.models import Receipt
from market.problems import Problem, not_found
from market.programs.models import Program
from market.settlement.gateway import Call
from market.settlement.models import ON_CHAIN, Epoch, EpochLeaf, LeafState
from market.signatures import is_signed_by
from protocol.encoding import ZERO_ADDRESS, to_hex
from protocol.manifest import Manifest
from protocol.messages import Bid

SPANS_AT_ONCE = 10_000


def submit(context: Context, bid: Bid, signature: bytes, key: str | None) -> Job:
    """The job of a signed bid, which the chain is asked to open. Repeating it gives the same job.

    Problem 409 where the key was used for another bid, 422 where the bid cannot be served.
    """
    bid.check_rules()
    job_id = to_hex(bid.job_id)
    with context.sessions() as session:
        _check_key(session, key, job_id)
        known = session.get(Job, job_id)
    if known is not None:
        return known
    if not is_signed_by(context, bid.digest(context.domain), signature, bid.buyer):
        raise Problem(422, "message_invalid", f"not signed by {bid.buyer}", kind="SignatureInvalid")
    _check_terms(context, bid)
    _check_program(context, bid)
    blobs = _check_manifest(context, bid)
    with context.transaction() as session:
        if key is not None:
            session.execute(upsert(IdempotencyKey).values(key=key, job_id=job_id).on_conflict_do_nothing())
            _check_key(session, key, job_id)
        values = {
            "job_id": job_id,
            "buyer": bid.buyer,
            "program_id": to_hex(bid.program_id),
            "bid_json": bid.to_json(),
            "signature": to_hex(signature),
            "state": JobState.OPENING,
            "fee_ppm": context.fee_ppm,
        }
        note_uses(session, job_id, blobs)
        _check_there(context, blobs)
        made = session.execute(upsert(Job).values(values).on_conflict_do_nothing().returning(Job.job_id)).first()
        if made is not None:
            _add_spans(session, job_id, bid.span_count)
            events.record(session, job_id, "job.submitted", tasks=bid.task_count, spans=bid.span_count)
            call = Call("open_job", job_id, "JobEscrow", "openJob", (bid, signature), attempts=3)
            context.chain.enqueue(session, call)
        return session.get_one(Job, job_id)


def get(context: Context, job_id: str) -> Job:
    """A job. Problem 404 where there is none."""
    with context.sessions() as session:
        row = session.get(Job, job_id)
    if row is None:
        raise not_found("job")
    return row


def page(context: Context, buyer: str | None, before: int | None, limit: int) -> list[Job]:
    """Jobs, newest first, before a cursor."""
    query = select(Job).order_by(Job.seq.desc()).limit(limit)
    if buyer is not None:
        query = query.where(Job.buyer == buyer)
    if before is not None:
        query = query.where(Job.seq < before)
    with context.sessions() as session:
        return list(session.scalars(query))


def task_counts(session: Session, jobs: Sequence[Job]) -> dict[str, Counter[str]]:
    """For each job how many of its tasks are in each state of their spans; "attested" counts among the committed."""
    counts: dict[str, Counter[str]] = {job.job_id: Counter() for job in jobs}
    ids = list(counts)
    bids = {job.job_id: job.bid for job in jobs}
    # INVARIANT: one statement: a last, shorter span that moved between two would be taken from a state it is not in.
    query = select(Span.job_id, Span.state, func.count(), func.max(Span.span)).where(Span.job_id.in_(ids))
    for job_id, state, spans, highest in session.execute(query.group_by(Span.job_id, Span.state)):
        bid = bids[job_id]
        counts[job_id][state] = bid.span_tasks * spans
        if highest == bid.span_count - 1:
            counts[job_id][state] -= bid.span_tasks * bid.span_count - bid.task_count
    for job_id, tasks in session.execute(_attested(ids)):
        counts[job_id]["attested"] = int(tasks)
    return counts


def _attested(ids: Sequence[str]) -> Select[str, int]:
    """By job the tasks that are attested and not final yet."""
    return (
        select(EpochLeaf.job_id, func.sum(Receipt.count))
        .join(Receipt, Receipt.id == EpochLeaf.receipt_id)
        .join(Epoch, Epoch.id == EpochLeaf.epoch)
        .where(EpochLeaf.job_id.in_(ids), EpochLeaf.attested, EpochLeaf.state == LeafState.COMMITTED)
        .where(Epoch.state.in_(ON_CHAIN))
        .group_by(EpochLeaf.job_id)
    )


def _check_key(session: Session, key: str | None, job_id: str) -> None:
    """Problem 409 where the key opened another job; a key of a refused bid is free again."""
    used = None if key is None else session.get(IdempotencyKey, key)
    if used is not None and used.job_id != job_id:
        raise Problem(409, "idempotency_conflict", "this key was used for another bid")


def _check_terms(context: Context, bid: Bid) -> None:
    if bid.settler not in (ZERO_ADDRESS, context.settler.address):
        raise Problem(422, "bid_refused", f"the bid names another settler than {context.settler.address}")
    if bid.max_fee_ppm < context.fee_ppm:
        raise Problem(422, "bid_refused", f"maxFeePpm is below the fee of {context.fee_ppm}")
    if bid.task_count > context.settings.max_tasks:
        raise Problem(422, "bid_refused", f"more than {context.settings.max_tasks} tasks")
    if bid.deadline <= context.now() + context.clock("lease"):
        raise Problem(422, "bid_refused", "the deadline is past or too near")


def _check_program(context: Context, bid: Bid) -> None:
    with context.sessions() as session:
        program = session.get(Program, to_hex(bid.program_id))
    if program is None:
        raise Problem(422, "program_unknown", "the program is not known here")
    if program.state != "registered":
        raise Problem(422, "program_refused", "the program is not registered on the chain (yet)")
    if bid.task_limit_wu > program.limit_wu:
        raise Problem(422, "bid_refused", f"taskLimitWU is above the program's {program.limit_wu}")


def _check_manifest(context: Context, bid: Bid) -> list[str]:
    """The ids of the manifest and of the inputs outside it."""
    try:
        manifest = Manifest.parse(context.blobs.get(to_hex(bid.manifest)))
    except BlobMissing:
        raise Problem(422, "manifest_missing", "the manifest was not uploaded", blob=to_hex(bid.manifest)) from None
    manifest.check_bid(bid)
    return [to_hex(bid.manifest), *(to_hex(entry.hash) for entry in manifest.inputs if entry.data is None)]


def _check_there(context: Context, blobs: list[str]) -> None:
    missing = next((blob for blob in blobs if not context.blobs.has(blob)), None)
    if missing is not None:
        raise Problem(422, "input_missing", f"the input {missing} was not uploaded", blob=missing)


def _add_spans(session: Session, job_id: str, count: int) -> None:
    for start in range(0, count, SPANS_AT_ONCE):
        rows = [{"job_id": job_id, "span": span} for span in range(start, min(start + SPANS_AT_ONCE, count))]
        session.execute(insert(Span), rows)
