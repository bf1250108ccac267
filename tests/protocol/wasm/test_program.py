"""Identity of programs: every field counts, and the initial memory is the one that `alloc` finds."""

from dataclasses import replace

import pytest
import wasmtime

from protocol.merkle import words_root
from protocol.wasm import Limits, admit, build_program, initial_memory_root

LIMITS = Limits(wu=1_000_000, memory_pages=16, frame_bytes=65_536)


def module(data: str = "") -> bytes:
    return bytes(
        wasmtime.wat2wasm(f"""(module (memory (export "memory") 1 2) {data}
            (func (export "alloc") (param i32) (result i32) i32.const 0)
            (func (export "run") (param i32 i32) (result i64) i64.const 0))""")
    )


def test_build_program_same_input_gives_same_program() -> None:
    assert build_program(module(), LIMITS) == build_program(module(), LIMITS)


@pytest.mark.parametrize("field", ["wu", "memory_pages", "frame_bytes"])
def test_build_program_other_limit_gives_other_id(field: str) -> None:
    other = replace(LIMITS, **{field: getattr(LIMITS, field) - 1})
    assert build_program(module(), other).program_id != build_program(module(), LIMITS).program_id


def test_build_program_custom_section_changes_the_original_only() -> None:
    plain, named = build_program(module(), LIMITS), build_program(module() + b"\x00\x02\x01x", LIMITS)
    assert plain.rewritten == named.rewritten
    assert plain.program_id != named.program_id


def test_initial_memory_root_is_of_the_full_declared_memory() -> None:
    segments = '(data (i32.const 40) "hello") (data (i32.const 65530) "world!") (data (i32.const 42) "LL")'
    memory = bytearray(2 * 65_536)
    memory[40:45], memory[65_530:65_536], memory[42:44] = b"hello", b"world!", b"LL"
    assert initial_memory_root(admit(module(segments))) == words_root(bytes(memory))
    assert initial_memory_root(admit(module())) == words_root(bytes(2 * 65_536))
