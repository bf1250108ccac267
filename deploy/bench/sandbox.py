"""Tasks a second through the sandbox: one child process, a fresh instance for each task, result leaves beside it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import wasmtime

from execution import Sandbox
from programs.catalogue import CATALOGUE
from protocol.merkle import ResultTree
from protocol.merkle import TaskResult as ResultLeaf
from protocol.wasm import Limits, Program, build_program

TASKS = 4_000
ROUNDS = 8
NOTHING = """(module (memory (export "memory") 1 1)
  (func (export "alloc") (param i32) (result i32) i32.const 1024)
  (func (export "run") (param i32 i32) (result i64) i64.const 0))"""
"""A program that does nothing and has an empty output."""


@dataclass(frozen=True)
class SandboxFigure:
    """Tasks a second: run only; run, then hashed into a result tree."""

    program: str
    tasks: int
    run_per_s: float
    with_leaves_per_s: float

    def to_json(self) -> dict[str, Any]:
        """As var/bench/sandbox.json has it."""
        return asdict(self)


def no_op() -> Program:
    """The program that does nothing, built like any other."""
    return build_program(bytes(wasmtime.wat2wasm(NOTHING)), Limits(wu=1_000, memory_pages=1, frame_bytes=1_024))


def measure_sandbox(tasks: int = TASKS) -> list[SandboxFigure]:
    """Nothing, and images for digits, `tasks` of each. Raises DeviceFailure."""
    images = [bytes((k + number) % 17 for k in range(64)) for number in range(tasks)]
    return [
        _measure("no-op", no_op(), [b""] * tasks),
        _measure("digits", CATALOGUE["digits"].build(), images),
    ]


def _measure(name: str, program: Program, inputs: Sequence[bytes]) -> SandboxFigure:
    """Medians over ROUNDS parts of the inputs, the two ways in turn."""
    size = len(inputs) // ROUNDS
    with Sandbox(program.rewritten, program.limits) as sandbox:
        sandbox.run_many(inputs[:16])  # the child starts and compiles
        samples = [_round(sandbox, inputs[k * size : (k + 1) * size]) for k in range(ROUNDS)]
    run_s, hashed_s = (statistics.median(column) for column in zip(*samples, strict=True))
    return SandboxFigure(name, size * ROUNDS, size / run_s, size / hashed_s)


def _round(sandbox: Sandbox, inputs: Sequence[bytes]) -> tuple[float, float]:
    start = time.perf_counter()
    sandbox.run_many(inputs)
    between = time.perf_counter()
    results = sandbox.run_many(inputs)
    leaves = [ResultLeaf.of_output(k, r.output, r.wu, r.status) for k, r in enumerate(results)]
    assert ResultTree(leaves).total_wu == sum(result.wu for result in results)
    return between - start, time.perf_counter() - between
