"""Vectors of runs: rewritten modules with the results that wasmtime gives."""

from typing import Any

from execution.engine import Engine
from execution.wire import TaskLimits
from programs.catalogue import CATALOGUE
from protocol.encoding import to_hex
from tests.execution import guests
from tests.execution.guests import LIMITS, rewritten

SHOWN = {
    "recursion with no locals",
    "indirect recursion",
    "infinite loop",
    "fill of 4 GiB",
    "growing for ever",
}
"""Of the frame traps and WU stops; of the other guests, all."""


def runs() -> dict[str, Any]:
    """runs.json."""
    stops = {name: text for name, text in (guests.FRAME_TRAPS | guests.WU_STOPS).items() if name in SHOWN}
    texts = guests.SPEC_TRAPS | guests.BAD_POINTERS | stops | guests.RESULTS
    inputs = (b"", b"abc", bytes(range(64)))
    cases = [_case(name, rewritten(text), inputs, LIMITS.wu, 1 << 20) for name, text in texts.items()]
    digits = CATALOGUE["digits"].build().rewritten
    images = (bytes(64), bytes(k % 17 for k in range(64)), b"short", bytes(65))
    cases.append(_case("digits", digits, images, 1_000_000, 4_000))
    cases.append(_case("digits, one WU short", digits, images[:1], 159_453, 4_000))
    cases.append(_case("digits, outputs too long", digits, images[:1], 1_000_000, 0))
    return {"cases": cases}


def _case(name: str, module: bytes, inputs: tuple[bytes, ...], wu: int, output_bytes: int) -> dict[str, Any]:
    engine, results = Engine(module), []
    for item in inputs:
        result = engine.run(item, TaskLimits(wu, output_bytes, digest=True))
        digest = result.state_digest
        if digest is None:
            raise AssertionError("a digest was asked for")
        results.append(
            {
                "input": to_hex(item),
                "status": str(result.status.value),
                "output": to_hex(result.output),
                "wu": str(result.wu),
                "stateDigest": to_hex(digest),
            }
        )
    limits = {"wu": str(wu), "outputBytes": str(output_bytes)}
    return {"name": name, "module": to_hex(module), "limits": limits, "results": results}
