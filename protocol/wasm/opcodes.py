"""The opcodes that are admitted: their types, immediates and weights, and why the others are refused.

Weights are the work units (WU) of one execution. They are part of the protocol: a change is a new TOOL_VERSION.

| opcode | WU |
| --- | --- |
| nop, block, loop, end, else | 0 (entering a loop's body costs at least 1) |
| loads, stores, multiplications, br_table | 2 |
| divisions, remainders | 10 |
| call / call_indirect | 8 / 16 |
| memory.grow | 64 |
| memory.copy, memory.fill | 16, and 1 for each 8 bytes or part of them |
| everything else | 1 |

Entering a function costs 2 more and 1 for each 8 of its locals or part of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from protocol.wasm.errors import Cause

I32 = 0x7F
I64 = 0x7E
FUNCREF = 0x70
EMPTY = 0x40
"""Type of a block without a result."""
OPEN = 0
"""Stands for any type: of operands in dead code, of what has a type that is not admitted."""


class Immediate(Enum):
    """What follows an opcode in the code."""

    NONE = "none"
    BLOCK = "block type"
    INDEX = "index"
    TABLE = "branch table"
    INDIRECT = "type and table index"
    MEMARG = "alignment and offset"
    I32 = "i32"
    I64 = "i64"
    ZERO = "memory index"
    ZEROS = "two memory indices"


@dataclass(frozen=True, slots=True)
class Opcode:
    """One admitted opcode; those whose types depend on their place have None for `pops` and `pushes`."""

    code: int
    name: str
    immediate: Immediate
    pops: bytes | None
    pushes: bytes | None
    weight: int
    width: int = 0
    """Bytes of memory that a load or store touches."""


BLOCK, LOOP, IF, ELSE, END = 0x02, 0x03, 0x04, 0x05, 0x0B
UNREACHABLE, BR, BR_IF, BR_TABLE, RETURN = 0x00, 0x0C, 0x0D, 0x0E, 0x0F
CALL, CALL_INDIRECT, DROP, SELECT = 0x10, 0x11, 0x1A, 0x1B
LOCAL_GET, LOCAL_SET, LOCAL_TEE, GLOBAL_GET, GLOBAL_SET = 0x20, 0x21, 0x22, 0x23, 0x24
MEMORY_SIZE, MEMORY_GROW, I32_CONST, I64_CONST = 0x3F, 0x40, 0x41, 0x42
MEMORY_COPY, MEMORY_FILL = 0xFC0A, 0xFC0B
"""Opcodes with the prefix 0xFC are written as 0xFC00 + the number behind the prefix."""

_TYPES = {"i": I32, "l": I64}


def _types(letters: str | None) -> bytes | None:
    return None if letters is None else bytes(_TYPES[c] for c in letters)


def _control() -> list[Opcode]:
    none, index = Immediate.NONE, Immediate.INDEX
    rows: list[tuple[int, str, Immediate, int]] = [
        (UNREACHABLE, "unreachable", none, 1),
        (0x01, "nop", none, 0),
        (BLOCK, "block", Immediate.BLOCK, 0),
        (LOOP, "loop", Immediate.BLOCK, 0),
        (IF, "if", Immediate.BLOCK, 1),
        (ELSE, "else", none, 0),
        (END, "end", none, 0),
        (BR, "br", index, 1),
        (BR_IF, "br_if", index, 1),
        (BR_TABLE, "br_table", Immediate.TABLE, 2),
        (RETURN, "return", none, 1),
        (CALL, "call", index, 8),
        (CALL_INDIRECT, "call_indirect", Immediate.INDIRECT, 16),
        (DROP, "drop", none, 1),
        (SELECT, "select", none, 1),
        (LOCAL_GET, "local.get", index, 1),
        (LOCAL_SET, "local.set", index, 1),
        (LOCAL_TEE, "local.tee", index, 1),
        (GLOBAL_GET, "global.get", index, 1),
        (GLOBAL_SET, "global.set", index, 1),
    ]
    typed = {0x01}
    return [Opcode(c, n, i, b"" if c in typed else None, b"" if c in typed else None, w) for c, n, i, w in rows]


def _memory() -> list[Opcode]:
    loads = [
        (0x28, "i32.load", "i", 4), (0x29, "i64.load", "l", 8), (0x2C, "i32.load8_s", "i", 1),
        (0x2D, "i32.load8_u", "i", 1), (0x2E, "i32.load16_s", "i", 2), (0x2F, "i32.load16_u", "i", 2),
        (0x30, "i64.load8_s", "l", 1), (0x31, "i64.load8_u", "l", 1), (0x32, "i64.load16_s", "l", 2),
        (0x33, "i64.load16_u", "l", 2), (0x34, "i64.load32_s", "l", 4), (0x35, "i64.load32_u", "l", 4),
    ]  # fmt: skip
    stores = [
        (0x36, "i32.store", "i", 4), (0x37, "i64.store", "l", 8), (0x3A, "i32.store8", "i", 1),
        (0x3B, "i32.store16", "i", 2), (0x3C, "i64.store8", "l", 1), (0x3D, "i64.store16", "l", 2),
        (0x3E, "i64.store32", "l", 4),
    ]  # fmt: skip
    out = [Opcode(c, n, Immediate.MEMARG, _types("i"), _types(t), 2, w) for c, n, t, w in loads]
    out += [Opcode(c, n, Immediate.MEMARG, _types("i" + t), b"", 2, w) for c, n, t, w in stores]
    out.append(Opcode(MEMORY_SIZE, "memory.size", Immediate.ZERO, b"", _types("i"), 1))
    out.append(Opcode(MEMORY_GROW, "memory.grow", Immediate.ZERO, _types("i"), _types("i"), 64))
    out.append(Opcode(MEMORY_COPY, "memory.copy", Immediate.ZEROS, _types("iii"), b"", 16))
    out.append(Opcode(MEMORY_FILL, "memory.fill", Immediate.ZERO, _types("iii"), b"", 16))
    return out


_COMPARE = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"]
_UNARY = ["clz", "ctz", "popcnt"]
_BINARY = [
    "add",
    "sub",
    "mul",
    "div_s",
    "div_u",
    "rem_s",
    "rem_u",
    "and",
    "or",
    "xor",
    "shl",
    "shr_s",
    "shr_u",
    "rotl",
    "rotr",
]
_WEIGHTS = {"mul": 2, "div_s": 10, "div_u": 10, "rem_s": 10, "rem_u": 10}


def _family(kind: str, letter: str, eqz: int, first_unary: int) -> list[Opcode]:
    """Comparisons, unary and binary operations of one integer type."""
    one, two = _types(letter), _types(letter * 2)
    out = [Opcode(eqz, f"{kind}.eqz", Immediate.NONE, one, _types("i"), 1)]
    out += [Opcode(eqz + 1 + k, f"{kind}.{n}", Immediate.NONE, two, _types("i"), 1) for k, n in enumerate(_COMPARE)]
    out += [Opcode(first_unary + k, f"{kind}.{n}", Immediate.NONE, one, one, 1) for k, n in enumerate(_UNARY)]
    first = first_unary + len(_UNARY)
    for k, name in enumerate(_BINARY):
        out.append(Opcode(first + k, f"{kind}.{name}", Immediate.NONE, two, one, _WEIGHTS.get(name, 1)))
    return out


def _constants_and_conversions() -> list[Opcode]:
    out = [
        Opcode(I32_CONST, "i32.const", Immediate.I32, b"", _types("i"), 1),
        Opcode(I64_CONST, "i64.const", Immediate.I64, b"", _types("l"), 1),
    ]
    rows = [
        (0xA7, "i32.wrap_i64", "l", "i"), (0xAC, "i64.extend_i32_s", "i", "l"), (0xAD, "i64.extend_i32_u", "i", "l"),
        (0xC0, "i32.extend8_s", "i", "i"), (0xC1, "i32.extend16_s", "i", "i"), (0xC2, "i64.extend8_s", "l", "l"),
        (0xC3, "i64.extend16_s", "l", "l"), (0xC4, "i64.extend32_s", "l", "l"),
    ]  # fmt: skip
    return out + [Opcode(c, n, Immediate.NONE, _types(a), _types(b), 1) for c, n, a, b in rows]


def _table() -> dict[int, Opcode]:
    rows = _control() + _memory() + _constants_and_conversions()
    rows += _family("i32", "i", 0x45, 0x67) + _family("i64", "l", 0x50, 0x79)
    return {row.code: row for row in rows}


OPCODES: dict[int, Opcode] = _table()
"""Every admitted opcode by its number."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an opcode is refused, and what follows it in the code.

    `skip` has a letter for each immediate: "b" a byte, "u" a LEB128, "v" a vector of bytes; None where the opcode
    opens a block, or is not known, so that the code behind it cannot be told from its immediates.
    """

    cause: Cause
    message: str
    skip: str | None


def _rows(cause: Cause, message: str, skips: dict[str | None, Iterable[int]]) -> dict[int, Refusal]:
    return {code: Refusal(cause, message, skip) for skip, codes in skips.items() for code in codes}


_VECTOR = 0x7B
_REFERENCES = range(0x63, 0x76)
"""Types of references; the first two go on behind their first byte."""

_FLOATS = [*range(0x5B, 0x67), *range(0x8B, 0xA7), *range(0xA8, 0xAC), *range(0xAE, 0xC0), *range(0xFC00, 0xFC08)]
_FLOAT_MEMORY = [0x2A, 0x2B, 0x38, 0x39]
_LANES = [*range(0xFD15, 0xFD23)]
_LANE_MEMORY = [*range(0xFD54, 0xFD5C)]
_VECTOR_MEMORY = [*range(0xFD00, 0xFD0C), 0xFD5C, 0xFD5D]
_VECTOR_BYTES = [0xFD0C, 0xFD0D]
_VECTORS = {*range(0xFD00, 0xFE00)} - {*_LANES, *_LANE_MEMORY, *_VECTOR_MEMORY, *_VECTOR_BYTES}
_FENCE = 0xFE03
_ATOMICS = {*range(0xFE00, 0xFF00)} - {_FENCE}

_REFUSED: dict[int, Refusal] = (
    _rows(
        Cause.FLOATING_POINT,
        "floating point is not admitted yet",
        {"": _FLOATS, "uu": _FLOAT_MEMORY, "bbbb": [0x43], "bbbbbbbb": [0x44]},
    )
    | _rows(
        Cause.SIMD,
        "SIMD opcodes are not admitted",
        {"": _VECTORS, "uu": _VECTOR_MEMORY, "b" * 16: _VECTOR_BYTES, "b": _LANES, "uub": _LANE_MEMORY},
    )
    | _rows(
        Cause.THREADS, "threads opcodes are not admitted", {"uu": {*range(0xFE00, 0xFF00)} - {0xFE03}, "b": [0xFE03]}
    )
    | _rows(Cause.GARBAGE_COLLECTION, "garbage collection opcodes are not admitted", {None: range(0xFB00, 0xFC00)})
    | _rows(Cause.TAIL_CALLS, "tail calls are not admitted", {"u": [0x12, 0x15], "uu": [0x13]})
    | _rows(
        Cause.EXCEPTIONS,
        "exceptions are not admitted",
        {"u": [0x08, 0x09], "": [0x0A], None: [0x06, 0x07, 0x18, 0x19, 0x1F]},
    )
    | _rows(
        Cause.REFERENCE_TYPES,
        "reference types and table opcodes are not admitted",
        {
            "": [0xD1, 0xD3, 0xD4],
            "u": [0x14, 0x25, 0x26, 0xD0, 0xD2, 0xD5, 0xD6, 0xFC0D, 0xFC0F, 0xFC10, 0xFC11],
            "uu": [0xFC0C, 0xFC0E],
            "v": [0x1C],
        },
    )
    | _rows(Cause.PASSIVE_SEGMENTS, "passive data segments are not admitted", {"u": [0xFC09], "uu": [0xFC08]})
)


def refusal(code: int) -> Refusal:
    """Why an opcode outside OPCODES is refused."""
    return _REFUSED.get(code) or Refusal(Cause.UNKNOWN_OPCODE, f"unknown opcode 0x{code:02x}", None)


def refused_type(code: int) -> tuple[Cause, str, bool]:
    """Why a value type besides I32 and I64 is refused, and whether it is known to be the one byte."""
    if code in (0x7C, 0x7D):
        return Cause.FLOATING_POINT, "floating point is not admitted yet", True
    cause = Cause.SIMD if code == _VECTOR else Cause.REFERENCE_TYPES if code in _REFERENCES else Cause.MALFORMED
    is_whole = code == _VECTOR or code in _REFERENCES[2:]
    return cause, f"value type 0x{code:02x} is not admitted", is_whole
