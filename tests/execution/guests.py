"""Guest modules that attack the rules of execution, in WebAssembly text."""

import functools

import wasmtime

from protocol.wasm import Limits, build_program
from protocol.wasm.bounds import MAX_FRAME_BYTES

LIMITS = Limits(wu=2_000_000, memory_pages=64, frame_bytes=MAX_FRAME_BYTES)


def guest(
    run: str = "i64.const 0",
    *,
    alloc: str = "i32.const 1024",
    extra: str = "",
    memory: str = "1 4",
    locals_: str = "",
) -> str:
    """The text of a module whose `run` (locals 0 and 1: pointer and length) has this code."""
    return f"""(module (memory (export "memory") {memory}) {extra}
        (func (export "alloc") (param i32) (result i32) {alloc})
        (func (export "run") (param i32 i32) (result i64) {locals_} {run}))"""


@functools.cache
def rewritten(text: str, limits: Limits = LIMITS) -> bytes:
    """The module that devices run."""
    return build_program(bytes(wasmtime.wat2wasm(text)), limits).rewritten


def output(pointer: int, length: int) -> str:
    """Code that returns these bytes of memory."""
    return f"i64.const {pointer << 32 | length}"


ECHO = guest("local.get 0 i64.extend_i32_u i64.const 32 i64.shl local.get 1 i64.extend_i32_u i64.or")
LOOP_FOR_EVER = guest("(loop br 0) unreachable")
SLOW = guest("(loop (br_if 0 (i32.load8_u (i32.const 1024)))) " + output(0, 0))
"""Never ends when the input's first byte is not 0."""

COUNTS_RUNS = guest(
    """global.get $n i32.const 1 i32.add global.set $n i32.const 0 global.get $n i32.store
    i32.const 4 i32.const 4 i32.load i32.const 1 i32.add i32.store """
    + output(0, 8),
    extra="(global $n (mut i32) (i32.const 0))",
)
"""Outputs how often this instance ran: by a global, by the memory."""


def _filled(count: int, type_: str) -> str:
    """Sets locals 2.. from the memory, which the code behind the call has changed, so that no engine can drop them."""
    return " ".join(f"local.get 0 {type_}.load offset={8 * k} local.set {2 + k}" for k in range(count))


def recursion(live_locals: int, type_: str = "i64") -> str:
    """Endless recursion with that many locals, all alive over the call."""
    add = f"{type_}.add"
    live = " ".join(f"local.get {2 + k} {add}" for k in range(live_locals))
    result = "i64" if type_ == "i64" else "i32"
    convert = "" if type_ == "i64" else "i64.extend_i32_u"
    call = "local.get 0 local.get 1 i32.store local.get 0 local.get 1 i32.const 1 i32.add call $f"
    function = (
        f"(func $f (param i32 i32) (result {result}) (local {(type_ + ' ') * live_locals}) "
        f"{_filled(live_locals, type_)} {call} {live})"
    )
    return guest(f"local.get 0 local.get 1 call $f {convert}", extra=function)


def operand_recursion(height: int) -> str:
    """Endless recursion with that many operands alive over the call."""
    operands = " ".join(f"i32.const {4 * k} i32.load" for k in range(height))
    call = "i32.const 0 local.get 0 i32.store local.get 0 i32.const 1 i32.add call $f"
    function = f"(func $f (param i32) (result i32) {operands} {call} {'i32.add ' * height})"
    return guest("local.get 1 call $f i64.extend_i32_u", extra=function)


def result_recursion(height: int) -> str:
    """Endless recursion with that many results of calls alive over the call: no instruction of it computes them."""
    results = " ".join(f"i32.const {8 * k} call $g" for k in range(height))
    function = f"(func $f {results} call $f {'i64.store ' * height})"
    return guest("call $f i64.const 0", extra=f"(func $g (result i64) i32.const 0 i64.load) {function}")


def parameter_recursion(count: int) -> str:
    """Endless recursion with that many arguments."""
    arguments = " ".join(f"local.get {k} i64.const 1 i64.add" for k in range(count))
    sums = " ".join(f"local.get {k} i64.add" for k in range(count))
    function = f"(func $f (param {'i64 ' * count}) (result i64) {arguments} call $f {sums})"
    return guest(" ".join(f"i64.const {k}" for k in range(count)) + " call $f", extra=function)


INDIRECT_RECURSION = guest(
    "i32.const 0 call $f i64.extend_i32_u",
    extra="""(type $t (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) $f)
    (func $f (type $t) local.get 0 i32.const 1 i32.add i32.const 0 call_indirect (type $t) local.get 0 i32.add)""",
)
HOISTED_PRODUCTS = guest(
    "local.get 0 local.get 1 call $f i64.extend_i32_u",
    extra="(func $f (param i32 i32) (result i32) (local i32) (loop "
    + " ".join(
        f"(local.set 2 (i32.xor (local.get 2) (i32.mul (local.get 1) (i32.const {k}))))" for k in range(3, 3000, 2)
    )
    + """ (local.set 2 (i32.add (local.get 2) (call $f (local.get 0) (local.get 1))))
    (br 0)) unreachable)""",
)
"""1,500 products that an optimiser may keep over the call, though few operands and locals are alive in the module."""

FILL = "i32.const 0 i32.const 7 i32.const 262144 memory.fill "
COPY = "i32.const 0 i32.const 8 i32.const 262000 memory.copy "

