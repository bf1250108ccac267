"""The order of the main job, from an empty folder to an exit status."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from chain.accounting import conserved
from chain.client import ChainClient
from chain.errors import ChainError
from deploy.local.mainjob import measure
from deploy.local.mainjob.cast import Cast, make_cast
from deploy.local.mainjob.reorg import Reorganisation
from deploy.local.mainjob.report import print_report
from deploy.local.mainjob.services import Services, migrated_database
from deploy.local.mainjob.stage import deploy_contracts, set_stage
from deploy.local.mainjob.summary import Findings, Summary, failures
from deploy.local.mainjob.work import (
    MAX_PRICE_WEI_PER_GWU,
    PROGRAM,
    RATE_FLOOR_PPM,
    SPAN_TASKS,
    Work,
    expected_price_wei,
    mean_task_wu,
)
from deploy.local.network import LocalNetwork, NetworkFile
from deploy.local.profiles import Profile
from deploy.local.supervisor import SupervisorError
from multitude import Client, Job, MultitudeError, Terms
from programs.catalogue import CATALOGUE

READY_TIMEOUT_S = 90
CHAIN_TIMEOUT_S = 60
JOB_TIMEOUT_S = {"local": 240, "testnet": 900}
CLOSED_PHASE = 3
"""JobPhase.Closed."""


class TookTooLong(Exception):
    """Something that must happen did not happen in time."""


class Play:
    """One run of the main job on a network that is up. `launched` is the monotonic time of the launch.

    Its steps are `raise_market`, `raise_others`, `submit`, `wait_until_paid`: for tests that do something in between.
    """

    def __init__(self, network: LocalNetwork, cast: Cast, console: Console, launched: float) -> None:
        self.network = network
        self.console = console
        self.cast = cast
        self.work = Work()
        self._launched = launched
        self._said = ""

    def run(self) -> list[str]:
        """Everything; why the run failed, empty for a good one. summary.json is written in any case."""
        job: Job | None = None
        trouble: list[str] = []
        try:
            self.raise_market()
            self.raise_others()
            job = self.submit(self.work.inputs)
            self.wait_until_paid(job)
        except (TookTooLong, MultitudeError, ChainError, SupervisorError) as error:
            trouble.append(f"{type(error).__name__}: {error}")
        summary, findings = self._measure(job, trouble)
        reasons = failures(summary, findings, any(plan.lies for plan in self.cast.devices))
        path = write_summary(self.network.run_directory, summary)
        print_report(self.console, summary, reasons)
        self.console.print(f"The same in {path.relative_to(self.network.directory.parent)}.", highlight=False)
        return reasons

    # --- the steps

    def raise_market(self) -> None:
        """Contracts, everybody's stake, API and Celery; network.json is there afterwards."""
        self.price_wei = expected_price_wei(mean_task_wu())
        with ThreadPoolExecutor(1) as background:  # Brownie leaves a core free
            database_url = background.submit(migrated_database, self.network)
            truth = background.submit(self.work.prepare)
            self._say("deploying the contracts")
            path, deployment = deploy_contracts(self.network, self.cast, self.price_wei)
            self.client = ChainClient(self.network.rpc_url, deployment, CHAIN_TIMEOUT_S)
            self._say("tokens, bonds, seats and stakes")
            set_stage(self.client, self.cast, self.price_wei)
            self.services = Services(self.network, self.cast, path)
            self._say("starting the market")
            self.api_url = self.services.start_market(database_url.result())
            truth.result()
        self.buyer = Client(self.api_url, self.cast.buyer.key, self.network.rpc_url)
        depth, block_time_s = self.network.profile.reorg_depth, self.network.profile.block_time_s
        self.reorganisation = Reorganisation(self.network.chain, self.client, depth, block_time_s)
        self.network.start_blocks()
        self.network.publish(self._network_file())
        self._say(f"the market is ready: {self.api_url}/ (the API: {self.api_url}/docs)")

    def raise_others(self) -> None:
        """Verifiers and devices; the program is registered and the devices poll afterwards."""
        self._say("starting three verifiers and five devices")
        for number in range(len(self.cast.verifiers)):
            self.services.start_verifier(number, f"{self.api_url}/v1/blobs")
        for plan in self.cast.devices:
            self.services.start_device(plan, self.api_url)
        self.program_id = self._register()
        self.buyer.wallet.drip()
        everybody = len(self.cast.devices)
        self.wait_for(lambda: self.buyer.api.offers()["live"] >= everybody, READY_TIMEOUT_S, "five devices to poll")

    def _register(self) -> str:
        entry = CATALOGUE[PROGRAM]
        original = self.buyer.api.put_blob(entry.module.read_bytes())
        limits = {
            "wu": entry.limits.wu,
            "memoryPages": entry.limits.memory_pages,
            "frameBytes": entry.limits.frame_bytes,
        }
        program_id = self.buyer.api.admit(original, limits, PROGRAM)
        self.wait_for(lambda: self._is_registered(program_id), READY_TIMEOUT_S, "the program to be registered")
        return program_id

    def _is_registered(self, program_id: str) -> bool:
        return bool(self.buyer.api.program(program_id)["state"] == "registered")

    def submit(self, inputs: Sequence[bytes]) -> Job:
        """The buyer's job over these images."""
        terms = Terms(
            max_price_wei_per_gwu=MAX_PRICE_WEI_PER_GWU,
            span_tasks=SPAN_TASKS,
            rate_floor_ppm=RATE_FLOOR_PPM,
            min_stake_wei=0,
        )
        job = self.buyer.submit(self.program_id, inputs, terms, deposit=True)
        self._say(f"job {job.job_id}: {job.bid.task_count} tasks in {job.bid.span_count} spans")
        return job

    def wait_until_paid(self, job: Job) -> None:
        """Until the job is closed on chain, saying how it goes. Raises TookTooLong."""
        self.wait_for(lambda: self.is_closed(job), JOB_TIMEOUT_S[self.network.profile.name], "every claim to be paid")

    def wait_for(self, done: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Until `done()`, all services being alive. Raises TookTooLong."""
        deadline = time.monotonic() + timeout_s

        def look() -> bool:
            if time.monotonic() > deadline:
                raise TookTooLong(f"waited {timeout_s:.0f} s for {what}")
            return done()

        self.network.wait_while_healthy(look)

    def is_closed(self, job: Job) -> bool:
        """Whether every wei of the job is settled on chain; says how it goes."""
        record = self.client.call("JobEscrow", "jobOf", job.bid.job_id)
        self._progress(job)
        if self.reorganisation.look():
            self._say(
                f"the chain lost its last {self.network.profile.reorg_depth} blocks, an epoch's posting with them"
            )
        return bool(record["phase"] == CLOSED_PHASE and record["debited"] == 0)

    def _progress(self, job: Job) -> None:
        tasks = job.status().tasks
        said = ", ".join(f"{count} {state}" for state, count in sorted(tasks.items()) if count)
        if said != self._said:
            self._said = said
            self._say(said)

    # --- what came of it

    def _measure(self, job: Job | None, trouble: list[str]) -> tuple[Summary, Findings]:
        summary = Summary(profile=self.network.profile.name, chain_id=self.network.chain.chain_id)
        findings = Findings()
        if job is not None:
            try:
                summary, findings = self._measure_job(job)
            except (MultitudeError, ChainError) as error:
                trouble.append(f"{type(error).__name__}: {error}")
        seconds = round(time.monotonic() - self._launched, 1)
        return replace(summary, seconds=seconds), replace(findings, trouble=tuple(trouble))

    def _measure_job(self, job: Job) -> tuple[Summary, Findings]:
        record = measure.Record(self.client, job.bid, self.buyer.api.get_blob)
        settled = record.settled()
        accuracy = self.work.accuracy({task.task: task.output for task in settled})
        gas = measure.gas_of_job(record)
        tasks = job.bid.task_count
        summary = Summary(
            profile=self.network.profile.name,
            chain_id=self.network.chain.chain_id,
            tasks=tasks,
            accuracy=accuracy and accuracy.share,
            held_out=accuracy and accuracy.held_out,
            device=measure.device_lines(record, self.cast, self.price_wei),
            liar=measure.liar_line(record, self.cast, self.work.expected_roots),
            drawn=measure.drawn_count(record),
            overhead=measure.overhead(record),
            gas=gas or None,
            gas_per_task=sum(line.gas for line in gas.values()) / tasks if gas else None,
            buyer=measure.buyer_line(record),
            conserved=conserved(self.client),
            reorg=self.reorganisation.line(),
        )
        return summary, measure.find(record, self.cast, settled, self.work.expected)

    # --- small things

    def _network_file(self) -> NetworkFile:
        deployment = self.client.deployment
        return NetworkFile(
            web=f"{self.api_url}/",
            api=self.api_url,
            rpc=self.network.rpc_url,
            chain_id=deployment.chain_id,
            deploy_block=deployment.deploy_block,
            addresses=dict(deployment.contracts),
            blobs=f"{self.api_url}/v1/blobs",
            clocks=self.network.profile.clocks() | dict(deployment.clocks),
            accounts=self.cast.entries(),
        )

    def _say(self, text: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self._launched:6.1f} s[/]  {text}", highlight=False)


def write_summary(folder: Path, summary: Summary) -> Path:
    """Write summary.json, whole or not at all."""
    path = folder / "summary.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(summary.to_json(), indent=2) + "\n")
    partial.replace(path)
    return path


def play(profile: Profile, liar: bool, stay: bool, launched: float, console: Console | None = None) -> int:
    """Raise a network and run the main job on it; the exit status. With `stay` the network is up until a signal."""
    console = console or Console(width=None if sys.stdout.isatty() else 120)
    with LocalNetwork(profile) as network:
        run = Play(network, make_cast(liar), console, launched)
        reasons = run.run()
        if stay:
            console.print(f"The network stays up: open {run.api_url}/ in a browser. Ctrl-C ends it.", soft_wrap=True)
            network.wait_while_healthy(lambda: False)
    return 1 if reasons else 0
