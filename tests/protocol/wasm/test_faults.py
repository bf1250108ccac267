"""A refusal lists every fault with its function, whatever else is wrong with the module, in bounded memory."""

import json
import random
from pathlib import Path

import pytest
import wasmtime

from protocol.wasm import Cause, Fault, Limits, ModuleRefused, admit, build_program
from protocol.wasm.bounds import MAX_BODY_BYTES
from protocol.wasm.faults import MAX_FAULTS, Faults
from protocol.wasm.places import Places, without_custom_sections
from protocol.wasm.reader import MAX_SHOWN_NAME, unsigned_leb

ROOT = Path(__file__).parents[3]
PARTS = '(memory (export "memory") 1 2) (func $alloc (export "alloc") (param i32) (result i32) i32.const 0)'
RUN = '(func $run (export "run") (param i32 i32) (result i64) i64.const 0)'
PLAIN = "(func $plain (param i32))"


def module(extra: str, parts: str = PARTS + RUN) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(module {extra} {parts})"))


def refusal(data: bytes) -> ModuleRefused:
    with pytest.raises(ModuleRefused) as refused:
        admit(data)
    return refused.value


def told(data: bytes) -> list[tuple[Cause, str | int | None]]:
    """Cause and function of each fault, the function by its name where there is one."""
    return [
        (Cause(fault.cause), fault.function if fault.name is None else fault.name) for fault in refusal(data).faults
    ]


def first_place(data: bytes) -> int | None:
    """The offset of the first fault, None for a module that is admitted."""
    try:
        admit(data)
    except ModuleRefused as error:
        faults = error.faults
    else:
        return None
    assert 0 < len(faults) <= MAX_FAULTS
    assert all(str(fault).isprintable() and len(str(fault)) < 600 for fault in faults)
    return faults[0].offset


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
    assert refused.value.faults[0].name == function


def test_admit_names_stripped_names_exports_and_numbers() -> None:
    exported = without_custom_sections(module('(func (export "area") f32.const 1 drop)'))
    with pytest.raises(ModuleRefused, match="function `area`"):
        admit(exported)
    with pytest.raises(ModuleRefused, match=r"function 1, byte \d+"):
        admit(without_custom_sections(module(PLAIN + "(func f32.const 1 drop)")))


def test_admit_import_is_named() -> None:
    with pytest.raises(ModuleRefused, match=r"imports are not admitted: `env\.memset`"):
        admit(module('(import "env" "memset" (func (param i32 i32 i32) (result i32)))'))


@pytest.mark.parametrize(("type_", "place"), [("(param i32 i64) (result i64)", "run"), ("(result i32)", "run")])
def test_admit_export_of_another_type_is_told_from_a_missing_one(type_: str, place: str) -> None:
    result = "i64.const 0" if "i64)" in type_.split("result")[1] else "i32.const 0"
    with pytest.raises(ModuleRefused, match='"run" is exported with another type than') as refused:
        admit(module("", PARTS + f'(func $run (export "run") {type_} {result})'))
    assert refused.value.faults[0].name == place


# --- all of them


def test_admit_faults_of_several_kinds_are_all_told_in_the_order_of_reading() -> None:
    data = module(
        '(import "env" "now" (func $now (result i64))) (import "env" "sin" (func $sin (param f64) (result f64)))'
        "(global $pi f64 (f64.const 3)) (func $start) (start $start) (func $one (local f32) f32.const 1 drop)"
        "(func $two (param i32) local.get 0 f64.convert_i32_s call $sin drop (block (result f32) f32.const 2) drop)"
        "(func $fine (result i64) call $now) (func $three return_call $three)",
        "(memory 1) " + RUN,
    )
    assert told(data) == [
        (Cause.FLOATING_POINT, "sin"),
        (Cause.FLOATING_POINT, "sin"),
        (Cause.IMPORTS, None),
        (Cause.IMPORTS, None),
        (Cause.MEMORY_UNBOUNDED, None),
        (Cause.FLOATING_POINT, None),
        (Cause.START_FUNCTION, None),
        (Cause.FLOATING_POINT, "one"),
        (Cause.MEMORY_MISSING, None),
        (Cause.EXPORT_MISSING, None),
        (Cause.FLOATING_POINT, "one"),
        (Cause.FLOATING_POINT, "two"),
        (Cause.FLOATING_POINT, "two"),
        (Cause.FLOATING_POINT, "two"),
        (Cause.TAIL_CALLS, "three"),
    ]


def test_admit_floats_are_told_at_every_instruction_and_lead_to_nothing_else() -> None:
    code = "local.get 0 f32.load offset=4 f32.const 1 f32.add f64.promote_f32 f64.const 2 f64.mul i64.trunc_f64_s"
    data = module(f"(func $area (param i32) (result i64) {code})")
    assert told(data) == [(Cause.FLOATING_POINT, "area")] * 7


