"""What programs cost, counted by hand from the table in protocol.wasm.opcodes."""

import pytest

from execution import TaskResult
from execution.engine import Engine
from execution.wire import TaskLimits
from programs.catalogue import CATALOGUE
from protocol.merkle import Status
from tests.execution.guests import FILL, LIMITS, guest, output, rewritten

ENTRY = 3
"""2, and 1 for up to 8 locals."""
ALLOC = ENTRY + 1
RETURN = 1


def run(text: str, input_: bytes = b"", wu: int = LIMITS.wu) -> TaskResult:
    return Engine(rewritten(text)).run(input_, TaskLimits(wu, 1_000))


COUNTED = {
    "nothing": (guest(output(0, 0)), 0),
    "load and multiply": (guest("i32.const 0 i32.load i32.const 3 i32.mul drop " + output(0, 0)), 1 + 2 + 1 + 2 + 1),
    "divide": (guest("i32.const 9 i32.const 3 i32.div_u drop " + output(0, 0)), 1 + 1 + 10 + 1),
    "call": (guest("call $f " + output(0, 0), extra="(func $f nop)"), 8 + 2),
    "call with 9 locals": (guest("call $f " + output(0, 0), extra=f"(func $f (local {'i64 ' * 9}))"), 8 + 2 + 2),
    "indirect call": (
        guest("i32.const 0 call_indirect " + output(0, 0), extra="(table 1 funcref) (func $f) (elem (i32.const 0) $f)"),
        1 + 16 + 2,
    ),
    "grow": (guest("i32.const 1 memory.grow drop " + output(0, 0)), 1 + 64 + 1),
    "fill": (guest("i32.const 0 i32.const 0 i32.const 17 memory.fill " + output(0, 0)), 3 + 16 + 3),
    "copy of nothing": (guest("i32.const 0 i32.const 0 i32.const 0 memory.copy " + output(0, 0)), 3 + 16),
    "taken branch skips": (guest("(block (br 0) (drop (i32.const 1))) " + output(0, 0)), 1),
    "if taken": (guest("(if (i32.const 1) (then nop (drop (i32.const 1)))) " + output(0, 0)), 1 + 1 + 2),
    "if not taken": (guest("(if (i32.const 0) (then (drop (i32.const 1)))) " + output(0, 0)), 1 + 1),
    "else": (guest("(if (i32.const 0) (then nop) (else (drop (i32.const 1)))) " + output(0, 0)), 1 + 1 + 2),
    "three rounds": (
        guest(
            "(loop (br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 3)))) "
            + output(0, 0)
        ),
        3 * 7,
    ),
    "return skips": (
        guest(f"(if (i32.const 1) (then (return ({output(0, 0)})))) (drop (i32.const 5)) {output(0, 0)}"),
        1 + 1 + 1,
    ),
}


@pytest.mark.parametrize("name", COUNTED)
def test_wu_of_straight_code_is_the_sum_of_its_weights(name: str) -> None:
    text, expected = COUNTED[name]
    assert run(text) == TaskResult(Status.OK, b"", ALLOC + ENTRY + expected + RETURN)


@pytest.mark.parametrize("name", COUNTED)
def test_wu_limit_one_below_the_cost_stops_the_task(name: str) -> None:
    text, expected = COUNTED[name]
    cost = ALLOC + ENTRY + expected + RETURN
    assert run(text, wu=cost).status is Status.OK
    assert run(text, wu=cost - 1) == TaskResult(Status.WU_LIMIT, b"", cost - 1)


def test_wu_bulk_operation_past_the_limit_does_not_run() -> None:
    fill = 16 + 262_144 // 8
    before = ALLOC + ENTRY + 3 + 16 + RETURN
    text = guest(FILL + output(0, 0))
    assert run(text, wu=before + fill - 16).status is Status.OK
    digest = TaskLimits(before + fill - 17, 1_000, digest=True)
    untouched = TaskLimits(ALLOC + ENTRY, 1_000, digest=True)
    assert (
        Engine(rewritten(text)).run(b"", digest).state_digest
        == Engine(rewritten(text)).run(b"", untouched).state_digest
    )


def test_wu_of_digits_is_what_the_catalogue_promises() -> None:
    entry = CATALOGUE["digits"]
    result = Engine(entry.build().rewritten).run(bytes(64), TaskLimits(entry.limits.wu, 41))
    assert (result.status, result.wu) == (Status.OK, 159_454)
