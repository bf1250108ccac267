"""Starts an agent from settings and ends it on SIGINT and SIGTERM."""

import asyncio
import signal
from collections.abc import Callable

from worker.agent import LOG, Agent
from worker.journal import Journal
from worker.keystore import load_key
from worker.market_client import HttpMarket
from worker.owner import load_owner
from worker.runner import Runner, SandboxRunner
from worker.settings import Settings

MakeRunner = Callable[[Settings], Runner]


def sandbox_runner(settings: Settings) -> Runner:
    """The runner of every device: sandboxed children on `settings.cpus` processors."""
    return SandboxRunner(settings.cpus)


def run_device(settings: Settings, make_runner: MakeRunner = sandbox_runner) -> str:
    """Runs a device until it is stopped; returns why it ended. Raises WorkerError, OSError."""
    return asyncio.run(_run(settings, make_runner))


async def _run(settings: Settings, make_runner: MakeRunner) -> str:
    key = load_key(settings.key_file)
    owner = load_owner(settings.owner, settings.owner_key_file, settings.binding_file)
    market = HttpMarket(settings.markets)
    journal = Journal(settings.journal_folder(key.address))
    agent = Agent(key, market, make_runner(settings), journal, settings.policy(), owner)
    asked = asyncio.Event()

    def on_signal() -> None:
        asked.set()
        agent.shut_down()

    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, on_signal)
    reason = await agent.run()
    if agent.device.book.convicted:
        LOG.error("%s; it stands by until it is stopped, because a supervisor would only start it again", reason)
        await asked.wait()
    return reason
