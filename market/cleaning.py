"""The cleaning tick: everything in SQL and among the blobs that has had its stated time.

Jobs themselves, their results and receipts stay: they are the market's memory of money.
"""

from collections.abc import Callable

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from market.blobs import uploads, uses
from market.context import Context
from market.db import remove
from market.jobs.models import IdempotencyKey, Job, JobEvent
from market.people.service import forget_old as forget_people
from market.sessions.service import forget_old as forget_sessions
from market.webhooks.service import forget_old as forget_deliveries

log = structlog.get_logger(__name__)

JOBS_AT_ONCE = 100


def clean(context: Context) -> dict[str, int]:
    """Removes all of it, each part in a transaction of its own; how many rows or blobs, by part."""
    removed = {}
    for name, forget in _PARTS.items():
        with context.transaction() as session:
            removed[name] = forget(context, session)
    removed["uploads"] = uploads.sweep(context)
    removed["blobs"] = uses.remove_unused(context)
    if any(removed.values()):
        log.info("cleaned", **removed)
    return removed


def _forget_keys(context: Context, session: Session) -> int:
    limit = context.moment(-context.settings.idempotency_seconds)
    return remove(session, delete(IdempotencyKey).where(IdempotencyKey.made_at <= limit))


def _forget_events(context: Context, session: Session) -> int:
    """The stories of some jobs that ended long ago."""
    limit = context.moment(-context.settings.events_kept_seconds)
    told = select(JobEvent.job_id).where(JobEvent.job_id == Job.job_id).exists()
    over = session.scalars(select(Job.job_id).where(Job.over_at <= limit, told).limit(JOBS_AT_ONCE)).all()
    return remove(session, delete(JobEvent).where(JobEvent.job_id.in_(over)))


_PARTS: dict[str, Callable[[Context, Session], int]] = {
    "sessions": forget_sessions,
    "people": forget_people,
    "deliveries": forget_deliveries,
    "keys": _forget_keys,
    "events": _forget_events,
}
