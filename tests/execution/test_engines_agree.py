"""The same result on wasmtime and on V8, or no receipt."""

import hashlib

import pytest

from execution import Sandbox, TaskResult
from execution.engine import Engine
from execution.wire import TaskLimits
from programs.catalogue import CATALOGUE
from protocol.merkle import Status
from tests.execution import guests
from tests.execution.guests import LIMITS, rewritten
from tests.execution.node import NodeJob, run_on_node

INPUTS = (b"", b"abc", bytes(range(64)))

ALL = {
    f"{group}: {name}": (text, status)
    for group, modules, status in (
        ("trap", guests.SPEC_TRAPS, Status.TRAP),
        ("pointer", guests.BAD_POINTERS, Status.TRAP),
        ("frames", guests.FRAME_TRAPS, Status.TRAP),
        ("limit", guests.WU_STOPS, Status.WU_LIMIT),
        ("result", guests.RESULTS, Status.OK),
    )
    for name, text in modules.items()
}


@pytest.fixture(scope="module")
def on_node() -> dict[str, list[TaskResult | None]]:
    jobs = [NodeJob(rewritten(text), INPUTS, LIMITS.wu) for text, _ in ALL.values()]
    return dict(zip(ALL, run_on_node(jobs), strict=True))


@pytest.mark.parametrize("name", ALL)
def test_engines_attack_module_gives_the_same_result(name: str, on_node: dict[str, list[TaskResult | None]]) -> None:
    text, status = ALL[name]
    engine = Engine(rewritten(text))
    results = [engine.run(item, TaskLimits(LIMITS.wu, 1 << 20, digest=True)) for item in INPUTS]
    assert [r.status for r in results[1:2]] == [status]
    assert results == on_node[name]
    for result in results:
        assert result.status == Status.OK or (result.output == b"" and result.wu == LIMITS.wu)
        assert 1 <= result.wu <= LIMITS.wu


def test_engines_task_limit_gives_the_same_result() -> None:
    entry, inputs = CATALOGUE["digits"], (bytes(range(64)), bytes(64))
    module = entry.build().rewritten
    limits = [1, 2, 50, 159_453, 159_454, 159_455]
    there = run_on_node([NodeJob(module, inputs, wu) for wu in limits])
    with Sandbox(module, entry.limits) as sandbox:
        here = [sandbox.run_many(inputs, wu, digest=True) for wu in limits]
    assert here == there
    assert [results[0].status for results in here] == [Status.WU_LIMIT] * 4 + [Status.OK] * 2


def test_engines_catalogue_gives_the_same_results() -> None:
    inputs = {
        "digits": (bytes(64), bytes(k % 17 for k in range(64)), b"short", bytes(65)),
        "sha256-chain": ((7).to_bytes(4, "little") + b"seed", bytes(4), b"abc", bytes(1029)),
        "matmul": ((33).to_bytes(4, "little") + b"seed", bytes(8), b"x"),
    }
    wu, output_bytes = 1_000_000, 4_000
    modules = {name: CATALOGUE[name].build().rewritten for name in inputs}
    there = run_on_node([NodeJob(modules[name], items, wu, output_bytes) for name, items in inputs.items()])
    for (name, items), expected in zip(inputs.items(), there, strict=True):
        with Sandbox(modules[name], CATALOGUE[name].limits) as sandbox:
            here = sandbox.run_many(items, wu, output_bytes, digest=True)
        assert here == expected
        first = Status.OUTPUT_TOO_LONG if name == "matmul" else Status.OK
        assert (here[0].status, here[-1].status) == (first, Status.TRAP)


def test_sha256_chain_is_sha256() -> None:
    entry = CATALOGUE["sha256-chain"]
    with Sandbox(entry.build().rewritten, entry.limits) as sandbox:
        for size in (0, 1, 55, 56, 63, 64, 119, 120, 1024):
            digest = hashlib.sha256(b"s" * size).digest()
            assert sandbox.run(bytes(4) + b"s" * size).output == digest
            assert sandbox.run(b"\x02\0\0\0" + b"s" * size).output == _sha256_twice(digest)


def _sha256_twice(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("echo", b"abc"),
        ("no output", b""),
        ("memory growth", bytes([1, 1, 3, 255, 255, 3, 3, 4])),
        ("access before growth", bytes([77, 0, 0, 0])),
        ("bulk", b"AAAabAAAA\0"),
        ("early returns", bytes(3)),
    ],
)
def test_rewritten_module_computes_what_the_original_means(name: str, expected: bytes) -> None:
    result = Engine(rewritten(guests.RESULTS[name])).run(b"abc", TaskLimits(LIMITS.wu, 100))
    assert (result.status, result.output) == (Status.OK, expected)
