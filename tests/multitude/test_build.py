"""`multitude build`, `check`, `programs`: every kind of refusal names the function and says how to mend it."""

import json
import random
import re
from pathlib import Path
from typing import Self

import pytest
import wasmtime
from typer.testing import CliRunner

from multitude.build import commands
from multitude.build.advice import advice_on_refusal
from multitude.build.errors import NotAdmitted
from multitude.build.lines import SourceLines
from multitude.build.module import build_source, examine, try_out
from multitude.build.registration import register_program
from multitude.cli import app
from multitude.errors import MultitudeError, ProgramRefused
from programs.catalogue import CATALOGUE
from programs.compile import compile_source
from protocol.wasm import Cause, Fault, Limits, build_program
from protocol.wasm.places import Places

LIMITS = Limits(wu=1_000_000, memory_pages=16, frame_bytes=65_536)
HEAD = '#include "guest.h"\nALLOC_ANY_INPUT\n'
RUN = "EXPORT(run) u64 run(const u8 *in, u32 bytes) { return span(in, bytes); }\n"
ECHO = HEAD + RUN
ECHO_ZIG = """
const guest = @import("guest");
export fn alloc(bytes: usize) [*]u8 { return guest.take(bytes).ptr; }
export fn run(input: [*]const u8, bytes: usize) u64 { return guest.span(input[0..bytes]); }
"""

REFUSED_C = {
    "float in a function": (
        HEAD
        + "__attribute__((noinline)) u32 mean(const u8 *p, u32 n) { float s = 0; for (u32 i = 0; i < n; i++) s += p[i];"
        " return (u32)(s / n); }\nEXPORT(run) u64 run(const u8 *in, u32 n) { return mean(in, n); }",
        ["main.c:3: floating point", "function `mean`", "use integers or fixed point"],
    ),
    "float in a type": (
        HEAD + "__attribute__((noinline)) double half(double x) { return x / 2; }\n"
        "EXPORT(run) u64 run(const u8 *in, u32 n) { return (u64)half(n); }",
        [
            "main.c:3: floating",
            "function `half`",
            "main.c:4: floating",
            "function `run`",
            "use integers or fixed point",
        ],
    ),
    "import": (
        HEAD + '__attribute__((import_module("env"), import_name("now"))) u64 now(void);\n'
        "EXPORT(run) u64 run(const u8 *in, u32 n) { return now(); }",
        ["imports are not admitted: `env.now`", "define env.now in the program itself"],
    ),
    "undefined function": (
        HEAD + "u64 strange(u32 n);\nEXPORT(run) u64 run(const u8 *in, u32 n) { return strange(n); }",
        ["undefined symbol: strange", "define strange in the program"],
    ),
    "no run": (HEAD, ['no function "run"', "EXPORT(run)"]),
    "no alloc": ('#include "guest.h"\n' + RUN, ['no function "alloc"', "ALLOC_ANY_INPUT"]),
    "run of another type": (
        HEAD + "EXPORT(run) u32 run(const u8 *in, u32 n) { return n; }",
        ['"run" is exported with another type', "function `run`", "u64 run(const u8 *input, u32 bytes)"],
    ),
    "too much memory": (
        HEAD + "u8 huge[2000000];\nEXPORT(run) u64 run(const u8 *in, u32 n) { return huge[n]; }",
        ["maximum memory too small", "--memory-pages 31 or more"],
    ),
    "a C library": ("#include <stdio.h>\n" + ECHO, ["'stdio.h' file not found", "there is no C library here"]),
    "a slip": (HEAD + "EXPORT(run) u64 run(", ["expected parameter declarator"]),
    "a warning": (ECHO + "int unused(void) { int x; return x; }", ["is uninitialized"]),
}
REFUSED_ZIG = {
    "float": (
        ECHO_ZIG + "noinline fn half(x: f32) f32 { return x / 2; }\n"
        "export fn more(n: u32) u32 { return @intFromFloat(half(@floatFromInt(n))); }",
        ["main.zig:5: floating point", "half`", "main.zig:6: floating", "function `more`"],
    ),
    "no run": (ECHO_ZIG.replace("export fn run", "pub fn run"), ['no function "run"', "Zig: export fn run"]),
    "a slip": ("pub fn main(", ["expected"]),
}
REFUSED_WAT = {
    "import of memset": ('(import "env" "memset" (func $f (param i32)))', "include guest.h, which has memset"),
    "import of a clock": ('(import "wasi" "now" (func $f (param i32)))', "no files, clock or arguments"),
    "start function": ("(func $f) (start $f)", "do first things in `alloc`"),
    "threads": ("(func $f i32.const 0 i32.atomic.load drop)", "one thread"),
    "SIMD": ("(func $f i32.const 1 i8x16.splat drop)", "-mcpu=mvp"),
    "tail call": ("(func $f return_call $f)", "`mvp` CPU"),
    "several results": ("(func $f (result i32 i32) i32.const 0 i32.const 0)", "without multivalue"),
    "many locals": (f"(func $f (local {'i32 ' * 1_025}))", "split the function"),
    "deep nesting": (f"(func $f {'(block ' * 1_100}{')' * 1_100})", "split the function"),
}
MEMORY = '(memory (export "memory") 1 2)'
WAT = """(func (export "alloc") (param i32) (result i32) i32.const 0)
         (func (export "run") (param i32 i32) (result i64) i64.const 0)"""


