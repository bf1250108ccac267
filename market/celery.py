"""The market's own ticks, on Celery: workers and one beat of `celery -A market.celery:app`. Devices never reach them.

Every task is idempotent, takes no more than ids, and runs under a PostgreSQL advisory lock: the queue only wakes.
"""

from functools import lru_cache

from celery import Celery
from kombu.transport.redis import QoS

from market import settings
from market.cleaning import clean
from market.context import Context, build
from market.db import Lock
from market.leases.service import expire_leases
from market.logs import configure_logs
from market.matching.tick import tick as match_tick
from market.settlement import build as epochs
from market.settlement import settle
from market.ticks import chain_tick, run
from market.webhooks.deliver import tick as deliver

STALE_SECONDS = 5
"""A tick that waited longer than this is not worth running: the next one is there already."""
VISIBILITY_SECONDS = 30
"""How long a killed worker's messages wait for another. A slower tick is handed out again and finds its lock held."""

QoS.restore_at_shutdown = False
"""When the broker goes, kombu would hand back what is under way over the lost connection, and the worker dies of it."""


def make_app() -> Celery:
    """The Celery application; broker and beat come from the settings."""
    configured = settings.load()
    celery = Celery("market", broker=configured.redis_url)
    celery.conf.update(
        task_acks_late=False,  # a lost tick has a successor, and a late ack over a lost connection kills the worker
        task_ignore_result=True,
        task_default_queue="market",
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": VISIBILITY_SECONDS},
        beat_schedule={
            name: {"task": f"market.{name}", "schedule": seconds, "options": {"expires": STALE_SECONDS}}
            for name, seconds in (
                ("chain", configured.chain_tick_seconds),
                ("match", configured.matching_tick_seconds),
                ("expire", 1.0),
                ("epochs", 1.0),
                ("settle", 1.0),
                ("webhooks", 1.0),
                ("tidy", 60.0),
            )
        },
    )
    return celery


app = make_app()


@lru_cache(maxsize=1)
def context() -> Context:
    """The context of this worker process, made after the fork."""
    configure_logs()
    return build(settings.load())


@app.task(name="market.chain")
def chain() -> None:
    """Reads events into SQL, then sends what is queued."""
    run(Lock.CHAIN, chain_tick, context())


@app.task(name="market.match")
def match() -> None:
    """Matches devices to jobs."""
    run(Lock.MATCHING, match_tick, context())


@app.task(name="market.expire")
def expire() -> None:
    """Ends leases whose time is over."""
    run(Lock.EXPIRY, expire_leases, context())


@app.task(name="market.epochs")
def build_epochs() -> None:
    """Builds and posts an epoch when one is due."""
    run(Lock.EPOCHS, epochs.tick, context())


@app.task(name="market.settle")
def settle_epochs() -> None:
    """Pushes epochs and jobs to their end."""
    run(Lock.SETTLEMENT, settle.tick, context())


@app.task(name="market.tidy")
def tidy() -> None:
    """Removes what has had its time."""
    run(Lock.TIDY, clean, context())


@app.task(name="market.webhooks")
def send_webhooks() -> None:
    """Tells buyers what happened to their jobs."""
    run(Lock.WEBHOOKS, deliver, context())
