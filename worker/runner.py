"""Running the tasks of a lease: children of `execution`, one for each program and processor, kept between leases."""

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

__all__ = ["DeviceFailure", "Outcome", "Runner", "SandboxRunner"]


class Runner(Protocol):
    """Turns work into outcomes, task by task in order. `run` blocks; `abort` may come from any thread."""

    def run(self, work: Work) -> list[Outcome]:
        """The outcomes. Raises DeviceFailure."""
        ...

    def abort(self) -> None:
        """Makes a running `run` raise DeviceFailure soon."""
        ...

    def close(self) -> None:
        """Ends all children."""
        ...


class SandboxRunner:
    """Runs on wasmtime in sandboxed children, `cpus` of them at a time."""

    def __init__(self, cpus: int = 1) -> None:
        self._cpus = cpus
        self._kept: OrderedDict[bytes, list[Sandbox]] = OrderedDict()

    def run(self, work: Work) -> list[Outcome]:
        """The outcomes of the tasks in order. Raises DeviceFailure if one could not be run."""
        sandboxes = self._sandboxes(work.program)
        parts = _parts(work.tasks, len(sandboxes))
        if len(parts) == 1:
            return _run_part(sandboxes[0], work.bid, parts[0])
        with ThreadPoolExecutor(len(parts)) as pool:
            runs = [
                pool.submit(_run_part, sandbox, work.bid, part) for sandbox, part in zip(sandboxes, parts, strict=False)
            ]
            return [outcome for run in runs for outcome in run.result()]

    def abort(self) -> None:
        """Kills the children; they start again with the next work."""
        for sandboxes in list(self._kept.values()):
            for sandbox in sandboxes:
                sandbox.kill()

    def close(self) -> None:
        """Ends the children."""
        while self._kept:
            self._drop_oldest()

    def _sandboxes(self, program: Program) -> list[Sandbox]:
        key = program.program_id
        if key not in self._kept:
            self._kept[key] = [Sandbox(program.rewritten, program.limits) for _ in range(self._cpus)]
        self._kept.move_to_end(key)
        while len(self._kept) > PROGRAMS_KEPT:
            self._drop_oldest()
        return self._kept[key]

    def _drop_oldest(self) -> None:
        _, sandboxes = self._kept.popitem(last=False)
        for sandbox in sandboxes:
            sandbox.close()


def _run_part(sandbox: Sandbox, bid: Bid, tasks: Sequence[Task]) -> list[Outcome]:
    return sandbox.run_many([task.input for task in tasks], bid.task_limit_wu, bid.max_output_bytes)


def _parts(tasks: Sequence[Task], count: int) -> list[Sequence[Task]]:
    """The tasks cut into at most `count` runs of nearly the same length, none empty."""
    size = -(-len(tasks) // min(count, len(tasks)))
    return [tasks[start : start + size] for start in range(0, len(tasks), size)]