def multitude(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def wat(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(module {text})"))


@pytest.fixture
def source(tmp_path: Path):
    def write(text: str, name: str = "main.c") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


# --- refusals


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED_C)
def test_build_c_that_is_no_program_says_where_and_how_to_mend_it(name, source):
    text, words = REFUSED_C[name]
    status, said = multitude("build", source(text))
    assert status == 1
    assert not [word for word in words if word not in said], said
    assert not list(source(text).parent.glob("*.wasm"))


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED_ZIG)
def test_build_zig_that_is_no_program_says_where_and_how_to_mend_it(name, source):
    text, words = REFUSED_ZIG[name]
    status, said = multitude("build", source(text, "main.zig"))
    assert status == 1
    assert not [word for word in words if word not in said], said


@pytest.mark.parametrize("name", REFUSED_WAT)
def test_check_refused_module_names_the_function_and_hints(name, tmp_path):
    text, hint = REFUSED_WAT[name]
    (tmp_path / "m.wasm").write_bytes(wat(text + MEMORY + WAT))
    status, said = multitude("check", tmp_path / "m.wasm")
    assert status == 1
    assert "not admitted" in said
    assert hint in said
    assert "function `f`" in said or name.startswith(("start function", "import"))


@pytest.mark.parametrize(
    ("memory", "hint"),
    [
        ("", 'export the memory as "memory"'),
        ("(memory 1 2)", 'export the memory as "memory"'),
        ('(memory (export "memory") 1)', "--max-memory"),
        ('(memory (export "memory") 1 2000)', None),
    ],
)
def test_check_wrong_memory_is_refused_with_a_hint(memory, hint, tmp_path):
    (tmp_path / "m.wasm").write_bytes(wat(memory + WAT))
    status, said = multitude("check", tmp_path / "m.wasm", "--json")
    assert status == 1
    (fault,) = json.loads(said)["faults"]
    assert hint is None or hint in fault["hint"]


def test_check_memory_above_the_limit_hints_at_the_option(tmp_path):
    (tmp_path / "m.wasm").write_bytes(wat(MEMORY + WAT))
    status, said = multitude("check", tmp_path / "m.wasm", "--memory-pages", 1)
    assert status == 1
    assert "--memory-pages" in said


def test_check_no_wasm_at_all_is_refused(tmp_path):
    (tmp_path / "m.wasm").write_bytes(b"hello")
    assert multitude("check", tmp_path / "m.wasm")[0] == 1


@pytest.mark.parametrize("command", ["build", "check"])
def test_missing_file_cannot_be_told(command, tmp_path):
    assert multitude(command, tmp_path / "absent.c")[0] == 2


def test_build_other_language_is_refused(source):
    status, said = multitude("build", source("print()", "main.py"))
    assert status == 1
    assert "neither a .c nor a .zig file" in said


