"""How a job comes to its end, and who is told of it: its followers and its buyer's webhooks."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from market import events
from market.context import Context
from market.jobs.models import Job, JobState, Span, SpanState
from market.jobs.service import task_counts
from market.webhooks.models import EventType
from market.webhooks.service import notify


def refuse(context: Context, session: Session, job: Job, reason: str) -> None:
    """The chain did not open the job, or not for this settler."""
    job.state, job.error, job.over_at = JobState.REFUSED, reason, context.moment()
    events.record(session, job.job_id, "job.refused", reason=reason)
    _tell_end(context, session, job, "refused")


def close(context: Context, session: Session, job: Job, refunded: int) -> None:
    """The job is closed and what was left of its budget is the buyer's again, in wei."""
    job.state, job.refunded, job.over_at = JobState.CLOSED, refunded, context.moment()
    events.record(session, job.job_id, "job.closed", refunded=str(refunded))
    _tell_end(context, session, job, "final" if _is_final(session, job) else "closed")


def look_whether_finished(context: Context, session: Session, job: Job) -> None:
    """Tells it when every task is final."""
    if _is_final(session, job):
        events.record(session, job.job_id, "job.finished", outcome="final")
        _tell_end(context, session, job, "final")


def tell_voided(
    context: Context, session: Session, job: Job, epoch_id: int, device: str, digest: str, spans: Sequence[int]
) -> None:
    """A leaf of the job was found wrong, or nobody attested it: its results are taken back."""
    events.record_spans(session, job.job_id, SpanState.VOIDED, spans, epoch=epoch_id, device=device)
    ranges = events.ranges_of(job.bid, spans)
    data: dict[str, Any] = {
        "epoch": epoch_id,
        "device": device,
        "tasks": sum(after - first for first, after in ranges),
        "ranges": ranges[: events.RANGES_MOST],
    }
    notify(context, session, job, EventType.JOB_VOIDED, data, key=f"{epoch_id}.{digest}")


def _is_final(session: Session, job: Job) -> bool:
    session.flush()
    return not session.scalar(select(exists().where(Span.job_id == job.job_id, Span.state != SpanState.FINAL)))


def _tell_end(context: Context, session: Session, job: Job, outcome: str) -> None:
    """Once for each job, whatever comes after."""
    counts = task_counts(session, [job])[job.job_id]
    data = {
        "outcome": outcome,
        "tasks": {state: counts[state] for state in SpanState},
        "refunded": None if job.refunded is None else str(job.refunded),
    }
    notify(context, session, job, EventType.JOB_FINISHED, data)
