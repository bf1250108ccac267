"""Programs as a joblib backend: needs joblib, which the extra [joblib] brings (scikit-learn has it too).

import multitude.adapters.joblib
square = client.program(program_id, encode=..., decode=...)
with parallel_config(backend="multitude", deposit=True):
    outputs = Parallel()(delayed(square)(x) for x in range(1000))

Only programs can be sent to devices: FunctionRefused for every other function.
"""

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from inspect import signature
from threading import Lock
from typing import Any

from joblib import register_parallel_backend
from joblib.parallel import ParallelBackendBase

from multitude.adapters.futures import MultitudeExecutor, one_call
from multitude.buyer.blocking import Client

AT_ONCE = 512
"""Calls that joblib hands out before it waits; they are gathered into jobs."""


class MultitudeBackend(ParallelBackendBase):  # type: ignore[misc]
    """Runs each call as a task of a job. Options are those of `MultitudeExecutor`: batch_s, state, deposit, ..."""

    supports_retrieve_callback = True
    supports_sharedmem = True
    default_n_jobs = AT_ONCE

    def __init__(self, nesting_level: int | None = None, inner_max_num_threads: int | None = None, **how: Any) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self._how = how
        self._executors: dict[Client, MultitudeExecutor] = {}

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many calls are handed out at once: joblib's own number of workers says nothing about devices."""
        return AT_ONCE if n_jobs is None or n_jobs < 2 else n_jobs

    def configure(self, n_jobs: int = 1, parallel: Any = None, **how: Any) -> int:
        """Takes the options of one Parallel."""
        self.parallel = parallel
        self._how |= how
        return self.effective_n_jobs(n_jobs)

    def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> "Future[list[Any]]":
        """A batch of calls; the future has their outputs in a list. Raises FunctionRefused."""
        calls = [one_call(function, args, options) for function, args, options in func.items]
        parts = [self._executor(program.client).submit(program, value) for program, value in calls]
        gathered = _Gathered(parts)
        if callback is not None:
            gathered.future.add_done_callback(callback)
        return gathered.future

    def retrieve_result_callback(self, out: "Future[list[Any]]") -> list[Any]:
        """The outputs of a batch."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: ARG002 - joblib names it
        """Calls that no job has yet are dropped; jobs that are open go on."""
        self.terminate()

    def terminate(self) -> None:
        """Ends the executors."""
        executors, self._executors = self._executors, {}
        for executor in executors.values():
            executor.shutdown(wait=False, cancel_futures=True)

    def _executor(self, client: Client) -> MultitudeExecutor:
        if client not in self._executors:
            self._executors[client] = MultitudeExecutor(client, "", **_options(self._how))
        return self._executors[client]


class _Gathered:
    """A future of a list, done when all its parts are; the first error is its own."""

    def __init__(self, parts: "list[Future[Any]]") -> None:
        self.future: Future[list[Any]] = Future()
        self._parts = parts
        self._lock = Lock()
        self._left = len(parts)
        for part in parts:
            part.add_done_callback(self._done)

    def _done(self, _: "Future[Any]") -> None:
        with self._lock:
            self._left -= 1
            if self._left:
                return
        try:
            self.future.set_result([part.result() for part in self._parts])
        except (Exception, CancelledError) as error:  # noqa: BLE001 - handed on
            self.future.set_exception(error)


def _options(how: dict[str, Any]) -> dict[str, Any]:
    """The executor's options among joblib's own (max_nbytes and others, which say how to reach processes here)."""
    taken = signature(MultitudeExecutor).parameters
    return {name: value for name, value in how.items() if name in taken}


register_parallel_backend("multitude", MultitudeBackend)
