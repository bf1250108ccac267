"""A refusal names the function that it lies in, whatever else is wrong with the module."""

import random
from pathlib import Path

import pytest
import wasmtime

from protocol.wasm import ModuleRefused, admit
from protocol.wasm.faults import faults
from protocol.wasm.places import Places, without_custom_sections

ROOT = Path(__file__).parents[3]
PARTS = '(memory (export "memory") 1 2) (func $alloc (export "alloc") (param i32) (result i32) i32.const 0)'
RUN = '(func $run (export "run") (param i32 i32) (result i64) i64.const 0)'
PLAIN = "(func $plain (param i32))"


def module(extra: str, parts: str = PARTS + RUN) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(module {extra} {parts})"))


FAULTY = {
    "type": ("(func $broken (param f64))", "broken"),
    "type of an imported function": ('(import "env" "sin" (func $sin (param f64) (result f64)))', "sin"),
    "local": (PLAIN + "(func $broken (local f32))", "broken"),
    "opcode": (PLAIN + "(func $broken f32.const 1 drop)", "broken"),
    "blocks": (PLAIN + f"(func $broken {'(block)' * 2_001})", "broken"),
    "operands": (PLAIN + f"(func $broken {'i32.const 0 ' * 1_100} {'drop ' * 1_100})", "broken"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_admit_fault_in_a_function_names_it(name: str) -> None:
    extra, function = FAULTY[name]
    with pytest.raises(ModuleRefused, match=f"function `{function}`") as refused:
        admit(module(extra))
    assert refused.value.name == function


def test_admit_names_stripped_names_exports_and_numbers() -> None:
    exported = without_custom_sections(module('(func (export "area") f32.const 1 drop)'))
    with pytest.raises(ModuleRefused, match="function `area`"):
        admit(exported)
    with pytest.raises(ModuleRefused, match=r"function 1, byte \d+"):
        admit(without_custom_sections(module(PLAIN + "(func f32.const 1 drop)")))


def test_admit_import_is_named() -> None:
    with pytest.raises(ModuleRefused, match=r"imports are not admitted: `env\.memset`"):
        admit(module('(import "env" "memset" (func (param i32 i32 i32) (result i32)))'))


def test_admit_name_of_an_import_is_short_and_printable() -> None:
    with pytest.raises(ModuleRefused) as refused:
        admit(module(f'(import "a\\1b[31m" "{"x" * 5_000}" (func))'))
    assert refused.value.cause.isprintable()
    assert len(refused.value.cause) < 250


@pytest.mark.parametrize(("type_", "place"), [("(param i32 i64) (result i64)", "run"), ("(result i32)", "run")])
def test_admit_export_of_another_type_is_told_from_a_missing_one(type_: str, place: str) -> None:
    result = "i64.const 0" if "i64)" in type_.split("result")[1] else "i32.const 0"
    with pytest.raises(ModuleRefused, match='"run" is exported with another type than') as refused:
        admit(module("", PARTS + f'(func $run (export "run") {type_} {result})'))
    assert refused.value.name == place


def test_faults_of_several_functions_are_all_found() -> None:
    both = "(func $one f32.const 1 drop) (func $two (local f64)) (func $three i32.const 1 drop)"
    assert [fault.name for fault in faults(module(both))] == ["two", "one"]


def test_faults_names_may_come_from_the_module_before_it_was_stripped() -> None:
    named = module(PLAIN + "(func $broken f32.const 1 drop)")
    assert [fault.name for fault in faults(without_custom_sections(named))] == [None]
    assert [fault.name for fault in faults(without_custom_sections(named), Places.of(named))] == ["broken"]


def test_faults_admitted_module_has_none() -> None:
    assert faults(module(PLAIN)) == []


def test_without_custom_sections_keeps_everything_else() -> None:
    good = (ROOT / "programs/matmul/matmul.wasm").read_bytes()
    custom = b"\x00\x05\x04name"
    assert without_custom_sections(good) == good
    assert without_custom_sections(good + custom) == good
    assert without_custom_sections(good[:8] + custom + good[8:]) == good


def test_places_name_section_of_nonsense_is_left_out() -> None:
    good = module(PLAIN)
    for tail in (b"\x00\x05\x04name", b"\x00\x08\x04name\x01\x7f\x00", b"\x00\x0a\x04name\x01\x03\x02\x00\x90"):
        assert Places.of(without_custom_sections(good) + tail).name(1) == "alloc"


@pytest.mark.slow
def test_faults_mutated_module_never_raises() -> None:
    good = module(
        "".join(extra for extra, _ in list(FAULTY.values())[2:4]).replace("$plain", "", 1).replace("$broken", "")
    )
    chance = random.Random("faults")
    found = 0
    for _ in range(1_500):
        raw = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            raw[chance.randrange(8, len(raw))] = chance.randrange(256)
        found += bool(faults(bytes(raw)))
    assert found