SPEC_TRAPS = {
    "unreachable": guest("unreachable"),
    "unreachable in alloc": guest(alloc="unreachable"),
    "division by zero": guest("i32.const 1 local.get 1 i32.const 3 i32.sub i32.div_u i64.extend_i32_u"),
    "remainder by zero": guest("i64.const 1 i64.const 0 i64.rem_s"),
    "division overflow": guest("i32.const -2147483648 i32.const -1 i32.div_s i64.extend_i32_u"),
    "load outside": guest("i32.const 262141 i32.load i64.extend_i32_u"),
    "load far outside": guest("i32.const -1 i32.load offset=4294967295 i64.extend_i32_u"),
    "store outside": guest("i32.const 262137 i64.const -1 i64.store i64.const 0"),
    "fill outside": guest("i32.const 262140 i32.const 1 i32.const 5 memory.fill i64.const 0"),
    "copy outside": guest("i32.const 0 i32.const 262140 i32.const 5 memory.copy i64.const 0"),
    "call of null": guest("i32.const 0 call_indirect (result i64)", extra="(table 1 funcref)"),
    "call outside the table": guest("i32.const 9 call_indirect (result i64)", extra="(table 1 funcref)"),
    "call of another type": guest(
        "i32.const 0 call_indirect (result i64)", extra="(table 1 funcref) (func $g) (elem (i32.const 0) $g)"
    ),
    "trap behind writes": guest("i32.const 0 i32.const 42 i32.store unreachable"),
}
BAD_POINTERS = {
    "alloc outside": guest(alloc="i32.const 262142"),
    "alloc far outside": guest(alloc="i32.const -1"),
    "output outside": guest(output(262_140, 5)),
    "output far outside": guest("i64.const -1"),
    "output long and outside": guest(output(4, 262_141)),
}
FRAME_TRAPS = {
    "recursion with no locals": recursion(0),
    "recursion with 400 locals": recursion(400),
    "recursion with 400 i32 locals": recursion(400, "i32"),
    "recursion with 1,000 locals": recursion(1_000),
    "recursion with 900 operands": operand_recursion(900),
    "recursion with 500 results of calls": result_recursion(500),
    "recursion with 64 parameters": parameter_recursion(64),
    "indirect recursion": INDIRECT_RECURSION,
    "recursion with hoisted products": HOISTED_PRODUCTS,
}
WU_STOPS = {
    "infinite loop": LOOP_FOR_EVER,
    "infinite loop in alloc": guest(alloc="(loop br 0) unreachable"),
    "loop with an empty body": guest("(loop (br_if 0 (i32.const 1))) i64.const 0"),
    "loop over branch table": guest("(loop (block (br_table 1 1 (local.get 1)))) i64.const 0"),
    "loop of calls": guest("(loop call $f br 0) unreachable", extra="(func $f)"),
    "straight fills": guest(FILL * 100 + "i64.const 0"),
    "straight copies": guest(COPY * 100 + "i64.const 0"),
    "fills in calls": guest("call $f " * 100 + "i64.const 0", extra=f"(func $f {FILL})"),
    "fill of 4 GiB": guest("i32.const 0 i32.const 0 i32.const -1 memory.fill i64.const 0"),
    "doubling calls": guest(
        "call $f20 i64.const 0",
        extra="(func $f0 (local i64))" + "".join(f"(func $f{k} call $f{k - 1} call $f{k - 1})" for k in range(1, 21)),
    ),
    "growing for ever": guest("(loop i32.const 1 memory.grow drop br 0) unreachable"),
}
RESULTS = {
    "echo": ECHO,
    "counts runs": COUNTS_RUNS,
    "no output": guest(output(262_144, 0)),
    "memory growth": guest(
        """i32.const 0 memory.size i32.store8 i32.const 1 i32.const 2 memory.grow i32.store8
        i32.const 2 memory.size i32.store8 i32.const 3 i32.const 2 memory.grow i32.store8
        i32.const 4 i32.const -1 memory.grow i32.store8 i32.const 5 i32.const 0 memory.grow i32.store8
        i32.const 6 i32.const 1 memory.grow i32.store8 i32.const 7 memory.size i32.store8 """
        + output(0, 8)
    ),
    "access before growth": guest("i32.const 200000 i32.const 77 i32.store " + output(200_000, 4)),
    "early returns": guest(
        """(block (block (block (br_table 0 1 2 (local.get 1))) (return (i64.const 0x100000001)))
        (br 1 (i64.const 0x200000002))) (br_if 0 (i64.const 0x300000003) (i32.const 1))"""
    ),
    "bulk": guest(
        """i32.const 0 i32.const 65 i32.const 9 memory.fill i32.const 3 i32.const 1024 i32.const 2 memory.copy
        i32.const 0 i32.const 0 i32.const 0 memory.fill """
        + output(0, 10)
    ),
    "globals": guest(
        "global.get $b i64.const 3 i64.mul global.set $b i32.const -5 global.set $a " + output(0, 0),
        extra="(global $c i32 (i32.const 1)) (global $a (mut i32) (i32.const 1)) (global $b (mut i64) (i64.const -9))",
    ),
    "dead code": guest("(block (br 0) i32.add drop (loop (br 0))) " + output(0, 0)),
}