def test_build_without_a_compiler_says_how_to_get_it(source, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    status, said = multitude("build", source(ECHO))
    assert status == 2
    assert "pip install 'multitude[build]'" in said


@pytest.mark.slow
def test_check_module_with_debug_sections_tells_lines_and_any_damage_of_them_is_harmless(source):
    text = REFUSED_C["float in a function"][0]
    named = compile_source(source(text), 16)
    with pytest.raises(NotAdmitted) as refused:
        examine(named, LIMITS)
    assert refused.value.faults[0].line == "main.c:3"
    chance, start = random.Random("lines"), named.index(b".debug_line")
    for _ in range(300):
        raw = bytearray(named)
        for _ in range(3):
            raw[start + chance.randrange(400)] = chance.randrange(256)
        SourceLines.of(bytes(raw))


@pytest.mark.slow
def test_build_tells_every_fault_by_its_line_and_each_hint_once(source):
    text = (
        HEAD
        + "__attribute__((noinline)) u32 first(u32 n) {\n  float a = n;\n  a = a * a;\n  return (u32)a;\n}\n"
        + "__attribute__((noinline)) u32 second(u32 n) { return (u32)(n * 0.5); }\n"
        + "u64 run(const u8 *in, u32 n) { return first(n) + second(n); }\n"
        + "EXPORT(other) u64 other(u32 n) { return run(0, n); }"
    )
    status, said = multitude("build", source(text))
    assert status == 1
    lines = said.splitlines()
    for line in (4, 5, 6, 8):
        assert [row for row in lines if row.startswith(f"main.c:{line}: floating point")], said
    assert 'no function "run"' in said
    assert said.count("use integers or fixed point") == 1
    told = json.loads(multitude("build", source(text), "--json")[1])
    assert {"main.c:4", "main.c:5", "main.c:8", None} <= {fault["line"] for fault in told["faults"]}
    assert {fault["function"] for fault in told["faults"]} == {"first", "second", None}


def test_check_lists_every_fault_on_a_line_of_its_own(tmp_path):
    code = "(func $one f32.const 1 drop) (func $two return_call $two) (func $three (local v128))"
    (tmp_path / "m.wasm").write_bytes(wat(code + "(memory 1 2)"))
    status, said = multitude("check", tmp_path / "m.wasm")
    faults = [line for line in said.splitlines() if not line.startswith("  hint: ")]
    assert (status, len(faults)) == (1, 1 + 6)
    told = json.loads(multitude("check", tmp_path / "m.wasm", "--json")[1])
    assert [(fault["cause"], fault["function"]) for fault in told["faults"]] == [
        ("simd", "three"),
        ("memory_missing", None),
        ("export_missing", None),
        ("export_missing", None),
        ("floating_point", "one"),
        ("tail_calls", "two"),
    ]
    assert told["more"] == 0


def test_check_says_how_many_faults_it_does_not_list(tmp_path):
    (tmp_path / "m.wasm").write_bytes(wat(f"(func $f {'f32.const 1 drop ' * 70})" + MEMORY + WAT))
    assert multitude("check", tmp_path / "m.wasm")[1].endswith("and 20 more\n")
    assert json.loads(multitude("check", tmp_path / "m.wasm", "--json")[1])["more"] == 20


HOSTILE_PLACES = {
    "export of an admitted module": '(func (export "NAME") nop)',
    "function": '(func (export "NAME") f32.const 1 drop)',
    "import": '(import "NAME" "NAME" (func))',
}


@pytest.mark.parametrize("place", HOSTILE_PLACES)
@pytest.mark.parametrize("name", ["\x1b[2J\x1b]0;owned\x07", "\u202egnp", "a\nmultitude: admitted", "x" * 100_000])
def test_check_hostile_names_reach_no_terminal(name, place, tmp_path):
    text = "".join(f"\\{byte:02x}" for byte in name.encode())
    (tmp_path / "m.wasm").write_bytes(wat(HOSTILE_PLACES[place].replace("NAME", text) + MEMORY + WAT))
    for options in ([], ["--json"]):
        status, said = multitude("check", tmp_path / "m.wasm", *options)
        assert status == int("admitted" not in place)
        assert all(line.isprintable() and not line.startswith("multitude: admitted") for line in said.split("\n"))
        assert len(said) < 2_000


def test_check_refused_module_is_not_held_against_its_own_memory(tmp_path):
    (tmp_path / "m.wasm").write_bytes(wat("(func $f f32.const 1 drop)" + MEMORY + WAT))
    (fault,) = json.loads(multitude("check", tmp_path / "m.wasm", "--json")[1])["faults"]
    assert fault["cause"] == "floating_point"


def test_advice_unknown_cause_has_none():
    assert advice_on_refusal(Fault("something_new", 0, "something new")) is None


# --- what is built


@pytest.mark.slow
@pytest.mark.parametrize(("text", "name"), [(ECHO, "main.c"), (ECHO_ZIG, "main.zig")])
def test_build_program_is_written_described_and_tried(text, name, source, tmp_path):
    (tmp_path / "input").write_bytes(b"\x00hello")
    status, said = multitude(
        "build", source(text, name), "--json", "--try", tmp_path / "input", "--try-output", tmp_path / "o"
    )
    told = json.loads(said)
    written = (tmp_path / "main.wasm").read_bytes()
    limits = Limits(10_000_000_000, 16, 65_536)
    assert status == 0
    assert told["programId"] == "0x" + build_program(written, limits).program_id.hex()
    assert told["exports"] == ["memory", "alloc", "run"]
    assert told["memory"] == {"minimumPages": 1, "maximumPages": 16}
    assert (told["trials"][0]["status"], told["trials"][0]["output"]) == ("ok", "0x0068656c6c6f")
    assert (tmp_path / "o").read_bytes() == b"\x00hello"
    assert Places.of(written).names == {}


@pytest.mark.slow
def test_build_failed_trial_is_told_by_the_exit_status(source, tmp_path):
    (tmp_path / "input").write_bytes(b"")
    text = HEAD + "EXPORT(run) u64 run(const u8 *in, u32 n) { require(n); return span(in, n); }"
    status, said = multitude("build", source(text), "--try", tmp_path / "input")
    assert status == 1
    assert "trap" in said


@pytest.mark.slow
def test_build_source_of_the_catalogue_gives_the_committed_module():
    entry = CATALOGUE["matmul"]
    assert build_source(entry.source, entry.limits, 16_384).module == entry.module.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("text", "name"), [(ECHO, "main.c"), (ECHO_ZIG, "main.zig")])
