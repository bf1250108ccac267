"""The reference of the throughput figure: a Celery application with a task that does nothing."""

import os

from celery import Celery

BROKER = "BENCH_BROKER_URL"
RESULTS = "BENCH_RESULTS_URL"
QUEUE = "celery"

app = Celery("bench", broker=os.environ.get(BROKER), backend=os.environ.get(RESULTS))


@app.task(name="bench.nothing")
def nothing() -> None:
    """Does nothing; its result is stored like any other's."""


@app.task(name="bench.forgotten", ignore_result=True)
def forgotten() -> None:
    """Does nothing, and nothing is stored of it."""