def test_admit_two_ill_typed_places_of_a_function_are_both_told() -> None:
    good = module("(func $bad (block i32.const 1 drop) (block i64.const 1 drop))")
    bad = good.replace(b"\x41\x01\x1a\x0b", b"\x01\x01\x1a\x0b").replace(b"\x42\x01\x1a\x0b", b"\x01\x01\x1a\x0b")
    assert told(bad) == [(Cause.INVALID, "bad")] * 2


def test_admit_each_memory_and_limit_fault_is_told_together() -> None:
    with pytest.raises(ModuleRefused) as refused:
        build_program(module("(func $f f32.const 1 drop)"), Limits(0, 1, 0))
    causes = [fault.cause for fault in refused.value.faults]
    assert causes == [Cause.LIMITS, Cause.LIMITS, Cause.FLOATING_POINT, Cause.MEMORY_TOO_LARGE]


def test_admit_body_past_the_bound_does_not_hide_the_next_function() -> None:
    data = module(f"(func $long {'i32.const 1234567 drop ' * (MAX_BODY_BYTES // 5)}) (func $next f32.const 1 drop)")
    assert told(data) == [(Cause.BODY_TOO_LARGE, "long"), (Cause.FLOATING_POINT, "next")]


SKIPPED = {
    "simd": ("v128.const i64x2 1 2 i8x16.splat drop", 2),
    "simd lanes": ("i32.const 0 v128.load offset=300 i8x16.extract_lane_s 3 drop", 2),
    "simd shuffle": (
        "i32.const 0 i8x16.splat local.tee 0 local.get 0 i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5",
        2,
    ),
    "threads": ("i32.const 0 i32.atomic.load offset=300 drop atomic.fence", 2),
    "tables": ("i32.const 0 table.get 0 drop ref.null func drop", 2),
    "bulk tables": ("i32.const 0 i32.const 0 i32.const 0 table.copy 0 0 table.size 0 drop", 2),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_admit_reading_goes_on_behind_a_refused_instruction(name: str) -> None:
    code, count = SKIPPED[name]
    shuffled = "drop" if "shuffle" in code else ""
    local = "(local v128)" if "shuffle" in code else ""
    data = module(f"(table 1 funcref) (func $f {local} {code} {shuffled} f32.const 1 drop)")
    causes = [cause for cause, _ in told(data)]
    assert (len(causes), causes[-1]) == (count + 1 + bool(local), Cause.FLOATING_POINT)


# --- modules that break off


def test_admit_body_that_breaks_off_does_not_hide_the_others() -> None:
    data = module("(func $odd nop nop nop) (func $next f32.const 1 drop)")
    refused = refusal(data.replace(b"\x01\x01\x01\x0b", b"\x01\xff\x01\x0b"))
    odd, following = refused.faults
    assert (odd.cause, odd.name) == (Cause.UNKNOWN_OPCODE, "odd")
    assert odd.message == "unknown opcode 0xff; the rest of the function could not be read"
    assert (following.cause, following.name) == (Cause.FLOATING_POINT, "next")


def test_admit_type_section_that_breaks_off_leads_to_no_false_faults() -> None:
    data = module("(func $f (param i32) (result i32) local.get 0 call $f f32.const 1 drop)")
    place = data.index(b"\x60")
    refused = refusal(data[:place] + b"\x5f" + data[place + 1 :])
    assert [fault.cause for fault in refused.faults] == [Cause.GARBAGE_COLLECTION, Cause.FLOATING_POINT]
    assert "the rest of the section could not be read" in refused.faults[0].message


def test_admit_truncated_module_tells_what_was_found_and_that_it_breaks_off() -> None:
    data = without_custom_sections(module('(import "env" "f" (func)) (func $f f32.const 1 drop)'))
    *found, last = refusal(data[:-3]).faults
    assert [fault.cause for fault in found] == [Cause.IMPORTS]
    assert last.message == "a section runs past the end; the rest of the module could not be read"


@pytest.mark.parametrize("data", [b"", b"hello", b"\0asm\1\0\0\0\1", bytes(2 << 20)])
def test_admit_what_is_no_module_has_one_fault(data: bytes) -> None:
    (fault,) = refusal(data).faults
    assert fault.message.endswith("the rest of the module could not be read")


# --- bounds


def test_admit_faults_past_the_bound_are_counted() -> None:
    refused = refusal(module(f"(func $f {'f32.const 1 drop ' * 500})"))
    assert (len(refused.faults), refused.more) == (MAX_FAULTS, 450)
    assert str(refused).endswith("), and 499 more")


def test_admit_function_full_of_faults_does_not_hide_anothers_only_one() -> None:
    many = "".join(f"(func $f{i} {'f32.const 1 drop ' * 100})" for i in range(3))
    refused = refusal(module(many + "(func $last return_call $last)"))
    names = [fault.name for fault in refused.faults]
    assert (len(names), refused.more) == (MAX_FAULTS, 301 - MAX_FAULTS)
    assert names == sorted(names)
    assert min(names.count(f"f{i}") for i in range(3)) > 10
    assert names[-1] == "last"


def test_faults_of_a_million_places_are_a_list_of_fifty() -> None:
    faults = Faults()
    for offset in range(100_000):
        faults.note(Fault(Cause.FLOATING_POINT, offset, "x", offset % 1_000))
    assert (len(faults.found), faults.more) == (MAX_FAULTS, 100_000 - MAX_FAULTS)
    assert len({fault.function for fault in faults.found}) == MAX_FAULTS
    assert faults.found[0].offset == 0


def test_admit_count_of_locals_that_no_memory_holds_is_refused_at_once() -> None:
    data = module("(func $f (local i64))")
    place = data.index(b"\x01\x01\x7e\x0b")
    huge = unsigned_leb(2**32 - 1)
    body = b"\x01" + huge + b"\x7e\x0b"
    section = data[:place].rindex(b"\x0a")
    patched = bytearray(data[: place - 1] + unsigned_leb(len(body)) + body + data[place + 4 :])
    patched[section + 1] += len(body) - 4
    assert told(bytes(patched)) == [(Cause.TOO_MANY_LOCALS, "f")]


# --- hostile names


def _custom_names(*names: tuple[int, bytes]) -> bytes:
    rows = unsigned_leb(len(names)) + b"".join(
        unsigned_leb(index) + unsigned_leb(len(name)) + name for index, name in names
    )
    content = b"\x04name\x01" + unsigned_leb(len(rows)) + rows
    return b"\x00" + unsigned_leb(len(content)) + content


HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "\u202egnp.exe",
    "\u200f\u2066mean",
    "a\nmultitude: admitted",
    "x" * 100_000,
    "\0",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_admit_hostile_name_of_a_function_is_short_and_printable(name: str) -> None:
    data = without_custom_sections(module(PLAIN + "(func f32.const 1 drop)")) + _custom_names((1, name.encode()))
    (fault,) = refusal(data).faults
    assert fault.name is not None
    assert fault.name.isprintable()
    assert len(fault.name) <= MAX_SHOWN_NAME
    assert str(fault).isprintable()
    assert fault.to_json()["function"] == fault.name


@pytest.mark.parametrize("name", HOSTILE)
def test_admit_hostile_name_of_an_import_or_export_is_short_and_printable(name: str) -> None:
    text = "".join(f"\\{byte:02x}" for byte in name.encode())
    data = without_custom_sections(
        module(f'(import "{text}" "{text}" (func)) (func (export "{text}") f32.const 1 drop)')
    )
    for fault in refusal(data).faults:
        assert str(fault).isprintable()
        assert len(str(fault)) < 400


# --- as strict as ever


def test_places_names_may_come_from_the_module_before_it_was_stripped() -> None:
    data = module(PLAIN + "(func $broken f32.const 1 drop)")
    (fault,) = refusal(without_custom_sections(data)).faults
    assert (fault.name, Places.of(data).name(fault.function or 0)) == (None, "broken")


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


def test_places_functions_behind_an_imported_memory_have_their_indices() -> None:
    data = module('(import "a" "m" (memory 1)) (import "a" "f" (func $f)) (func $own f32.const 1 drop)', RUN)
    assert [fault.name for fault in refusal(data).faults if fault.cause == Cause.FLOATING_POINT] == ["own"]


RULE = json.loads((Path(__file__).parent / "first_faults.json").read_text())


def mutations(seed: str, good: bytes, count: int) -> list[bytes]:
    """The same module, bytes of it changed, put in, taken out."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        raw = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            place, byte, kind = chance.randrange(8, len(raw)), chance.randrange(256), chance.random()
            raw[place : place + (kind < 0.9)] = b"" if 0.8 < kind < 0.9 else bytes([byte])
        made.append(bytes(raw))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", RULE)
def test_admit_mutated_module_is_refused_where_the_first_rule_refused_it(name: str) -> None:
    """`first_faults.json` is of the time when admission stopped at a fault: its offset, null for what was admitted."""
    path = ROOT / f"programs/{name}/{name}.wasm"
    good = module(*RULE[name]["wat"]) if "wat" in RULE[name] else path.read_bytes()
    found = [first_place(data) for data in mutations(f"first faults {name}", good, len(RULE[name]["first"]))]
    assert found == RULE[name]["first"]
    assert None in found or "wat" in RULE[name]
