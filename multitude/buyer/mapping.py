"""`map`: an iterable of any length becomes jobs of bounded size, and their outputs come back, with back-pressure.

Held at any time: `window` jobs whose outputs are not all taken, each of at most `job_tasks` tasks, and one chunk.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from anyio.to_thread import run_sync

from chain.errors import ChainError
from multitude.buyer.jobs import AsyncJob
from multitude.buyer.pricing import Terms
from multitude.buyer.program import ProgramRef
from multitude.buyer.status import TaskState
from multitude.errors import CapExceeded, MultitudeError

if TYPE_CHECKING:
    from multitude.buyer.client import AsyncClient

LOG = logging.getLogger("multitude.map")

WINDOW = 4
JOB_TASKS = 256
LINGER_S = 1.0
_END: list[Any] = []


@dataclass(frozen=True)
class MapPlan:
    """How an iterable is mapped: see `AsyncClient.map`."""

    program: ProgramRef
    ordered: bool
    window: int
    job_tasks: int
    linger_s: float
    state: TaskState
    terms: Terms
    deposit: bool
    cap: int | None

    def __post_init__(self) -> None:
        if self.window < 1 or self.job_tasks < 1 or self.linger_s < 0:
            raise ValueError("window and job_tasks are at least 1, linger_s at least 0")


@dataclass
class _Part:
    """A job of the map: the index of its first input, how much is to come before another may take its place."""

    first: int
    left: int
    job: AsyncJob | None = None
    is_done: bool = False


class _Output(NamedTuple):
    part: _Part
    at: int
    value: Any


async def mapped(
    client: "AsyncClient", plan: MapPlan, inputs: Iterable[Any] | AsyncIterable[Any]
) -> AsyncGenerator[Any, None]:
    """The outputs, or with ordered=False pairs (index, output)."""
    run = _Run(client, plan)
    run.start(run.read(chunks_of(inputs, plan.job_tasks, plan.linger_s)))
    ready: dict[int, _Output] = {}
    given = 0
    try:
        while run.total != given:
            item = await run.arrived.get()
            if isinstance(item, BaseException):
                raise item
            if isinstance(item, _Output):
                ready[item.at] = item
            while ready and (not plan.ordered or given in ready):
                output = ready.pop(given if plan.ordered else next(iter(ready)))
                given += 1
                run.taken(output.part)
                yield output.value if plan.ordered else (output.at, output.value)
    finally:
        await run.close()


class _Run:
    """What goes on behind a map: one task reads, one for each job submits and follows it."""

    def __init__(self, client: "AsyncClient", plan: MapPlan) -> None:
        self.arrived: asyncio.Queue[_Output | BaseException | None] = asyncio.Queue()
        self.total: int | None = None
        self._client = client
        self._plan = plan
        self._slots = asyncio.Semaphore(plan.window)
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._parts: list[_Part] = []
        self._at_stake = 0

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs beside; its failure ends the map."""
        task = asyncio.create_task(self._told(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def read(self, chunks: AsyncGenerator[list[Any], None]) -> None:
        """Opens a job for each chunk while there is room for one."""
        read = 0
        async with aclosing(chunks):
            await self._slots.acquire()
            async for chunk in chunks:
                part = _Part(read, len(chunk) + 1)
                self._parts.append(part)
                read += len(chunk)
                self.start(self._run(part, chunk))
                await self._slots.acquire()
        self.total = read
        await self.arrived.put(None)

    def taken(self, part: _Part) -> None:
        """One output of a job has gone out, or the job is accounted for; with the last there is room for another."""
        part.left -= 1
        if part.left == 0:
            self._slots.release()

    async def close(self) -> None:
        """Ends what runs; jobs that are not done are cancelled on chain, as far as that can be."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for part in self._parts:
            if part.job is not None and not part.is_done and self._client.has_chain:
                try:
                    await part.job.cancel()
                except (MultitudeError, ChainError) as error:
                    LOG.warning("job %s of a map was not cancelled: %s", part.job.job_id, error)

    async def _told(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - handed on: the map raises it
            await self.arrived.put(error)

    async def _run(self, part: _Part, chunk: list[Any]) -> None:
        plan = self._plan
        part.job = job = await self._submit(chunk)
        async for task in job.as_completed(plan.state):
            value = plan.program.value_of(part.first + task.task, task.status, task.output)
            await self.arrived.put(_Output(part, part.first + task.task, value))
        part.is_done = True
        self._parts.remove(part)
        if plan.cap is not None and plan.state == "final":
            self._at_stake -= job.bid.budget - (await job.receipt()).spent
        self.taken(part)

    async def _submit(self, chunk: list[Any]) -> AsyncJob:
        plan = self._plan
        async with self._turn:
            left = None if plan.cap is None else plan.cap - self._at_stake
            try:
                job = await self._client.submit(plan.program, chunk, plan.terms, deposit=plan.deposit, cap=left)
            except CapExceeded as error:
                raise CapExceeded(error.needed + self._at_stake, error.cap + self._at_stake) from None
            self._at_stake += job.bid.budget
            return job


async def chunks_of(
    inputs: Iterable[Any] | AsyncIterable[Any], size: int, linger_s: float
) -> AsyncGenerator[list[Any], None]:
    """Lists of at most `size` inputs; one is shorter when the next input has not come `linger_s` after its first."""
    source = _asynchronous(inputs, size, linger_s)
    chunk: list[Any] = []
    following: asyncio.Task[list[Any]] | None = None
    deadline = 0.0
    try:
        while True:
            following = following or asyncio.create_task(anext(source, _END))
            patience = max(0.0, deadline - time.monotonic()) if chunk else None
            done, _ = await asyncio.wait({following}, timeout=patience)
            if done:
                found, following = following.result(), None
                if found is _END:
                    break
                deadline = deadline if chunk else time.monotonic() + linger_s
                chunk += found
            if len(chunk) >= size or not done:
                yield chunk[:size]
                chunk = chunk[size:]
                deadline = time.monotonic() + linger_s
        while chunk:
            yield chunk[:size]
            chunk = chunk[size:]
    finally:
        if following is not None:
            following.cancel()


async def _asynchronous(
    inputs: Iterable[Any] | AsyncIterable[Any], size: int, linger_s: float
) -> AsyncGenerator[list[Any], None]:
    """Inputs a few at a time: those of a plain iterable are read on a thread, as it may block."""
    if isinstance(inputs, AsyncIterable):
        async for value in inputs:
            yield [value]
        return
    source = iter(inputs)
    while found := await run_sync(_some_of, source, size, linger_s, abandon_on_cancel=True):
        yield found


def _some_of(source: Iterator[Any], size: int, linger_s: float) -> list[Any]:
    """The next inputs: as many as come before one was slow."""
    found: list[Any] = []
    deadline = time.monotonic() + linger_s
    for value in source:
        found.append(value)
        if len(found) == size or time.monotonic() > deadline:
            break
    return found
