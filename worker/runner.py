"""Running the tasks of a lease: children of `execution`, one for each program and processor, kept between leases."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from execution import DeviceFailure, Sandbox
from execution import TaskResult as Outcome
from protocol.messages import Bid
from protocol.wasm import Program
from worker.work import Task, Work

PROGRAMS_KEPT = 2
SLICE_TASKS = 64
SLICE_S = 0.5

__all__ = ["DeviceFailure", "Outcome", "Runner", "SandboxRunner"]


class Runner(Protocol):
    """Turns work into outcomes, task by task in order. `run` blocks; `abort` may come from any thread."""

    def run(self, work: Work) -> list[Outcome]:
        """The outcomes. Raises DeviceFailure."""
        ...

    @property
    def tasks_done(self) -> int:
        """Tasks of the running or last `run` that have an outcome; may be asked from any thread."""
        ...

    def abort(self) -> None:
        """Makes a running `run` raise DeviceFailure soon."""
        ...

    def close(self) -> None:
        """Ends all children."""
        ...


class SandboxRunner:
    """Runs on wasmtime in sandboxed children, `cpus` of them at a time.

    Each works `cpu_share_percent` of the time, resting between tasks, and stands `niceness` behind other programs.
    """

    def __init__(self, cpus: int = 1, cpu_share_percent: int = 100, niceness: int = 0) -> None:
        self._cpus, self._share_percent, self._niceness = cpus, cpu_share_percent, niceness
        self._aborted = threading.Event()
        self._kept: OrderedDict[bytes, list[Sandbox]] = OrderedDict()
        self._done: list[int] = []

    @property
    def tasks_done(self) -> int:
        """Tasks of the running or last `run` that have an outcome."""
        return sum(self._done)

    def run(self, work: Work) -> list[Outcome]:
        """The outcomes of the tasks in order. Raises DeviceFailure if one could not be run."""
        self._aborted.clear()
        sandboxes = self._sandboxes(work.program)
        parts = _parts(work.tasks, len(sandboxes))
        self._done = [0] * len(parts)
        if len(parts) == 1:
            return self._run_part(0, sandboxes[0], work.bid, parts[0])
        with ThreadPoolExecutor(len(parts)) as pool:
            runs = [
                pool.submit(self._run_part, number, sandbox, work.bid, part)
                for number, (sandbox, part) in enumerate(zip(sandboxes, parts, strict=False))
            ]
            return [outcome for run in runs for outcome in run.result()]

    def abort(self) -> None:
        """Kills the children; they start again with the next work."""
        self._aborted.set()
        for sandboxes in list(self._kept.values()):
            for sandbox in sandboxes:
                sandbox.kill()

    def close(self) -> None:
        """Ends the children."""
        while self._kept:
            self._drop_oldest()

    def _run_part(self, number: int, sandbox: Sandbox, bid: Bid, tasks: Sequence[Task]) -> list[Outcome]:
        """In slices, so that the progress can be told, and a share of the time be rested."""
        outcomes: list[Outcome] = []
        size = SLICE_TASKS if self._share_percent == 100 else 1
        while len(outcomes) < len(tasks):
            inputs = [task.input for task in tasks[len(outcomes) : len(outcomes) + size]]
            start_s = time.perf_counter()
            outcomes += sandbox.run_many(inputs, bid.task_limit_wu, bid.max_output_bytes)
            self._done[number] = len(outcomes)
            if self._share_percent < 100 and len(outcomes) < len(tasks):
                size = self._rest(size, time.perf_counter() - start_s)
        return outcomes

    def _rest(self, size: int, busy_s: float) -> int:
        """Rests after a slice; the size of the next, made to be busy for half of SLICE_S to SLICE_S."""
        if self._aborted.wait(busy_s * (100 / self._share_percent - 1)):
            raise DeviceFailure("aborted")
        if busy_s > SLICE_S:
            return max(1, size // 2)
        return min(SLICE_TASKS, size * 2) if busy_s < SLICE_S / 2 else size

    def _sandboxes(self, program: Program) -> list[Sandbox]:
        key = program.program_id
        if key not in self._kept:
            self._kept[key] = [
                Sandbox(program.rewritten, program.limits, niceness=self._niceness) for _ in range(self._cpus)
            ]
        self._kept.move_to_end(key)
        while len(self._kept) > PROGRAMS_KEPT:
            self._drop_oldest()
        return self._kept[key]

    def _drop_oldest(self) -> None:
        _, sandboxes = self._kept.popitem(last=False)
        for sandbox in sandboxes:
            sandbox.close()


def _parts(tasks: Sequence[Task], count: int) -> list[Sequence[Task]]:
    """The tasks cut into at most `count` runs of nearly the same length, none empty."""
    size = -(-len(tasks) // min(count, len(tasks)))
    return [tasks[start : start + size] for start in range(0, len(tasks), size)]
