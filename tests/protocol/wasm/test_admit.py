"""Which modules are refused, and why. Every admitted one must also be valid for wasmtime, original and rewritten."""

import random
import re
from pathlib import Path

import pytest
import wasmtime

from protocol.wasm import Limits, ModuleRefused, admit, build_program, rewrite
from protocol.wasm.bounds import MAX_FRAME_BYTES, MAX_TASK_WU

ROOT = Path(__file__).parents[3]
LIMITS = Limits(wu=1_000_000, memory_pages=16, frame_bytes=65_536)
MEMORY = '(memory (export "memory") 1 2)'
ALLOC = '(func (export "alloc") (param i32) (result i32) i32.const 0)'
RUN = '(func (export "run") (param i32 i32) (result i64) i64.const 0)'


def module(extra: str = "", memory: str = MEMORY, alloc: str = ALLOC, run: str = RUN) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(module {extra} {memory} {alloc} {run})"))


def body(code: str) -> str:
    return f"(func (param i32) (local i64) {code})"


REFUSED = {
    "import": ('(import "a" "b" (func))', "imports"),
    "start": ("(func $s) (start $s)", "start function"),
    "float parameter": ("(func (param f32))", "floating point"),
    "float local": ("(func (local f64))", "floating point"),
    "float constant": (body("f32.const 1 drop"), "floating point"),
    "float load": (body("i32.const 0 f64.load drop"), "floating point"),
    "float conversion": (body("local.get 0 f32.convert_i32_s drop"), "floating point"),
    "float saturation": (body("f32.const 1 i32.trunc_sat_f32_s drop"), "floating point"),
    "float global": ("(global f32 (f32.const 1))", "floating point"),
    "simd": (body("i32.const 1 i8x16.splat drop"), "SIMD"),
    "relaxed simd": (body("local.get 0 i8x16.splat local.get 0 i8x16.splat i8x16.relaxed_swizzle drop"), "SIMD"),
    "simd local": ("(func (local v128))", "value type"),
    "atomics": (body("i32.const 0 i32.atomic.load drop"), "threads"),
    "exceptions": ("(tag $e) (func throw $e)", "section 13"),
    "try table": (body("(try_table)"), "exceptions"),
    "tail call": ("(func $f return_call $f)", "tail calls"),
    "indirect tail call": (
        "(table 1 funcref) (type $t (func)) (func i32.const 0 return_call_indirect (type $t))",
        "tail",
    ),
    "reference type": ("(func (local externref))", "value type"),
    "null reference": (body("ref.null func drop"), "reference types"),
    "typed select": (body("i32.const 1 i32.const 2 local.get 0 select (result i32) drop"), "reference types"),
    "table get": ("(table 1 funcref) (func i32.const 0 table.get 0 drop)", "reference types"),
    "table grow": ("(table 1 funcref) (func ref.null func i32.const 0 table.grow 0 drop)", "reference types"),
    "table of externref": ("(table 1 externref)", "table of functions"),
    "struct type": ("(type (struct))", "function types"),
    "i31": (body("local.get 0 ref.i31 drop"), "garbage collection"),
    "two results": ("(func (result i32 i32) i32.const 0 i32.const 0)", "results"),
    "block of two results": (body("(block (result i32 i32) i32.const 0 i32.const 0) drop drop"), "results"),
    "passive data": ('(data "x")', "passive"),
    "memory.init": ('(data "x")' + body("i32.const 0 i32.const 0 i32.const 0 memory.init 0"), "passive"),
    "data outside": ('(data (i32.const 65535) "xy")', "outside the memory"),
    "data far outside": ('(data (i32.const -1) "xy")', "outside the memory"),
    "element outside": ("(table 1 funcref) (func $f) (elem (i32.const 1) $f)", "outside the table"),
    "passive element": ("(func $f) (elem func $f)", "active element"),
    "two memories": ("(memory 1 1)", "memories"),
    "two tables": ("(table 1 funcref) (table 1 funcref)", "tables"),
    "huge table": ("(table 100000 funcref)", "units of table"),
    "many parameters": (f"(func (param {'i32 ' * 65}))", "parameters"),
    "many locals": (f"(func (local {'i32 ' * 1025}))", "locals"),
    "deep nesting": (body("(block " * 1100 + ")" * 1100), "nested deeper"),
    "many blocks": (body("(block)" * 2001), "more than 2000 blocks"),
    "high stack": (body("i32.const 0 " * 1100 + "drop " * 1100), "operands on the stack"),
    "long body": (body("i32.const 1234567 drop " * 60_000), "bytes of a function"),
    "wide br_table": (body("local.get 0 br_table " + "0 " * 5000), "branch targets"),
    "many globals": ("(global i32 (i32.const 0))" * 1001, "globals"),
    "extended constant": ("(global i32 (i32.add (i32.const 1) (i32.const 2)))", "extended constant"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_admit_forbidden_feature_is_refused(name: str) -> None:
    extra, reason = REFUSED[name]
    with pytest.raises(ModuleRefused, match=reason):
        admit(module(extra))


@pytest.mark.parametrize(
    ("memory", "reason"),
    [
        ("", "no memory"),
        ("(memory 1 2)", 'exported as "memory"'),
        ('(memory (export "memory") 1)', "no maximum"),
        ('(memory (export "memory") 1 1025)', "at most 1024"),
        ('(memory (export "memory") 1 2 shared)', "shared"),
        ('(memory (export "memory") i64 1 2)', "64-bit"),
        ('(memory 1 2) (global (export "memory") i32 (i32.const 0))', 'exported as "memory"'),
    ],
)
def test_admit_wrong_memory_is_refused(memory: str, reason: str) -> None:
    with pytest.raises(ModuleRefused, match=re.escape(reason)):
        admit(module(memory=memory))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"alloc": ""},
        {"run": ""},
        {"alloc": '(func (export "alloc") (result i32) i32.const 0)'},
        {"alloc": '(func (export "alloc") (param i32))'},
        {"run": '(func (export "run") (param i32 i32) (result i32) i32.const 0)'},
        {"run": '(func (export "run") (param i32 i64) (result i64) i64.const 0)'},
        {"run": '(global (export "run") i64 (i64.const 0))'},
    ],
)
def test_admit_wrong_export_is_refused(kwargs: dict[str, str]) -> None:
    with pytest.raises(ModuleRefused, match="is exported"):
        admit(module(**kwargs))


