"""Job events: recorded in SQL, streamed as server-sent events with ids that a client can resume from."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from market.context import Context
from market.jobs.models import JobEvent
from market.wake import Waiters, job_topic

BATCH = 200
KEEPALIVE_SECONDS = 15.0


def record(session: Session, job_id: str, kind: str, **data: Any) -> None:
    """Adds an event to a job's story, inside the caller's transaction."""
    session.add(JobEvent(job_id=job_id, kind=kind, data=data))


def read_after(context: Context, job_id: str, after: int) -> list[JobEvent]:
    """The next events of a job after an id, at most BATCH."""
    query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > after).order_by(JobEvent.id).limit(BATCH)
    with context.sessions() as session:
        return list(session.scalars(query))


def as_sse(event: JobEvent) -> bytes:
    """The event on the wire."""
    data = json.dumps({"at": event.at.timestamp(), **event.data}, separators=(",", ":"))
    return f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n".encode()


async def stream(context: Context, waiters: Waiters, job_id: str, after: int) -> AsyncIterator[bytes]:
    """A job's events after an id, for ever, with comments in the silences so that dead connections show."""
    silent = 0.0
    step = context.settings.poll_step_seconds
    yield b": follow\n\n"
    while True:
        events = await run_in_threadpool(read_after, context, job_id, after)
        for event in events:
            yield as_sse(event)
            after = event.id
        if events:
            silent = 0.0
            await asyncio.sleep(0)
            continue
        await waiters.wait(job_topic(job_id), step)
        silent += step
        if silent >= KEEPALIVE_SECONDS:
            silent = 0.0
            yield b": still here\n\n"