def test_build_source_same_text_elsewhere_gives_the_same_bytes(text, name, source, tmp_path):
    first = build_source(source(text, name), LIMITS, 16_384).module
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / name
    other.write_text(text)
    assert build_source(other, LIMITS, 16_384).module == first


@pytest.mark.slow
@pytest.mark.parametrize(("language", "name"), [("c", "main.c"), ("zig", "main.zig")])
def test_docs_example_is_a_program_that_counts_bytes(language, name, source):
    page = (Path(__file__).parents[2] / "docs" / "programs.md").read_text()
    (text,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    output = try_out(build_source(source(text, name), LIMITS, 16_384), [("x", b"abracadabra")])[0].output
    counts = [int.from_bytes(output[k : k + 4], "little") for k in range(0, 1_024, 4)]
    assert {bytes([k]): count for k, count in enumerate(counts) if count} == {
        b"a": 5,
        b"b": 2,
        b"r": 2,
        b"c": 1,
        b"d": 1,
    }


def test_docs_name_every_cause():
    page = (Path(__file__).parents[2] / "docs" / "programs.md").read_text()
    assert {f"`{cause}`" for cause in Cause} <= set(re.findall(r"`\w+`", page))


GUEST_USER = (
    HEAD
    + """
EXPORT(run) u64 run(const u8 *in, u32 n) {
  u8 *out = take(2 * n + 16);
  require(take(1) == out + ((2 * n + 16 + 15) & ~15u));
  memcpy(out, in, n);
  memmove(out + 1, out, n);
  memset(out + n + 1, 7, 3);
  store_u64(out + n + 4, load_u64(in) + 1);
  store_u32(out + n + 12, load_u32(in) - 1);
  require(memcmp(in, in, n) == 0 && memcmp(in, out + 2, 1) < 0);
  return span(out, n + 16);
}
"""
)


@pytest.mark.slow
def test_guest_header_functions_do_what_they_are_named_for(source):
    data = bytes(range(1, 40))
    output = try_out(build_source(source(GUEST_USER), LIMITS, 16_384), [("x", data)])[0].output
    numbers = (int.from_bytes(data[:8], "little") + 1).to_bytes(8, "little")
    numbers += (int.from_bytes(data[:4], "little") - 1).to_bytes(4, "little")
    assert output == data[:1] + data + b"\x07" * 3 + numbers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            HEAD + "EXPORT(run) u64 run(const u8 *in, u32 n) { take(900000)[899999] = 1; take(200000); return 0; }",
            "m.c",
        ),
        (HEAD + "EXPORT(run) u64 run(const u8 *in, u32 n) { take(0xffffffff); return 0; }", "m.c"),
        (ECHO_ZIG.replace("return guest.span", "_ = guest.take(2_000_000); return guest.span"), "m.zig"),
    ],
)
def test_guest_take_past_the_memory_traps(text, name, source):
    fixed = text.replace("take(900000)[899999]", "((u8 *)take(900000))[899999]")
    assert try_out(build_source(source(fixed, name), LIMITS, 16_384), [("x", b"")])[0].status == "trap"


