"""Beside the agent: writes its status as it changes, and passes on what commands ask of it."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from protocol.encoding import to_hex
from protocol.merkle import TaskResult
from protocol.messages import Receipt
from worker import control
from worker.agent import LOG, Agent
from worker.benchmark import Benchmark
from worker.control import Wish
from worker.settings import Settings
from worker.state import Phase
from worker.status import LeaseLine, Status, Totals, read_status, write_status

STEP_S = 0.2
REWRITE_S = 1.0


class Reporter:
    """Of one agent. `accepted` is to be the agent's `on_accepted`."""

    def __init__(
        self, settings: Settings, device: str, benchmark: Benchmark, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder: Path = settings.journal_folder(device)
        self._clock = clock
        before = read_status(self._folder)
        now = clock()
        self.status = Status(
            device=device,
            state="starting",
            since=now,
            started_at=now,
            updated_at=now,
            pid=os.getpid(),
            version=benchmark.version,
            market=settings.markets[0],
            cpus=settings.cpus,
            min_price_wei_per_gwu=settings.policy().min_price_wei_per_gwu,
            ns_per_wu=benchmark.typical,
            benchmark=benchmark.ns_per_wu,
            totals=before.totals if before else Totals(),
        )
        self.claim: str | None = None

    def accepted(self, receipt: Receipt, results: Sequence[TaskResult]) -> None:
        """Counts a lease whose receipt the market has taken: its results at the receipt's one price."""
        wu = sum(result.wu for result in results)
        wei = receipt.amount * wu // receipt.total_wu
        self.status = replace(self.status, totals=self.status.totals.plus(len(results), wu, wei))

    async def watch(self, agent: Agent, market_url: Callable[[], str], asked: Callable[[Wish], None]) -> None:
        """Until it is cancelled: the agent's status on disk, and `asked` called with what commands wish."""
        control.take_wish(self._folder)
        written: Status | None = None
        while True:
            wish = control.take_wish(self._folder)
            if wish is not None:
                asked(wish)
            now = self._clock()
            self.status = self._observed(agent, market_url(), now)
            if written is None or _differs(self.status, written) or now - written.updated_at >= REWRITE_S:
                written = replace(self.status, updated_at=now)
                self._write()
            await asyncio.sleep(STEP_S)

    def _write(self) -> None:
        """A full disk ends no agent: it is the journal that must be written."""
        try:
            write_status(self._folder, replace(self.status, updated_at=self._clock()))
        except OSError as error:
            LOG.warning("the status cannot be written: %s", error)

    def ended(self, reason: str) -> None:
        """The last word of an agent that has stopped."""
        now = self._clock()
        self.status = replace(
            self.status, state="stopped", since=now, updated_at=now, reason=reason, until=None, session_until=None,
            lease=None,
        )  # fmt: skip
        self._write()

    def _observed(self, agent: Agent, market: str, now: float) -> Status:
        state, reason, until = state_of(agent, now)
        return replace(
            self.status,
            state=state,
            since=self.status.since if state == self.status.state else now,
            reason=reason,
            until=until,
            market=market,
            session_until=agent.session_until,
            ns_per_wu=agent.ns_per_wu,
            lease=_lease_of(agent),
            claim=self.claim,
        )


def state_of(agent: Agent, now: float) -> tuple[str, str | None, float | None]:
    """A word for what the agent does, why it does not work, and until when.

    checking, running, submitting: a lease is being worked on. waiting: the market has nothing. paused: the policy says
    no. offline: no market answers. refused: the market answers that it gives this device nothing. stopped.
    """
    phase, trouble = agent.device.phase, agent.trouble
    if phase is Phase.STOPPED:
        return "stopped", "this device was convicted" if agent.device.book.convicted else None, None
    if phase is not Phase.IDLE:
        return phase.value, trouble, None
    decision = agent.policy.decision(now)
    if not decision.allowed:
        return "paused", decision.reason, decision.until
    if trouble is not None:
        return "offline", trouble, None
    if agent.refusal is not None:
        return "refused", agent.refusal, None
    return "waiting", "the market has no work for this device at present", None


def _lease_of(agent: Agent) -> LeaseLine | None:
    holding = agent.device.book.working_on
    if holding is None:
        return None
    lease, tasks = holding.grant.lease, len(holding.grant.tasks)
    done = tasks if holding.results else min(tasks, agent.tasks_done)
    return LeaseLine(
        to_hex(lease.job_id), lease.lease_id, to_hex(holding.grant.bid.program_id), len(lease.spans), tasks, done,
        lease.price_wei_per_gwu, lease.expiry,
    )  # fmt: skip


def _differs(new: Status, old: Status) -> bool:
    """Whether more changed than the progress."""
    before = replace(old, lease=new.lease, updated_at=new.updated_at, ns_per_wu=new.ns_per_wu)
    return new != before or bool(new.lease) != bool(old.lease)