def _raw_module(code: bytes) -> bytes:
    """A valid module but for one more function () -> () of these bytes."""
    good = module("(func)")
    old = b"\x02\x00\x0b"
    assert good.count(old) == 1
    # the extra function comes first; sizes of body, section are one byte each here
    section = good.index(b"\x0a", good.index(old) - 4)
    patched = bytearray(good.replace(old, bytes([1 + len(code)]) + b"\x00" + code))
    patched[section + 1] += len(code) - 1
    return bytes(patched)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (b"\x1a\x0b", "operand is missing"),
        (b"\x41\x00\x0b", "left at the end"),
        (b"\x41\x00\x42\x00\x6a\x1a\x0b", "wrong type"),
        (b"\x20\x00\x1a\x0b", "no local 0"),
        (b"\x23\x00\x1a\x0b", "no global 0"),
        (b"\x0c\x01\x0b", "no label 1"),
        (b"\x10\x63\x0b", "no function 99"),
        (b"\x41\x00\x11\x00\x00\x0b", "no table"),
        (b"\x05\x0b", "else without if"),
        (b"\x41\x00\x04\x7f\x41\x00\x0b\x1a\x0b", "needs an else"),
        (b"\x41\x00\x28\x03\x00\x1a\x0b", "alignment"),
        (b"\x41\x00\x28\x42\x00\x00\x1a\x0b", "alignment"),
        (b"\x3f\x01\x1a\x0b", "one memory"),
        (b"\x41\xff\xff\xff\xff\x7f\x1a\x0b", None),
        (b"\x41\xff\xff\xff\xff\x0f\x1a\x0b", "too long"),
        (b"\x41\x80\x80\x80\x80\x80\x00\x1a\x0b", "too long"),
        (b"\x0c\x80\x80\x80\x80\x10\x0b", "longer than 32 bits"),
        (b"\x0b\x0b", "behind the end"),
        (b"\x01\x01", "unexpected end"),
        (b"\xff\x0b", "unknown opcode 0xff"),
        (b"\x06\x40\x0b\x0b", "exceptions"),
        (b"\x00\x6a\x1a\x0b", None),
        (b"\x02\x40\x0c\x00\x42\x00\x1a\x0b\x0b", None),
    ],
)
def test_admit_badly_typed_body_is_refused_at_its_function(code: bytes, reason: str | None) -> None:
    raw = _raw_module(code)
    if reason is None:
        admit(raw)
        return
    with pytest.raises(ModuleRefused, match=reason) as refused:
        admit(raw)
    (fault,) = refused.value.faults
    assert fault.function == 0
    start = raw.index(bytes([1 + len(code), 0]) + code) + 2
    assert start <= fault.offset <= start + len(code)


