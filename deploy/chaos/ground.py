"""One network for some cells: it is raised like that of the main job, and looked at from outside.

Everything is read where it is true, in the market's and verifiers' databases and on the chain, so that looking needs
nothing of what was just killed but that.
"""

import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import psycopg
import redis
from rich.console import Console

from chain.calls import Head
from chain.codec import Event
from chain.errors import ChainError
from deploy.chaos.states import Sight
from deploy.local.anvil import RpcError
from deploy.local.mainjob.cast import make_cast
from deploy.local.mainjob.play import CLOSED_PHASE, Play, TookTooLong
from deploy.local.mainjob.work import MAX_PRICE_WEI_PER_GWU, RATE_FLOOR_PPM
from deploy.local.network import LocalNetwork
from deploy.local.profiles import LOCAL
from multitude import Job, Terms
from multitude.errors import MultitudeError

SMALL_JOB_TASKS = 60
SMALL_SPAN_TASKS = 4
WHOLE_SPAN_TASKS = 16
SAVE_EVERY_S = 5.0
"""How often the chain is saved: the most that it falls back by when it is killed."""
MINED_BEFORE_S = 1.0
"""A block's timestamp may lie so much after the moment at which it was asked for."""

LOOK_EVERY_S = 0.02
CHAIN_BACK_S = 20.0
SUBMIT_TIMEOUT_S = 60.0
BLOCKS_LOOKED_BACK = 200

AWAY = (ChainError, MultitudeError, RpcError, psycopg.Error, redis.RedisError, OSError)
"""What looking at a network raises of which a part was just killed."""


class Submitted(NamedTuple):
    """A job of a cell: the images that it is about, by their number, and the epochs that were there before it."""

    job: Job
    images: Sequence[int]
    epochs_before: int


