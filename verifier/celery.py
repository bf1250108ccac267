"""The verifier's own replay queue. Messages carry ids; what was replayed is in the database, once."""

from functools import lru_cache

from celery import Celery
from celery.signals import worker_process_shutdown
from kombu.transport.redis import QoS

from verifier.context import Context
from verifier.queue import replay_in
from verifier.settings import settings

QUEUE = "replay"
_VISIBILITY_S = 3600

QoS.restore_at_shutdown = False
"""When the broker goes, kombu would hand back what is under way over the lost connection, and the worker dies of it."""


def create_app() -> Celery:
    """The Celery application on the verifier's broker."""
    made = Celery("verifier", broker=settings().redis_url)
    made.conf.update(
        task_acks_late=False,  # the agent queues lost ones again; a late ack over a lost connection kills the worker
        task_ignore_result=True,
        task_default_queue=QUEUE,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": _VISIBILITY_S},
        worker_hijack_root_logger=False,
    )
    return made


app = create_app()


@lru_cache(maxsize=1)
def context() -> Context:
    """This process's parts."""
    return Context(settings())


@worker_process_shutdown.connect
def _close_sandboxes(**_: object) -> None:
    context().replayer.close()


@app.task(name="verifier.replay")
def replay(scope: str, epoch_id: int, head_hash: str, leaf_number: int, positions: list[int]) -> None:
    """Replays positions of a leaf that nobody has replayed yet for this scope (hex); idempotent."""
    replay_in(context(), bytes.fromhex(scope), epoch_id, bytes.fromhex(head_hash), leaf_number, positions)
