"""Carries out what the state machine asks for: over the network, on disk, in children; tells it what came of it."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random

from protocol.merkle import TaskResult
from protocol.messages import Binding, Receipt, Session
from protocol.output_blob import encode_outputs
from worker import moves
from worker.errors import (
    LeaseRefused,
    MarketError,
    MarketRefused,
    MarketUnreachable,
    SessionRefused,
)
from worker.facts import Fact, ReceiptSigned
from worker.grants import Grant, LeaseKey, Network
from worker.journal import Journal
from worker.keystore import DeviceKey
from worker.market_client import INLINE_BYTES_MAX, MarketApi, Submission
from worker.moves import Event, Instruction
from worker.owner import Owner
from worker.policy import ALLOWED, Decision, Policy
from worker.preparation import Preparation
from worker.runner import DeviceFailure, Outcome, Runner
from worker.state import Device, Phase
from worker.work import Work

POLL_WAIT_S = 20
ABORT_STEP_S = 0.05
LOOK_S = 0.5
LOG = logging.getLogger("multitude.worker")

_PHASES_WITH_HEARTBEAT = (Phase.CHECKING, Phase.RUNNING, Phase.SUBMITTING)
_CONVICTED = "device_convicted"


class _LeaseLeft(Exception):
    """The lease in hand is given back, because the device may not work now."""


class Agent:
    """One device at work. `run` ends when the device is stopped, and returns why."""

    def __init__(
        self,
        key: DeviceKey,
        market: MarketApi,
        runner: Runner,
        journal: Journal,
        policy: Policy,
        owner: Owner | None = None,
        clock: Callable[[], float] = time.time,
        rng: Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        ns_per_wu: float | None = None,
        on_accepted: Callable[[Receipt, Sequence[TaskResult]], None] = lambda _receipt, _results: None,
    ) -> None:
        """Resumes from the journal. `ns_per_wu` is the speed to offer until a lease has shown another; `on_accepted` is
        told of each lease's receipt and results when the market has them. Raises JournalCorrupt."""
        self._key = key
        self._market = market
        self._runner = runner
        self._journal = journal
        self.policy = policy
        self._owner = owner
        self._clock, self._sleep = clock, sleep
        self.device = Device(policy.terms(key.address), rng or Random(), journal.facts)
        self._preparation = Preparation(market)
        self._events: asyncio.Queue[Event | Exception | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._execution: asyncio.Future[list[Outcome]] | None = None
        self._heartbeat: tuple[LeaseKey, asyncio.Task[None]] | None = None
        self.ns_per_wu = ns_per_wu
        self.decision: Decision = ALLOWED
        self.trouble: str | None = None
        self.refusal: str | None = None
        self.session_until: float | None = None
        self._on_accepted = on_accepted
        self._bound = owner is None
        self._reason = "cancelled"
        holding = self.device.book.working_on
        journal.forget_outputs_but([holding.outputs] if holding and holding.results else [])

    async def run(self) -> str:
        """Works until told to stop or until there is no more to do here; returns the reason.

        Raises JournalCorrupt, IllegalTransition, OSError where going on would be wrong.
        """
        try:
            self._dispatch(self.device.start(self._clock()))
            while (event := await self._events.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                self._dispatch(self.device.handle(event, self._clock()))
                self._tidy()
            return self._reason
        finally:
            await self._close()

    def shut_down(self, *, now: bool = False) -> None:
        """Finish the lease and stop; called again, or `now`: stop at once. To be called in the agent's event loop."""
        for _ in range(2 if now else 1):
            self._events.put_nowait(moves.ShutdownAsked())

    @property
    def tasks_done(self) -> int:
        """Tasks of the present lease that have been run."""
        return self._runner.tasks_done if self._execution else 0

    async def _close(self) -> None:
        self._stop_heartbeat()
        for task in list(self._tasks):
            task.cancel()
        await self._abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._runner.close()
        await self._market.aclose()
        self._journal.close()

    # --- instructions

    def _dispatch(self, instructions: Sequence[Instruction]) -> None:
        """Writes the facts first, then starts on the rest in order."""
        for instruction in instructions:
            if isinstance(instruction, moves.Record):
                self._journal.append(instruction.fact)
        rest = [instruction for instruction in instructions if not isinstance(instruction, moves.Record)]
        if rest:
            self._spawn(self._carry_out(rest))
        self._tend_heartbeat()

    async def _carry_out(self, instructions: Sequence[Instruction]) -> None:
        try:
            for instruction in instructions:
                await self._perform(instruction)
        except Exception as error:
            self._events.put_nowait(error)
            raise

    async def _perform(self, instruction: Instruction) -> None:
        match instruction:
            case moves.Abort(key):
                LOG.info("lease %s is left", key)
                await self._abort()
            case moves.Release(key, reason):
                LOG.warning("lease %s is given back: %s", key, reason)
                await self._release(key)
            case moves.Forget(outputs):
                self._journal.forget_outputs(outputs)
            case moves.Stop(reason):
                self._reason = reason
                self._events.put_nowait(None)
            case moves.Step():
                self._events.put_nowait(await self._answer(instruction))

    async def _answer(self, step: moves.Step) -> Event:
        """What came of a step; trouble with the market is the same for all of them."""
        try:
            match step:
                case moves.OpenSession():
                    return await self._open_session(step)
                case moves.Poll():
                    return await self._poll(step)
                case moves.Prepare(_, grant):
                    return await self._prepare(step, grant)
                case moves.Execute(_, work):
                    return await self._execute(step, work)
                case moves.Submit():
                    return await self._submit(step)
                case moves.Wait(_, seconds):
                    await self._sleep(seconds)
        except MarketUnreachable as error:
            LOG.warning("%s", error.reason)
            self.trouble, self.session_until = error.reason, None
            return moves.Unreachable(step.ticket, error.reason, error.retry_after_s)
        except SessionRefused:
            return moves.SessionLost(step.ticket)
        return moves.Waited(step.ticket)

    async def _open_session(self, step: moves.OpenSession) -> Event:
        try:
            network, expires_at = await self._renew_session()
        except MarketRefused as error:
            self.refusal = error.reason
            return self._convicted_or(error, moves.Unreachable(step.ticket, error.reason))
        LOG.info("device %s has a session with settler %s", self._key.address, network.settler)
        return moves.SessionOpened(step.ticket, network, expires_at)

    async def _renew_session(self) -> tuple[Network, float]:
        network = await self._market.network()
        session = Session(self._key.address, int(self._clock()), os.urandom(32))
        expires_at = await self._market.open_session(session, self._key.sign(session, network.domain))
        await self._bind_once(network)
        await self._market.put_offer(self.policy.offer(self.ns_per_wu))
        self.trouble, self.session_until = None, expires_at
        return network, expires_at

    async def _bind_once(self, network: Network) -> None:
        if self._owner and not self._bound:
            binding = Binding(self._key.address, self._owner.address)
            signature = self._owner.sign(binding, network.domain)
            await self._market.bind(binding, self._key.sign(binding, network.domain), signature)
            self._bound = True

    async def _poll(self, step: moves.Poll) -> Event:
        if not self._may_work():
            return moves.Paused(step.ticket)
        try:
            grant = await self._market.next_lease(POLL_WAIT_S)
        except MarketRefused as error:
            LOG.warning("%s", error.reason)
            self.refusal = error.reason
            return self._convicted_or(error, moves.SessionLost(step.ticket))
        self.refusal = None
        if grant is not None and not self._may_work():
            await self._release(grant.key)
            return moves.Paused(step.ticket)
        return moves.NoLease(step.ticket) if grant is None else moves.LeaseGiven(step.ticket, grant)

    async def _release(self, key: LeaseKey) -> None:
        with suppress(MarketError):
            await self._market.release(key)

    def _may_work(self) -> bool:
        """Asks the policy, and says in the log when its answer changes."""
        before, self.decision = self.decision, self.policy.decision(self._clock())
        if before.reason != self.decision.reason:
            LOG.info("%s", self.decision.reason or "working again")
        return self.decision.allowed

    async def _prepare(self, step: moves.Prepare, grant: Grant) -> Event:
        try:
            return moves.WorkReady(step.ticket, await self._preparation.prepare(grant))
        except (LeaseRefused, MarketRefused) as error:
            return moves.WorkRefused(step.ticket, error.reason)

    async def _execute(self, step: moves.Execute, work: Work) -> Event:
        started = time.perf_counter()
        try:
            self._execution = asyncio.ensure_future(asyncio.to_thread(self._runner.run, work))
            outcomes = await self._outcomes(self._execution)
        except _LeaseLeft as left:
            return moves.DeviceFailed(step.ticket, str(left))
        except (DeviceFailure, OSError) as error:
            return moves.DeviceFailed(step.ticket, f"this device failed: {error}")
        finally:
            if self._execution and self._execution.done():
                self._execution = None
        results, outputs = _results(work, outcomes)
        total_wu = sum(result.wu for result in results)
        self.ns_per_wu = (time.perf_counter() - started) * 1e9 / total_wu
        LOG.info("%d tasks computed, %d WU", len(results), total_wu)
        return moves.ResultsComputed(step.ticket, results, self._journal.keep_outputs(outputs))

    async def _outcomes(self, execution: "asyncio.Future[list[Outcome]]") -> list[Outcome]:
        """What the execution comes to. Raises _LeaseLeft once the policy has waited for it long enough."""
        while not execution.done():
            await asyncio.wait([execution], timeout=LOOK_S)
            reason = None if execution.done() else self.policy.leave(self._clock())
            if reason is not None:
                await self._abort()
                raise _LeaseLeft(reason)
        return execution.result()

    async def _submit(self, step: moves.Submit) -> Event:
        outputs = self._journal.outputs(step.outputs)
        if outputs is None:
            return moves.ResultsRefused(step.ticket, "outputs_lost", "the outputs are gone from this device's disk")
        network = self.device.book.network
        assert network is not None, "Submit follows a session"
        signature = self._key.sign(step.receipt, network.domain)
        # INVARIANT: what is signed is in the journal before it is sent.
        if self.device.book.holdings[step.key].signed != step.receipt:
            self._record(ReceiptSigned(step.key, step.receipt, signature))
        work = Submission(step.results, step.outputs, step.receipt, signature)
        try:
            if len(outputs) <= INLINE_BYTES_MAX:
                work = replace(work, blob=outputs)
            else:
                await self._market.put_blob(outputs)
            grant = await self._market.submit(step.key, work, wants_next=step.wants_next and self._may_work())
        except MarketRefused as error:
            LOG.warning("lease %s: %s", step.key, error.reason)
            if error.code == "period_closed" and error.period is not None:
                return moves.PeriodClosed(step.ticket, error.period)
            return self._convicted_or(error, moves.ResultsRefused(step.ticket, error.code, error.reason))
        LOG.info("lease %s accepted: %d tasks in period %d", step.key, step.receipt.count, step.receipt.period)
        self._on_accepted(step.receipt, step.results)
        if grant is not None and not self._may_work():
            await self._release(grant.key)
            grant = None
        return moves.Accepted(step.ticket, grant)

    def _record(self, fact: Fact) -> None:
        self._journal.append(fact)
        self.device.book.apply(fact)

    def _convicted_or(self, error: MarketRefused, event: Event) -> Event:
        return moves.DeviceConvicted() if error.code == _CONVICTED else event

    async def _abort(self) -> None:
        """Ends the execution, whatever it is at, and waits until it has ended."""
        execution, self._execution = self._execution, None
        while execution is not None and not execution.done():
            self._runner.abort()
            await asyncio.wait([execution], timeout=ABORT_STEP_S)
        if execution is not None and not execution.cancelled():
            execution.exception()

    # --- heartbeats

    def _tend_heartbeat(self) -> None:
        """Sees to it that the lease being worked on, and no other, has heartbeats."""
        holding = self.device.book.working_on
        wanted = holding.grant if holding and self.device.phase in _PHASES_WITH_HEARTBEAT else None
        if self._heartbeat and (wanted is None or self._heartbeat[0] != wanted.key):
            self._stop_heartbeat()
        if wanted and self._heartbeat is None:
            self._heartbeat = (wanted.key, asyncio.create_task(self._beat(wanted)))

    def _stop_heartbeat(self) -> None:
        if self._heartbeat:
            self._heartbeat[1].cancel()
            self._heartbeat = None

    async def _beat(self, grant: Grant) -> None:
        while True:
            await self._sleep(grant.heartbeat_s)
            try:
                await self._market.heartbeat(grant.key)
            except MarketRefused as error:
                refused = moves.HeartbeatRefused(grant.key, error.code)
                self._events.put_nowait(self._convicted_or(error, refused))
                return
            except SessionRefused:
                with suppress(MarketError):
                    await self._renew_session()
            except MarketUnreachable as error:
                LOG.warning("no heartbeat: %s", error.reason)

    # --- inside

    def _tidy(self) -> None:
        """Keeps book and journal small, between leases."""
        if self.device.phase in (Phase.IDLE, Phase.CHECKING):
            self.device.book.prune(self._clock())
            if self._journal.is_large:
                self._journal.compact(self.device.book.keeps)

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _results(work: Work, outcomes: Sequence[Outcome]) -> tuple[tuple[TaskResult, ...], bytes]:
    """The results that are signed, and the blob of their outputs."""
    results = tuple(
        TaskResult.of_output(task.index, outcome.output, outcome.wu, outcome.status)
        for task, outcome in zip(work.tasks, outcomes, strict=True)
    )
    return results, encode_outputs([outcome.output for outcome in outcomes])
