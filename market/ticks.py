"""Running the market's ticks one at a time, whatever process asks for them."""

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.orm import Session

from chain.codec import Event
from chain.errors import ChainError
from market.context import Context
from market.db import Lock, advisory_lock
from market.settlement.apply import apply
from market.wake import LEASES, job_topic

log = structlog.get_logger(__name__)


def run(lock: Lock, tick: Callable[[Context], object], context: Context) -> bool:
    """Runs a tick unless it runs already; False then, and where the chain is away (the next tick tries again)."""
    with advisory_lock(context.engine, lock) as held:
        if not held:
            return False
        try:
            tick(context)
        except ChainError as error:
            log.warning("chain_away", tick=lock.name.lower(), error=str(error))
            return False
    return True


def chain_tick(context: Context) -> None:
    """Reads events into SQL and wakes those who wait for them, then sends what is queued."""
    touched: set[str] = set()

    def within(session: Session, new: Sequence[Event], removed: Sequence[Event]) -> None:
        touched.update(apply(context, session, new, removed))

    context.chain.sync(within)
    if touched:
        context.waker.wake(LEASES, *map(job_topic, touched))
    context.chain.pump()