# --- programs of a market


class FakeMarket:
    """The calls of MarketApi that registering makes."""

    def __init__(self, program_id: str, states: list[str]) -> None:
        self.program_id, self.states = program_id, states
        self.blobs: list[bytes] = []

    def put_blob(self, data: bytes) -> str:
        self.blobs.append(data)
        return "0x" + "11" * 32

    def admit(self, original_hash: str, limits: dict[str, int], name: str | None) -> str:
        assert (original_hash, limits["memoryPages"]) == ("0x" + "11" * 32, 2)
        if name == "bad":
            fault = {"cause": "newer", "function": "mean\x1b", "offset": 9, "message": "a rule of tomorrow"}
            raise ProgramRefused(422, "module_refused", "no", {"faults": [fault]})
        return self.program_id

    def program(self, program_id: str) -> dict[str, str]:
        return {"programId": program_id, "state": self.states.pop(0)}

    def programs(self, cursor: int | None = None) -> dict[str, object]:
        row = {"programId": f"0x{cursor or 0:064x}", "state": "registered", "name": None}
        return {"programs": [row], "next": None if cursor else 7}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def built():
    return examine(wat(MEMORY + WAT), Limits(1_000, 2, 65_536))


def test_register_program_other_id_of_the_market_is_an_error(built):
    with pytest.raises(MultitudeError, match="the tools differ"):
        register_program(FakeMarket("0x" + "22" * 32, []), built, None, 1)


def test_register_program_waits_until_the_chain_has_it(built, monkeypatch):
    monkeypatch.setattr("multitude.build.registration.POLL_S", 0)
    market = FakeMarket(built.program_id, ["registering", "registering", "registered"])
    assert register_program(market, built, "name", 5) == "registered"
    assert market.blobs == [built.module]


def test_register_program_time_runs_out_tells_the_state(built):
    assert register_program(FakeMarket(built.program_id, ["registering"]), built, None, 0) == "registering"


def test_programs_commands_talk_to_the_market(built, monkeypatch, tmp_path):
    (tmp_path / "m.wasm").write_bytes(built.module)
    monkeypatch.setattr(commands, "_market", lambda _: FakeMarket(built.program_id, ["registered"]))
    status, said = multitude("programs", "list", "--json")
    assert (status, len(json.loads(said))) == (0, 2)
    assert multitude("programs", "show", "0x" + "33" * 32) == (
        0,
        f"programId          0x{'33' * 32}\nstate              registered\n",
    )
    status, said = multitude("programs", "register", tmp_path / "m.wasm", "--wu", 1_000)
    assert (status, said) == (0, built.program_id + "\n")
    status, said = multitude("programs", "register", tmp_path / "m.wasm", "--wu", 1_000, "--name", "bad")
    assert status == 1
    assert "a rule of tomorrow (function `mean?`, byte 9)" in said


def test_programs_register_that_the_chain_never_gets_cannot_be_told(built, monkeypatch, tmp_path):
    (tmp_path / "m.wasm").write_bytes(built.module)
    monkeypatch.setattr(commands, "REGISTER_TIMEOUT_S", 0)
    monkeypatch.setattr(commands, "_market", lambda _: FakeMarket(built.program_id, ["registering", "registering"]))
    register = ("programs", "register", tmp_path / "m.wasm", "--wu", 1_000)
    assert multitude(*register)[0] == 2
    assert multitude(*register, "--no-wait")[0] == 0


def test_programs_register_refused_module_never_reaches_the_market(monkeypatch, tmp_path):
    (tmp_path / "m.wasm").write_bytes(wat("(func $f) (start $f)" + MEMORY + WAT))
    monkeypatch.setattr(commands, "_market", lambda _: pytest.fail("it was asked"))
    assert multitude("programs", "register", tmp_path / "m.wasm")[0] == 1


@pytest.mark.slow
def test_programs_market_that_is_not_there_cannot_be_told(monkeypatch, tmp_path):
    monkeypatch.setattr("multitude.network.CHECKOUT", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert multitude("programs", "list")[0] == 2
    assert multitude("programs", "list", "--api", "http://127.0.0.1:1")[0] == 2


def test_examine_limits_out_of_range_are_refused():
    with pytest.raises(NotAdmitted):
        examine(wat(MEMORY + WAT), Limits(0, 2, 65_536))
