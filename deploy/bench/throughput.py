"""Tasks a second through the whole market beside plain Celery, on the same broker, database and cores, in one run.

Ours: leases over HTTP, a fresh instance for each task, result leaves, signed cumulative receipts, outputs as blobs, all
checked again by the market and stored in PostgreSQL; from the first lease to the last accepted result, as the job's
events say. Celery's: tasks already queued, from when its worker may take them until the last is acknowledged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import wasmtime
from redis import Redis
from sqlalchemy import Engine, create_engine, text

from chain.client import ChainClient
from deploy.bench import plain_celery
from deploy.bench.plain_celery import BROKER, RESULTS
from deploy.bench.sandbox import NOTHING
from deploy.local.mainjob.cast import Cast, make_cast
from deploy.local.mainjob.services import Services, migrated_database
from deploy.local.mainjob.stage import deploy_contracts, set_stage
from deploy.local.mainjob.work import MAX_PRICE_WEI_PER_GWU
from deploy.local.network import LocalNetwork
from deploy.local.profiles import LOCAL
from deploy.local.supervisor import SupervisorError
from multitude import Client, Terms
from protocol.money import PPM

TASKS = 5_000
WARM_UP_TASKS = 320
LEASE_TASKS = 16
LONGEST_LEASE_SPANS = 16
TARGET = 2.0
TIMEOUT_S = 120.0
PRICE_WEI = 10**15
DEVICE_STAKE_TASKS = 10_000
BROKER_DATABASE, RESULTS_DATABASE = 14, 15
NO_OP_LIMITS = {"wu": 1_000, "memoryPages": 1, "frameBytes": 1_024}
PATIENT = replace(LOCAL, epoch_interval_s=600)
"""No epoch is posted while it is measured: the figure ends with the accepted result."""

DELIVERED = "SELECT count(*) FROM results WHERE job_id = :job"
LENGTH = """SELECT extract(epoch FROM max(at) FILTER (WHERE kind = 'span.accepted')
  - min(at) FILTER (WHERE kind = 'span.leased')) FROM job_events WHERE job_id = :job"""


@dataclass(frozen=True)
class ThroughputFigure:
    """Tasks a second of one way, and over plain Celery's (the quicker of both) in the same run."""

    way: str
    tasks: int
    devices: int
    per_s: float
    over_celery: float
    target: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As var/bench/throughput.json has it."""
        return asdict(self)


def measure_throughput(folder: Path, tasks: int = TASKS, devices: int | None = None) -> list[ThroughputFigure]:
    """Plain Celery twice, leases of 16 tasks, adaptive leases, in this order. Raises SupervisorError, MultitudeError.

    `devices` defaults to one for each core, and Celery has as many processes.
    """
    count = devices or os.cpu_count() or 1
    with LocalNetwork(PATIENT, folder.resolve() / "network") as network:
        stored, ignored = _celery_rates(network, tasks, count)
        fixed = _market_rate(network, tasks, count, 1)
    with LocalNetwork(PATIENT, folder.resolve() / "network") as network:
        adaptive = _market_rate(network, tasks, count, LONGEST_LEASE_SPANS)
    rows = (
        ("plain Celery, results stored", stored, None),
        ("plain Celery, results ignored", ignored, None),
        (f"leases of {LEASE_TASKS} tasks", fixed, TARGET),
        ("adaptive leases", adaptive, None),
    )
    quickest = max(stored, ignored)
    return [ThroughputFigure(way, tasks, count, rate, rate / quickest, target) for way, rate, target in rows]


# --- Celery


def _celery_rates(network: LocalNetwork, tasks: int, processes: int) -> tuple[float, float]:
    """With results stored in the broker, and with results ignored."""
    urls = {BROKER: network.valkey.url(BROKER_DATABASE), RESULTS: network.valkey.url(RESULTS_DATABASE)}
    plain_celery.app.conf.update(broker_url=urls[BROKER], result_backend=urls[RESULTS])
    command = ["-m", "celery", "-A", "deploy.bench.plain_celery:app", "worker", "--concurrency", str(processes)]
    network.start_python("plain-celery", [*command, "--without-mingle", "--without-gossip"], urls)
    _wait_for(lambda: bool(plain_celery.app.control.ping(timeout=0.5)), "Celery's worker")
    broker = Redis.from_url(urls[BROKER])
    _celery_rate(broker, plain_celery.nothing, WARM_UP_TASKS)
    rates = _celery_rate(broker, plain_celery.nothing, tasks), _celery_rate(broker, plain_celery.forgotten, tasks)
    network.supervisor.end("plain-celery")
    return rates


def _celery_rate(broker: Redis, task: Any, tasks: int) -> float:
    """Queue the tasks while nobody takes them, then let the worker go until every one is acknowledged."""
    control = plain_celery.app.control
    control.cancel_consumer(plain_celery.QUEUE, reply=True, timeout=5)
    for _ in range(tasks):
        task.delay()
    assert broker.llen(plain_celery.QUEUE) == tasks, "the worker took tasks too early"
    start = time.perf_counter()
    control.add_consumer(plain_celery.QUEUE)
    _wait_for(lambda: not broker.exists(plain_celery.QUEUE, "unacked"), "plain Celery", 0.01)
    return tasks / (time.perf_counter() - start)


# --- the market


def _market_rate(network: LocalNetwork, tasks: int, devices: int, lease_spans_max: int) -> float:
    """A job of tasks that do nothing, on a market whose devices are warm."""
    cast = _cast(devices)
    path, deployment = deploy_contracts(network, cast, PRICE_WEI)
    set_stage(ChainClient(network.rpc_url, deployment), cast, PRICE_WEI)
    database = migrated_database(network)
    settings = {"MARKET_MAX_SHARE_PPM": "1000000", "MARKET_LEASE_SPANS_MAX": str(lease_spans_max)}
    services = Services(network, cast, path, settings)
    api_url = services.start_market(database)
    network.start_blocks()
    with Client(api_url, cast.buyer.key, network.rpc_url) as buyer:
        buyer.wallet.drip()
        program = _register(buyer)
        for plan in cast.devices:
            services.start_device(plan, api_url)
        _wait_for(lambda: buyer.api.offers()["live"] >= devices, "the devices")
        _seconds(buyer, program, database, WARM_UP_TASKS)
        return tasks / _seconds(buyer, program, database, tasks)


def _cast(devices: int) -> Cast:
    """The main job's people, with as many honest devices as wanted and stake enough for any unfinal pay."""
    whole = make_cast(liar=False)
    assert devices <= len(whole.devices), f"{devices} devices; the bench knows {len(whole.devices)}"
    plans = tuple(replace(plan, stake_tasks=DEVICE_STAKE_TASKS, ask_ppm=PPM // 2) for plan in whole.devices[:devices])
    return replace(whole, devices=plans)


def _register(buyer: Client) -> str:
    original = buyer.api.put_blob(bytes(wasmtime.wat2wasm(NOTHING)))
    program = buyer.api.admit(original, NO_OP_LIMITS, "no-op")
    _wait_for(lambda: bool(buyer.api.program(program)["state"] == "registered"), "the program")
    return program


def _seconds(buyer: Client, program: str, database: str, tasks: int) -> float:
    """From the first lease of a job to its last accepted result."""
    terms = Terms(max_price_wei_per_gwu=MAX_PRICE_WEI_PER_GWU, span_tasks=LEASE_TASKS)
    job = buyer.submit(program, [b"%d" % task for task in range(tasks)], terms, deposit=True)
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        _wait_for(lambda: _delivered(engine, job.job_id) >= tasks, f"{tasks} tasks", 0.1)
        with engine.connect() as connection:
            return float(connection.scalar(text(LENGTH), {"job": job.job_id}))
    finally:
        engine.dispose()


def _delivered(engine: Engine, job_id: str) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text(DELIVERED), {"job": job_id}))


def _wait_for(done: Callable[[], bool], what: str, pause_s: float = 0.2) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not done():
        if time.monotonic() > deadline:
            raise SupervisorError(f"waited {TIMEOUT_S:.0f} s for {what}")
        time.sleep(pause_s)
