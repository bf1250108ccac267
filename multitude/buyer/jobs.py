"""A job: followed as its tasks are accepted, attested and final; verified, cancelled, accounted for."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from anyio import from_thread
from anyio.to_thread import run_sync

from chain.client import ChainClient
from multitude.buyer.api import JobEvent
from multitude.buyer.display import ProgressBar, duration, html_card, tokens
from multitude.buyer.follow import Follower
from multitude.buyer.receipt import JobReceipt
from multitude.buyer.status import RANK, JobStatus, Task, TaskState, missing_of, pages_of, ranges_of, tasks_of_page
from multitude.buyer.verification import SettledTask, settled_tasks
from multitude.errors import (
    ApiUnreachable,
    BalanceTooLow,
    DeadlinePassed,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    ResultsInvalid,
)
from protocol.encoding import to_hex
from protocol.messages import Bid

if TYPE_CHECKING:
    from multitude.buyer.client import AsyncClient

T = TypeVar("T")

PAGE_TASKS = 200
CONFIRM_S = 60.0
"""How long the chain may take to show what the market calls final."""
OPENING_S = 60.0
OUTAGE_S = 60.0
"""How long a market may be away while a job is followed."""
OUTAGE_PAUSE_S = 0.5
KEPT_BYTES_MAX = 64 << 20
PHASE_OPEN, PHASE_CLOSING, PHASE_CLOSED = 1, 2, 3
"""JobPhase."""
FOREVER_S = 10 * 365 * 86_400.0
SPAN_STATES = {f"span.{state}": rank for state, rank in RANK.items()}

OnProgress = Callable[[JobStatus], None]


class Cancellation(NamedTuple):
    """What a cancelled job gives back, in wei, and from when on, in Unix seconds.

    Until then the settler may still post work that was done before: `refund` is what no posting holds now,
    `refund_most` what comes back if nothing that is posted gets paid. The market closes the job then; anybody may.
    """

    closes_at: int
    refund: int
    refund_most: int

    def to_json(self) -> dict[str, Any]:
        """Everything; amounts as decimal strings."""
        return {"closes_at": self.closes_at, "refund": str(self.refund), "refund_most": str(self.refund_most)}

    def rows(self) -> list[tuple[str, str]]:
        """The cancellation for people."""
        left = max(0.0, self.closes_at - time.time())
        more = (
            f", up to {tokens(self.refund_most)} if posted work is not paid" if self.refund_most > self.refund else ""
        )
        when = time.strftime("%H:%M:%S UTC", time.gmtime(self.closes_at))
        return [
            ("refund", tokens(self.refund) + more + ", less what was done before and is posted until then"),
            ("from", f"{when}, in {duration(left)}: to the escrow balance"),
        ]


class AsyncJob:
    """A job of this buyer. `job_id` is all that is needed to come back to it: `client.job(job_id)`."""

    def __init__(self, client: "AsyncClient", bid: Bid) -> None:
        self._client = client
        self._api = client.api
        self.bid = bid
        self.job_id = to_hex(bid.job_id)
        self._kept: dict[bytes, bytes] = {}

    async def status(self) -> JobStatus:
        """Where the job stands, as the market tells it."""
        return JobStatus.from_json(await self._api.job(self.job_id), self.bid.task_count)

    async def events(self) -> AsyncGenerator[JobEvent, None]:
        """The job's story as it happens, from its beginning until the job is over."""
        async with Follower(self._api, self.job_id) as follower:
            while True:
                told = await follower.take(FOREVER_S)
                for event in told:
                    yield event
                if not told and not follower.is_live and (await self.status()).is_over:
                    return

    # --- waiting

    async def wait(
        self,
        timeout_s: float = 600,
        on_progress: OnProgress | None = None,
        *,
        state: TaskState = "final",
        progress: bool = False,
    ) -> Self:
        """Until every task has reached `state`; `progress` draws a bar.

        Raises JobFailed (JobCancelled, DeadlinePassed, BalanceTooLow), JobTimedOut.
        """
        if progress:
            with ProgressBar(self.bid.task_count) as bar:
                return await self.wait(timeout_s, lambda s: bar.show({k: s.reached(k) for k in RANK}), state=state)
        async with aclosing(self._watch(timeout_s)) as steps:
            async for status, _ in steps:
                if on_progress is not None:
                    on_progress(status)
                if status.reached(state) == self.bid.task_count:
                    return self
                if status.is_over:
                    raise await self._failure(status, f"{status.reached(state)} tasks reached {state}")
        raise JobTimedOut(f"not every task is {state} after {timeout_s:g} s; the job goes on")

    async def as_completed(
        self, state: TaskState = "final", timeout_s: float | None = None
    ) -> AsyncGenerator[Task, None]:
        """Each task once, when it has reached `state`, in the order in which they do.

        "accepted": a device has delivered it; it may still turn out wrong and be done again, which is not told here.
        "attested": every drawn seat agreed. "final": paid for and past every challenge; with `rpc_url` the output is
        verified against the chain and the blobs. Raises JobFailed and its kin, JobTimedOut, ResultsInvalid.
        """
        missing = dict.fromkeys(range(self.bid.task_count))
        silent_since: float | None = None
        async with aclosing(self._watch(FOREVER_S if timeout_s is None else timeout_s)) as steps:
            async for status, told in steps:
                done = self.bid.task_count - len(missing)
                wanted = self._named(told, state) if told else range(self.bid.task_count)
                found: list[Task] = []
                if status.reached(state) > done:
                    found = await self._look(state, sorted(task for task in wanted if task in missing))
                for task in found:
                    del missing[task.task]
                for task in found:
                    yield task
                if not missing:
                    return
                if found or status.reached(state) == done:
                    silent_since = None
                elif silent_since is None:
                    silent_since = time.monotonic()
                elif time.monotonic() - silent_since > CONFIRM_S:
                    raise ResultsInvalid(
                        f"the market says that {missing_of(list(missing))} are {state}, and shows none"
                    )
                if status.is_over and not status.reached(state) > done + len(found):
                    raise await self._failure(status, f"without {missing_of(list(missing))}")
        raise JobTimedOut(f"{missing_of(list(missing))} are not {state} after {timeout_s or 0:g} s; the job goes on")

    async def _watch(self, timeout_s: float) -> AsyncGenerator[tuple[JobStatus, list[JobEvent]], None]:
        """The status now and after all that happens, with what was told: empty where one looks for oneself."""
        deadline = time.monotonic() + timeout_s
        async with Follower(self._api, self.job_id) as follower:
            yield await self._patiently(self.status), []
            while (left := deadline - time.monotonic()) > 0:
                told = await follower.take(left)
                yield await self._patiently(self.status), told

    async def _patiently(self, ask: Callable[..., Awaitable[T]], *args: Any) -> T:
        """An answer of a market that may be starting again: whoever follows a job outlives that."""
        since = time.monotonic()
        while True:
            try:
                return await ask(*args)
            except ApiUnreachable:
                if time.monotonic() - since > OUTAGE_S:
                    raise
                await asyncio.sleep(OUTAGE_PAUSE_S)

    def _named(self, told: list[JobEvent], state: TaskState) -> set[int]:
        found: set[int] = set()
        for event in told:
            if SPAN_STATES.get(event.kind, 0) >= RANK[state]:
                for tasks in ranges_of(event.data, self.bid.task_count):
                    found.update(tasks)
        return found

    # --- results

    async def _look(self, state: TaskState, wanted: list[int]) -> list[Task]:
        """Which of the wanted tasks have reached the state, in order."""
        if not wanted:
            return []
        there: dict[int, Task] = {}
        for first, length in pages_of(wanted, PAGE_TASKS):
            there.update({task.task: task for task in await self._page(first, length)})
        tasks = [there[task] for task in wanted if task in there and RANK[there[task].state] >= RANK[state]]
        return await self._verified(tasks) if state == "final" and self._client.has_chain and tasks else tasks

    async def _page(self, first: int, length: int) -> list[Task]:
        found: list[Task] = []
        after = first + length
        while first < after:
            page = await self._patiently(self._api.results, self.job_id, first, after - first)
            found += tasks_of_page(page, first, after - first, self.bid.max_output_bytes)
            following = page.get("next")
            if type(following) is not int or following <= first:
                break
            first = following
        return found

    async def _verified(self, tasks: list[Task]) -> list[Task]:
        """Those that the chain has settled too, with the outputs that it vouches for."""
        settled = {task.task: task for task in await self.settled()}
        both = [(task, settled[task.task]) for task in tasks if task.task in settled]
        return [
            task._replace(
                output=sure.output, wu=sure.wu, status=sure.status, device=sure.device, epoch=sure.epoch, verified=True
            )
            for task, sure in both
        ]

    async def reached(self, state: TaskState = "final") -> list[Task]:
        """The tasks that have reached the state by now, in order; does not wait. See `as_completed`."""
        return await self._look(state, list(range(self.bid.task_count)))

    async def settled(self) -> list[SettledTask]:
        """The tasks that are paid for, verified against the chain and the blobs. Raises ResultsInvalid, NoChain."""
        chain = await self._client.chain()
        return await run_sync(self._settled, chain)

    async def results(self) -> list[bytes]:
        """Every task's output in task order. Raises JobFailed while some are not settled, ResultsInvalid, NoChain."""
        tasks = await self.settled()
        if [task.task for task in tasks] != list(range(self.bid.task_count)):
            raise JobFailed(f"{len(tasks)} of {self.bid.task_count} tasks are settled")
        return [task.output for task in tasks]

    def _settled(self, chain: ChainClient) -> list[SettledTask]:
        record = chain.call("JobEscrow", "jobOf", self.bid.job_id)
        events = chain.logs(chain.deployment.deploy_block, chain.head().number)
        ledger = [event for event in events if event.contract == "EpochLedger"]
        return settled_tasks(self.bid, record["feePpm"], chain.deployment.domain, ledger, self._fetch)

    def _fetch(self, name: bytes) -> bytes:
        """A blob, from a worker thread of the event loop."""
        if name not in self._kept:
            if sum(map(len, self._kept.values())) > KEPT_BYTES_MAX:
                self._kept.clear()
            self._kept[name] = from_thread.run(self._api.get_blob, name)
        return self._kept[name]

    # --- money

    async def cancel(self) -> Cancellation:
        """Cancel the job by the buyer's own transaction: what is not paid for comes back after the posting grace.

        Waits for the job to be open. Cancelling again tells the same. Raises JobFailed where it is closed or was
        refused, AccountIsContract, NoChain.
        """
        chain = await self._client.chain()
        record = await self._record(chain)
        if record["phase"] == PHASE_OPEN:
            await self._client.on_chain(lambda wallet: wallet.send(("JobEscrow", "cancelJob", (self.bid.job_id,))))
            record = await self._record(chain)
        if record["phase"] == PHASE_CLOSED:
            raise JobFailed("the job is closed already")
        free, held = int(record["available"]), int(record["debited"])
        return Cancellation(int(record["closesAt"]), free, free + held)

    async def receipt(self) -> JobReceipt:
        """Where the money went, leaf by leaf, with the transactions, as the market tells it."""
        return JobReceipt.from_json(await self._api.receipt(self.job_id))

    async def _record(self, chain: ChainClient) -> "dict[str, int]":
        """The job on chain, once it is there."""
        async with aclosing(self._watch(OPENING_S)) as steps:
            async for status, _ in steps:
                record: dict[str, int] = await run_sync(chain.call, "JobEscrow", "jobOf", self.bid.job_id)
                if record["phase"] != 0:
                    return record
                if status.is_over:
                    raise await self._failure(status, "it was never open")
        raise JobTimedOut(f"the job is not open on chain after {OPENING_S:g} s")

    async def _failure(self, status: JobStatus, what: str) -> Exception:
        """Why nothing more comes."""
        if status.state == "refused":
            reason = status.error or "no reason given"
            if "BalanceTooLow" in reason:
                numbers = [
                    int(word)
                    for word in reason.replace("(", " ").replace(")", " ").replace(",", " ").split()
                    if word.isdigit()
                ]
                got, needed = numbers if len(numbers) == 2 else (0, self.bid.budget)
                return BalanceTooLow(needed, got, "the escrow")
            kind = DeadlinePassed if "DeadlinePassed" in reason else JobFailed
            return kind(f"the chain refused the job: {reason}")
        kind = JobCancelled if await self._was_cancelled() else DeadlinePassed
        return kind(f"the job was closed {what}; refunded {tokens(status.refunded or 0)}")

    async def _was_cancelled(self) -> bool:
        """Whether closing began before the deadline, which only the buyer can make it do."""
        if not self._client.has_chain:
            return time.time() <= self.bid.deadline
        chain = await self._client.chain()
        record = await run_sync(chain.call, "JobEscrow", "jobOf", self.bid.job_id)
        grace = chain.deployment.clocks.get("posting_grace", 0)
        return bool(0 < record["closesAt"] - grace <= self.bid.deadline)

    def _repr_html_(self) -> str:
        rows = [("job", self.job_id), ("program", to_hex(self.bid.program_id)), ("tasks", str(self.bid.task_count))]
        return html_card("Job", [*rows, ("budget", tokens(self.bid.budget))])
