"""Starts an agent from settings, with what runs beside it, and ends it on SIGINT and SIGTERM."""

import asyncio
import signal
from collections.abc import Callable

from worker.agent import LOG, Agent
from worker.benchmark import Benchmark, load_or_measure
from worker.control import Wish
from worker.errors import WorkerError
from worker.journal import Journal
from worker.keystore import load_key
from worker.market_client import HttpMarket
from worker.owner import load_owner
from worker.reporter import Reporter
from worker.runner import Runner, SandboxRunner
from worker.settings import Settings

CLAIM_INTERVAL_S = 300.0

MakeRunner = Callable[[Settings], Runner]


def sandbox_runner(settings: Settings) -> Runner:
    """The runner of every device: sandboxed children, as many and as busy as the policy allows."""
    policy = settings.policy()
    return SandboxRunner(policy.processors, policy.wishes.cpu_share_percent, policy.wishes.niceness)


def run_device(settings: Settings, make_runner: MakeRunner = sandbox_runner) -> str:
    """Runs a device until it is stopped; returns why it ended. Raises WorkerError, OSError."""
    settings.check_can_run()
    return asyncio.run(_run(settings, make_runner))


async def _run(settings: Settings, make_runner: MakeRunner) -> str:
    key = load_key(settings.key_file)
    owner = load_owner(settings.owner, settings.owner_key_file, settings.binding_file)
    market = HttpMarket(settings.markets)
    journal = Journal(settings.journal_folder(key.address))
    benchmark = await asyncio.to_thread(_benchmark, settings)
    reporter = Reporter(settings, key.address, benchmark)
    agent = Agent(
        key, market, make_runner(settings), journal, settings.policy(), owner,
        ns_per_wu=benchmark.typical, on_accepted=reporter.accepted,
    )  # fmt: skip
    asked = asyncio.Event()

    def on_wish(wish: Wish) -> None:
        asked.set()
        agent.shut_down(now=wish is Wish.STOP)

    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, on_wish, Wish.FINISH)
    beside = [asyncio.create_task(reporter.watch(agent, lambda: market.url, on_wish))]
    if settings.auto_claim_wei is not None:
        beside.append(asyncio.create_task(_claim_when_due(settings, reporter)))
    try:
        reason = await agent.run()
        if agent.device.book.convicted:
            LOG.error("%s; it stands by until it is stopped, because a supervisor would only start it again", reason)
            await asked.wait()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    reporter.ended(reason)
    return reason


def _benchmark(settings: Settings) -> Benchmark:
    found, made = load_or_measure(settings.state_dir)
    if made:
        speeds = ", ".join(f"{name} {speed:.2f}" for name, speed in found.ns_per_wu.items())
        LOG.info("measured this machine, ns for a WU: %s", speeds)
    return found


async def _claim_when_due(settings: Settings, reporter: Reporter) -> None:
    """From time to time claims what is due, once it is as much as the settings say; trouble is told and tried again."""
    from chain.errors import ChainError
    from worker.purse import claim_if_due

    while True:
        try:
            reporter.claim = await asyncio.to_thread(claim_if_due, settings)
        except (WorkerError, ChainError, OSError) as error:
            reporter.claim = f"the automatic claim failed: {error}"
        if reporter.claim:
            LOG.info("%s", reporter.claim)
        await asyncio.sleep(CLAIM_INTERVAL_S)
