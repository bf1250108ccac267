"""A program behind `concurrent.futures`: inputs in, futures of outputs out, gathered into jobs on the way.

with MultitudeExecutor(client, square) as executor:
    print(list(executor.map(range(1000))))      # the executor's own program over values
    future = executor.submit(other, 3)          # or any program of the client, as executors do it
"""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

from anyio.to_thread import run_sync

from multitude.buyer.blocking import Client, Program
from multitude.buyer.client import AsyncClient
from multitude.buyer.pricing import Terms
from multitude.buyer.program import ProgramRef
from multitude.buyer.status import Task, TaskState
from multitude.errors import FunctionRefused

BATCH_TASKS = 256
BATCH_S = 0.25

Waiting = list[tuple["Future[Any]", bytes]]


class MultitudeExecutor(Executor):
    """Opens a job when `batch_tasks` inputs have come together, or the first has waited `batch_s` seconds.

    A future can be cancelled until its job is opened. `state` is how sure an output must be; `terms`, `deposit` and
    `cap` (for each job) are those of `Client.submit`. Leave the client open until the executor is shut down.
    """

    def __init__(
        self,
        client: Client,
        program: str | ProgramRef,
        *,
        batch_tasks: int = BATCH_TASKS,
        batch_s: float = BATCH_S,
        state: TaskState = "final",
        terms: Terms | None = None,
        deposit: bool = False,
        cap: int | None = None,
    ) -> None:
        self._client = client
        self._program = program if isinstance(program, ProgramRef) else client.program(program)
        self._batch_tasks, self._batch_s = batch_tasks, batch_s
        self._state: TaskState = state
        self._how: dict[str, Any] = {"terms": terms, "deposit": deposit, "cap": cap}
        self._lock = threading.Lock()
        self._waiting: dict[ProgramRef, Waiting] = {}
        self._running: set[Future[Any]] = set()
        self._is_shut = False

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """`submit(value)` for the executor's own program, or `submit(program, value)`. Raises FunctionRefused."""
        program, value = one_call(fn, args, kwargs) if args or kwargs or callable(fn) else (self._program, fn)
        data, future = program.input_of(value), Future[Any]()
        with self._lock:
            if self._is_shut:
                raise RuntimeError("the executor is shut down")
            self._running.add(future)
            waiting = self._waiting.setdefault(program, [])
            waiting.append((future, data))
            is_first, is_full = len(waiting) == 1, len(waiting) >= self._batch_tasks
            batch = self._waiting.pop(program) if is_full else None
        future.add_done_callback(self._forget)
        if batch is not None:
            self._start(program, batch)
        elif is_first:
            self._client.portal.start(self._flush_later, program)
        return future

    def map(
        self, fn: Any, *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[Any]:
        """`map(values)` for the executor's own program, or `map(program, values)`; outputs in order."""
        found = (self._program, fn) if not iterables else (fn, *iterables)
        return super().map(found[0], *found[1:], timeout=timeout, chunksize=chunksize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes nothing more; what waits for a job is sent at once, or cancelled. Jobs that are open go on."""
        with self._lock:
            self._is_shut = True
            batches, self._waiting = self._waiting, {}
            running = list(self._running)
        for program, batch in batches.items():
            if cancel_futures:
                for future, _ in batch:
                    future.cancel()
            else:
                self._start(program, batch)
        if wait:
            for future in running:
                if not future.cancelled():
                    future.exception()

    def _forget(self, future: "Future[Any]") -> None:
        with self._lock:
            self._running.discard(future)

    def _start(self, program: ProgramRef, batch: Waiting) -> None:
        self._client.portal.start(self._run, program, batch)

    async def _flush_later(self, program: ProgramRef) -> None:
        await asyncio.sleep(self._batch_s)
        with self._lock:
            batch = self._waiting.pop(program, [])
        if batch:
            await self._run(program, batch)

    async def _run(self, program: ProgramRef, batch: Waiting) -> None:
        taken = [(future, data) for future, data in batch if future.set_running_or_notify_cancel()]
        if not taken:
            return
        futures = [future for future, _ in taken]
        try:
            await _run_job(self._client.inner, program, taken, self._state, self._how)
        except Exception as error:  # noqa: BLE001 - handed on: it belongs to the futures
            await run_sync(_fail, futures, error)
        except BaseException as error:
            _fail(futures, error)
            raise


async def _run_job(
    client: AsyncClient, program: ProgramRef, taken: Waiting, state: TaskState, how: dict[str, Any]
) -> None:
    bare = ProgramRef(program.program_id)  # the inputs are bytes already
    job = await client.submit(bare, [data for _, data in taken], **how)
    async for task in job.as_completed(state):
        await run_sync(_settle, taken[task.task][0], program, task)  # decoders and callbacks are the user's code


def _fail(futures: "list[Future[Any]]", error: BaseException) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)


def _settle(future: "Future[Any]", program: ProgramRef, task: Task) -> None:
    try:
        value = program.value_of(task.task, task.status, task.output)
    except Exception as error:  # noqa: BLE001 - a decoder's failure belongs to its future
        future.set_exception(error)
    else:
        future.set_result(value)


def one_call(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Program, Any]:
    """The program and the value of a call. Raises FunctionRefused for all that is no Program over one value."""
    if not isinstance(function, Program):
        name = getattr(function, "__name__", type(function).__name__)
        raise FunctionRefused(f"{name} is a Python function; devices run programs: use client.program(id)")
    if len(args) != 1 or options:
        raise FunctionRefused("a program takes exactly one value: put several into one with its `encode`")
    return function, args[0]