class Ground:
    """A network that is up, honest from end to end. With `durable` its chain survives a kill."""

    def __init__(self, folder: Path, console: Console, durable: bool) -> None:
        self.network = LocalNetwork(LOCAL, folder, durable_chain=durable)
        self.durable = durable
        self.play = Play(self.network, make_cast(False), console, time.monotonic())
        self.devices = {plan.device.address: plan.device.role for plan in self.play.cast.devices}
        self.verifiers = [person.role for person in self.play.cast.verifiers]
        self._saved_at = 0.0

    def raise_all(self) -> None:
        """Everybody is there, and the buyer's money is in the escrow: no deposit is lost with a chain's last blocks."""
        self.play.raise_market()
        self.play.raise_others()
        wallet = self.play.buyer.wallet
        wallet.deposit(wallet.tokens())
        self._quote = self.play.buyer.quote(self.play.program_id, self.play.work.inputs[:SMALL_JOB_TASKS])
        self.keep()

    def keep(self) -> None:
        """Saves the chain when it is time to; call it often. The rest waits at most as long as that takes."""
        if self.durable and time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self.network.chain.save(self.network.chain_state)
            self._saved_at = time.monotonic()

    def submit(self, tasks: int, rng: Random) -> Submitted:
        """A job over some images; small ones have small spans, so that every device has a part. Raises TookTooLong."""
        images = sorted(rng.sample(range(len(self.play.work.inputs)), tasks))
        made: list[Submitted] = []

        def done() -> bool:
            made.append(self._submit(images))
            return True

        self.wait_for(done, SUBMIT_TIMEOUT_S, "a job to be taken")
        return made[0]

    def _submit(self, images: Sequence[int]) -> Submitted:
        terms = Terms(
            max_price_wei_per_gwu=MAX_PRICE_WEI_PER_GWU,
            span_tasks=SMALL_SPAN_TASKS if len(images) <= SMALL_JOB_TASKS else WHOLE_SPAN_TASKS,
            rate_floor_ppm=RATE_FLOOR_PPM,
        )
        before = int(self.play.client.call("EpochLedger", "epochCount"))
        inputs = [self.play.work.inputs[image] for image in images]
        return Submitted(self.play.buyer.submit(self.play.program_id, inputs, terms, self._quote), images, before)

    # --- what is done to services

    def kill(self, service: str) -> None:
        """SIGKILL of the whole process group; the supervisor starts it again. Raises TookTooLong where a chain is gone.

        A chain that comes back makes blocks on demand until it is told their time.
        """
        self.network.supervisor.kill(service)
        if service == "anvil":
            self._saved_at = time.monotonic()
            self.wait_for(self._chain_answers, CHAIN_BACK_S, "the chain to answer", self._saved_at)
            self.network.start_blocks()

    def _chain_answers(self) -> bool:
        return self.network.chain.block_number >= 0

    def hold(self, service: str) -> None:
        """Stops a service's process where it is."""
        self.network.supervisor.services[service].signal(signal.SIGSTOP)

    def let_go(self, service: str) -> None:
        """Lets it go on."""
        self.network.supervisor.services[service].signal(signal.SIGCONT)

    def wait_for(self, done: Callable[[], bool], timeout_s: float, what: str, since: float | None = None) -> float:
        """Until `done()`, a part that is away counting as not yet; the seconds it took, from `since` (monotonic).

        Raises TookTooLong, SupervisorError.
        """
        start = time.monotonic() if since is None else since
        while True:
            self.network.supervisor.check()
            with suppress(*AWAY):
                self.keep()
                if done():
                    return time.monotonic() - start
            if time.monotonic() - start > timeout_s:
                raise TookTooLong(f"waited {timeout_s:.0f} s for {what}")
            time.sleep(LOOK_EVERY_S)

    # --- what is seen of a job

    def spans(self, submitted: Submitted) -> Sight:
        """The job's tasks, as the market has them. Raises one of AWAY."""
        job = submitted.job.job_id
        rows = self.sql("market", "select state, count(*) from spans where job_id = %s group by state", job)
        drawn = self.sql("market", "select count(*) from results where job_id = %s and drawn is not null", job)
        return Sight(Counter(dict(rows)), drawn=int(drawn[0][0]))

    def epoch(self, submitted: Submitted) -> Sight:
        """The job's newest epoch, as the chain has it. Raises one of AWAY."""
        epoch = self._epoch_of(submitted)
        if epoch is None:
            return Sight(Counter())
        state = int(self.play.client.call("Attestations", "stateOf", epoch))
        return Sight(Counter(), epoch=state, closed=self.is_closed(submitted.job))

    def is_closed(self, job: Job) -> bool:
        """Whether every wei of the job is settled on chain."""
        record = self.play.client.call("JobEscrow", "jobOf", job.bid.job_id)
        return bool(record["phase"] == CLOSED_PHASE and record["debited"] == 0)

    def closed_at(self, job: Job) -> float:
        """When a closed job was closed, Unix seconds on the chain's clock."""
        client = self.play.client
        logs = client.logs(client.deployment.deploy_block, client.head().number)
        event = next(e for e in logs if e.name == "JobClosed" and e.args["jobId"] == job.bid.job_id)
        block = client.block(event.block_number)
        return float(block.timestamp) if block else 0.0

    def _epoch_of(self, submitted: Submitted) -> int | None:
        """The job's newest epoch."""
        job, last = submitted.job.bid.job_id, int(self.play.client.call("EpochLedger", "epochCount"))
        if last == submitted.epochs_before:
            return None
        for event in reversed(self._postings()):
            if any(entry.job_id == job for entry in Head.of(event.args["head"]).entries):
                return int(event.args["epochId"])
        return None

    def _postings(self) -> list[Event]:
        client = self.play.client
        head = client.head().number
        logs = client.logs(max(client.deployment.deploy_block, head - BLOCKS_LOOKED_BACK), head)
        return [event for event in logs if event.name == "Posted"]

    # --- what is seen of services

    def sql(self, database: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a database. Raises psycopg.Error."""
        url = self.network.postgres.url(database.replace("-", "_"), driver="")
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute(query, values or None).fetchall()

    def api_is_ready(self) -> bool:
        """Whether the market's API says so."""
        with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(f"{self.play.api_url}/readyz", timeout=2):  # noqa: S310 - loopback only
            return True
        return False

    def follows(self, database: str, since: float) -> bool:
        """Whether the owner of a database has read a block that the chain has and that was mined after `since`."""
        rows = self.sql(database, "select number, hash from chain_blocks order by number desc limit 1")
        block = self.play.client.block(rows[0][0]) if rows else None
        return block is not None and block.hash == bytes(rows[0][1]) and block.timestamp > since + MINED_BEFORE_S

    def all_follow(self, since: float) -> bool:
        """Whether the market and every verifier do."""
        return all(self.follows(name, since) for name in ("market", *self.verifiers))

    def polled_since(self, service: str, since: float) -> bool:
        """Whether a device has asked for work after `since`."""
        address = next(address for address, role in self.devices.items() if role == service)
        rows = self.sql("market", "select extract(epoch from polled_at) from offers where device = %s", address)
        return bool(rows and rows[0][0] is not None and float(rows[0][0]) > since)

    def devices_at_work(self, job_id: str) -> list[str]:
        """Services of the devices that hold a live lease of the job."""
        rows = self.sql("market", "select distinct device from leases where job_id = %s and state = 'live'", job_id)
        return sorted(self.devices[row[0]] for row in rows)

    def times_ready(self, service: str) -> int:
        """How often a Celery worker has said that it is ready."""
        log = self.network.supervisor.services[service].log
        return log.read_text(errors="replace").count(" ready.") if log.exists() else 0
