"""What the injected WU counter and frame limit cost: the rewritten module beside the plain one, on wasmtime.

The modules are the repository's own, so they may run in this process, where calls can be timed one by one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import wasmtime

from programs.catalogue import CATALOGUE
from protocol.wasm.rewrite import WU_EXPORT

TARGET = 1.15
ROUNDS = 31
_STACK_BYTES = 1 << 20


@dataclass(frozen=True)
class Workload:
    """A program with an input; a sample is the median of so many calls."""

    program: str
    input: bytes
    calls: int


def _numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


WORKLOADS = (
    Workload("sha256-chain", _numbers(1_000) + b"seed", 25),
    Workload("matmul", _numbers(64, 1), 25),
    Workload("digits", bytes(k % 17 for k in range(64)), 201),
)


@dataclass(frozen=True)
class RewritingFigure:
    """Medians over the rounds: microseconds of one call, less what calling costs; and the ratio within a round.

    `ratio_low` and `ratio_high` are the quartiles.
    """

    program: str
    rounds: int
    calls: int
    plain_us: float
    rewritten_us: float
    ratio: float
    ratio_low: float
    ratio_high: float

    def to_json(self) -> dict[str, Any]:
        """As var/bench/rewriting.json has it."""
        return {**asdict(self), "target": TARGET}


class Guest:
    """One instance of a module, with the input in its memory."""

    def __init__(self, module: bytes, content: bytes, limit_wu: int) -> None:
        engine = wasmtime.Engine(_config())
        self._store = wasmtime.Store(engine)
        compiled = wasmtime.Module(engine, module)
        self._exports = wasmtime.Instance(self._store, compiled, []).exports(self._store)
        self._limit_wu = limit_wu
        self._length = len(content)
        self.refill()
        self._pointer = int(self._function("alloc")(self._store, self._length))
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        memory.write(self._store, content, self._pointer)

    def refill(self) -> None:
        """Sets the WU counter to the limit, where there is one."""
        if WU_EXPORT in self._exports:
            counter = self._exports[WU_EXPORT]
            assert isinstance(counter, wasmtime.Global)
            counter.set_value(self._store, self._limit_wu)

    def run(self) -> bytes:
        """One call; the output."""
        packed = int(self._function("run")(self._store, self._pointer, self._length)) & (1 << 64) - 1
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        start = packed >> 32
        return bytes(memory.read(self._store, start, start + (packed & 0xFFFF_FFFF)))

    def seconds_to_run(self) -> float:
        """Seconds of one call of `run`."""
        self.refill()
        return self._timed("run", self._pointer, self._length)

    def seconds_to_call(self) -> float:
        """Seconds of one call of `alloc`, which does next to nothing."""
        self.refill()
        return self._timed("alloc", self._length)

    def _timed(self, name: str, *arguments: int) -> float:
        function = self._function(name)
        start = time.perf_counter()
        function(self._store, *arguments)
        return time.perf_counter() - start

    def _function(self, name: str) -> wasmtime.Func:
        found = self._exports[name]
        assert isinstance(found, wasmtime.Func)
        return found


def measure_rewriting(workloads: Sequence[Workload] = WORKLOADS, rounds: int = ROUNDS) -> list[RewritingFigure]:
    """Times every workload. Raises AssertionError when a rewritten module gives another output."""
    return [_measure(workload, rounds) for workload in workloads]


def _measure(workload: Workload, rounds: int) -> RewritingFigure:
    entry = CATALOGUE[workload.program]
    plain = Guest(entry.module.read_bytes(), workload.input, entry.limits.wu)
    rewritten = Guest(entry.build().rewritten, workload.input, entry.limits.wu)
    if plain.run() != rewritten.run():
        raise AssertionError(f"{workload.program} was changed by its rewriting")
    samples = [_round(plain, rewritten, workload.calls) for _ in range(rounds)]
    ratios = sorted(with_ / without for without, with_ in samples)
    return RewritingFigure(
        program=workload.program,
        rounds=rounds,
        calls=workload.calls,
        plain_us=1e6 * statistics.median(without for without, _ in samples),
        rewritten_us=1e6 * statistics.median(with_ for _, with_ in samples),
        ratio=statistics.median(ratios),
        ratio_low=ratios[rounds // 4],
        ratio_high=ratios[3 * rounds // 4],
    )


def _round(plain: Guest, rewritten: Guest, calls: int) -> tuple[float, float]:
    """Seconds of one call of the plain and of the rewritten module: medians of calls in turn, less an empty call's."""
    acts = (plain.seconds_to_run, rewritten.seconds_to_run, plain.seconds_to_call, rewritten.seconds_to_call)
    samples = [[act() for act in acts] for _ in range(calls)]
    plain_s, rewritten_s, plain_call_s, rewritten_call_s = (
        statistics.median(column) for column in zip(*samples, strict=True)
    )
    return plain_s - plain_call_s, rewritten_s - rewritten_call_s


def _config() -> wasmtime.Config:
    """As execution.engine sets it."""
    config = wasmtime.Config()
    config.parallel_compilation = False
    config.memory_init_cow = False
    config.max_wasm_stack = _STACK_BYTES
    return config