def test_admit_constant_global_set_is_refused() -> None:
    raw = module("(global (mut i32) (i32.const 0)) (func i32.const 1 global.set 0)")
    place = raw.index(b"\x7f\x01\x41\x00\x0b")
    with pytest.raises(ModuleRefused, match="constant global"):
        admit(raw[: place + 1] + b"\x00" + raw[place + 2 :])


def test_admit_every_truncation_is_refused() -> None:
    whole = (ROOT / "programs/matmul/matmul.wasm").read_bytes()
    ends = {i for i in range(len(whole)) if _is_admitted(whole[:i])}
    assert not {i for i in ends if not wasmtime_valid(whole[:i])}
    assert len(ends) < 2


def test_admit_repeated_section_is_refused() -> None:
    raw = module()
    with pytest.raises(ModuleRefused, match="repeated or out of order"):
        admit(raw + raw[8 : 10 + raw[9]])


def test_admit_oversized_module_is_refused() -> None:
    with pytest.raises(ModuleRefused, match="at most"):
        admit(module() + bytes(2 << 20))


@pytest.mark.parametrize(
    "limits",
    [
        Limits(0, 16, 65_536),
        Limits(MAX_TASK_WU + 1, 16, 65_536),
        Limits(1, 1, 65_536),
        Limits(1, 2_000, 65_536),
        Limits(1, 16, MAX_FRAME_BYTES + 1),
        Limits(1, 16, 0),
    ],
)
def test_build_program_limits_out_of_range_is_refused(limits: Limits) -> None:
    with pytest.raises(ModuleRefused):
        build_program(module(), limits)


def _is_admitted(raw: bytes) -> bool:
    try:
        admit(raw)
    except ModuleRefused:
        return False
    return True


def wasmtime_valid(raw: bytes) -> bool:
    try:
        wasmtime.Module.validate(wasmtime.Engine(), raw)
    except wasmtime.WasmtimeError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("path", ["matmul/matmul.wasm", "sha256_chain/sha256_chain.wasm"])
def test_admit_mutated_module_is_refused_or_valid_for_the_engine(path: str) -> None:
    good = (ROOT / "programs" / path).read_bytes()
    chance = random.Random(f"mutate {path}")
    admitted = 0
    for _ in range(600):
        raw = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            raw[chance.randrange(8, len(raw))] = chance.randrange(256)
        if _is_admitted(bytes(raw)):
            admitted += 1
            assert wasmtime_valid(bytes(raw))
            assert wasmtime_valid(rewrite(admit(bytes(raw)), 65_536))
    assert admitted > 20
