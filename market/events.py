"""Job events: recorded in SQL, streamed as server-sent events with ids that a client can resume from.

Transactions commit in another order than their rows' ids say, and a follower that resumed after the newest id would
miss what commits late. So followers count by `number`, which is given to committed rows alone, under a lock, by
whoever looks first: what was read once never gets an earlier neighbour.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from market.context import Context
from market.jobs.models import Job, JobEvent, JobState
from market.leases.models import UNFINAL, Receipt
from market.wake import Waiters, job_topic
from protocol.messages import Bid

BATCH = 200
RANGES_MOST = 1_000
"""Ranges of tasks in one event; more go into further events."""
KEEPALIVE_SECONDS = 15.0

Range = tuple[int, int]

_LOCK = text("select pg_advisory_xact_lock(hashtextextended('job_events:' || :job, 0))")
RECORDING = "insert into job_events (job_id, kind, data) values (:job, :kind, cast(:data as jsonb))"
"""One event, also as a part of a statement that does more; `data_of` makes its data."""
_RECORD = text(RECORDING)
_NUMBER = text(
    """
    update job_events set number = fresh.base + fresh.place
    from (
        select id, row_number() over (order by id) as place,
            (select coalesce(max(number), 0) from job_events where job_id = :job) as base
        from job_events where job_id = :job and number is null
    ) as fresh
    where job_events.id = fresh.id
    """
)


def data_of(**data: Any) -> str:
    """The data of an event as SQL takes it."""
    return json.dumps(data)


def record(session: Session, job_id: str, kind: str, **data: Any) -> None:
    """Adds an event to a job's story, inside the caller's transaction, which remembers whose followers to wake."""
    session.execute(_RECORD, {"job": job_id, "kind": kind, "data": data_of(**data)})
    session.info.setdefault("touched", set()).add(job_id)


def record_spans(session: Session, job_id: str, state: str, spans: Iterable[int], **data: Any) -> None:
    """Adds that spans of a job came into a state, as ranges of tasks."""
    record_tasks(session, job_id, state, ranges_of(session.get_one(Job, job_id).bid, spans), **data)


def record_tasks(session: Session, job_id: str, state: str, ranges: list[Range], **data: Any) -> None:
    """Adds that tasks of a job came into a state, in as many events as their ranges need."""
    for start in range(0, max(1, len(ranges)), RANGES_MOST):
        record(session, job_id, f"span.{state}", tasks=ranges[start : start + RANGES_MOST], **data)


def ranges_of(bid: Bid, spans: Iterable[int]) -> list[Range]:
    """The tasks of some spans of a job as rising half-open ranges."""
    size, count = bid.span_tasks, bid.task_count
    return merged((span * size, min((span + 1) * size, count)) for span in sorted(spans))


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Rising half-open ranges with those that touch made one."""
    made: list[Range] = []
    for first, after in ranges:
        if made and made[-1][1] == first:
            made[-1] = (made[-1][0], after)
        else:
            made.append((first, after))
    return made


def read_after(context: Context, job_id: str, after: int) -> list[JobEvent]:
    """The next events of a job after a number, at most BATCH."""
    with context.transaction() as session:
        if session.scalar(select(exists().where(JobEvent.job_id == job_id, JobEvent.number.is_(None)))):
            session.execute(_LOCK, {"job": job_id})
            session.execute(_NUMBER, {"job": job_id})
        query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.number > after)
        return list(session.scalars(query.order_by(JobEvent.number).limit(BATCH)))


def is_gone(context: Context, job_id: str) -> bool:
    """True when the job's story was cleaned away: every job has at least one event."""
    with context.sessions() as session:
        return not session.scalar(select(exists().where(JobEvent.job_id == job_id)))


def is_told(context: Context, job_id: str, after: int) -> bool:
    """True when the job is over and nothing follows the number."""
    with context.sessions() as session:
        state = session.scalar(select(Job.state).where(Job.job_id == job_id))
        open_pay = exists().where(Receipt.job_id == job_id, Receipt.state.in_(UNFINAL))
        more = exists().where(JobEvent.job_id == job_id, (JobEvent.number > after) | JobEvent.number.is_(None))
        return state in (JobState.CLOSED, JobState.REFUSED) and not session.scalar(select(open_pay | more))


def as_sse(event: JobEvent) -> bytes:
    """The event on the wire."""
    data = json.dumps({"at": event.at.timestamp(), **event.data}, separators=(",", ":"))
    return f"id: {event.number}\nevent: {event.kind}\ndata: {data}\n\n".encode()


async def stream(context: Context, waiters: Waiters, job_id: str, after: int) -> AsyncIterator[bytes]:
    """A job's events after a number, with comments in the silences so that dead connections show.

    Ends in the first long silence after the job's end.
    """
    silent = 0.0
    step = context.settings.poll_step_seconds
    yield b": follow\n\n"
    while True:
        events = await run_in_threadpool(read_after, context, job_id, after)
        for event in events:
            yield as_sse(event)
            after = event.number or after
        if events:
            silent = 0.0
            await asyncio.sleep(0)
            continue
        await waiters.wait(step, job_topic(job_id))
        silent += step
        if silent >= KEEPALIVE_SECONDS:
            silent = 0.0
            yield b": still here\n\n"
            if await run_in_threadpool(is_told, context, job_id, after):
                return
