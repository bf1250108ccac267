"""Decoding a WebAssembly binary into sections. Bounds and the binary format are checked here, types in `validate`."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from protocol.wasm import bounds
from protocol.wasm import opcodes as op
from protocol.wasm.reader import Reader, shown

MAGIC = b"\0asm\1\0\0\0"

CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, CODE, DATA, DATA_COUNT = range(13)
_ORDER = (TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, DATA_COUNT, CODE, DATA)

EXPORTED_FUNCTION, EXPORTED_TABLE, EXPORTED_MEMORY, EXPORTED_GLOBAL = range(4)


@dataclass(frozen=True, slots=True)
class FunctionType:
    """Types of parameters and of the result (none or one)."""

    parameters: bytes
    results: bytes


@dataclass(frozen=True, slots=True)
class Global:
    """A global and its first value, as the signed number written in the module."""

    type: int
    mutable: bool
    value: int


@dataclass(frozen=True, slots=True)
class Export:
    """What a name stands for: a kind and the index in that kind's space."""

    kind: int
    index: int


@dataclass(frozen=True, slots=True)
class Body:
    """Where a function's code lies: declared locals (types, one byte each) and the code's bytes [start, end)."""

    locals: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DataSegment:
    """Bytes that fill the memory from `offset` on."""

    offset: int
    content: bytes


@dataclass(slots=True)
class Module:
    """A decoded module. `raw` holds the contents of each section by its id, custom sections left out."""

    data: bytes
    raw: dict[int, bytes] = field(default_factory=dict)
    types: list[FunctionType] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    table: tuple[int, int] | None = None
    memory: tuple[int, int] | None = None
    globals: list[Global] = field(default_factory=list)
    exports: dict[str, Export] = field(default_factory=dict)
    bodies: list[Body] = field(default_factory=list)
    segments: list[DataSegment] = field(default_factory=list)

    def function_type(self, index: int) -> FunctionType:
        """The type of a function by its index."""
        return self.types[self.functions[index]]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction and its bytes [start, end) in the module.

    `immediate` is the block type, index, constant, type index or memory offset; a br_table has `targets`, the default
    last; a load or store has its alignment's exponent in `align`.
    """

    code: int
    immediate: int
    start: int
    end: int
    targets: tuple[int, ...] = ()
    align: int = 0


def decode(data: bytes) -> Module:
    """The sections of a module. Raises ModuleRefused."""
    reader = Reader(data)
    if len(data) > bounds.MAX_MODULE_BYTES:
        raise reader.refuse(f"{len(data)} bytes, at most {bounds.MAX_MODULE_BYTES} are admitted")
    if data[:8] != MAGIC:
        raise reader.refuse("this is not a core module of WebAssembly 1.0")
    reader.position = 8
    module = Module(data)
    last = -1
    while reader.left:
        section = reader.byte()
        size = reader.u32()
        if size > reader.left:
            raise reader.refuse("a section runs past the end")
        content = Reader(data, reader.position, reader.position + size)
        if section != CUSTOM:
            last = _check_order(content, section, last)
            module.raw[section] = data[content.position : content.end]
            _SECTIONS[section](content, module)
            if content.left:
                raise content.refuse("a section is longer than its contents")
        else:
            content.name()
        reader.position = content.end
    if len(module.bodies) != len(module.functions):
        raise reader.refuse(f"{len(module.functions)} functions, {len(module.bodies)} bodies")
    return module


def _check_order(reader: Reader, section: int, last: int) -> int:
    """The section's place in the order; each may come once."""
    if section not in _ORDER:
        raise reader.refuse(f"section {section} is not admitted")
    place = _ORDER.index(section)
    if place <= last:
        raise reader.refuse("a section is repeated or out of order")
    return place


def _value_type(reader: Reader) -> int:
    value = reader.byte()
    if value in (op.I32, op.I64):
        return value
    reader.position -= 1
    if value in (0x7C, 0x7D):
        raise reader.refuse("floating point is not admitted yet")
    raise reader.refuse(f"value type 0x{value:02x} is not admitted")


def _types(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_TYPES, "types")):
        if reader.byte() != 0x60:
            raise reader.refuse("only function types are admitted")
        parameters = [_value_type(reader) for _ in range(reader.count(bounds.MAX_PARAMETERS, "parameters"))]
        results = [_value_type(reader) for _ in range(reader.count(1, "results"))]
        module.types.append(FunctionType(bytes(parameters), bytes(results)))


def _imports(reader: Reader, _: Module) -> None:
    if reader.u32():
        raise reader.refuse(f"imports are not admitted: `{shown(reader.name())}.{shown(reader.name())}`")


def _functions(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_FUNCTIONS, "functions")):
        index = reader.u32()
        if index >= len(module.types):
            raise reader.refuse(f"there is no type {index}")
        module.functions.append(index)


def _limits(reader: Reader, most: int, what: str, must_bound: bool) -> tuple[int, int]:
    """Minimum and maximum of a table or memory; an absent maximum is the minimum unless it must be declared."""
    flags = reader.byte()
    if flags > 1:
        raise reader.refuse(f"shared or 64-bit {what} is not admitted")
    if not flags and must_bound:
        raise reader.refuse(f"the {what} declares no maximum")
    low = reader.count(most, f"units of {what}")
    high = reader.u32() if flags else low
    if high < low:
        raise reader.refuse(f"the {what}'s maximum is below its minimum")
    if must_bound and high > most:
        raise reader.refuse(f"a {what} of {high}, at most {most} are admitted")
    return low, high


def _table(reader: Reader, module: Module) -> None:
    if reader.count(1, "tables"):
        if reader.byte() != op.FUNCREF:
            raise reader.refuse("only a table of functions is admitted")
        module.table = _limits(reader, bounds.MAX_TABLE, "table", must_bound=False)


def _memory(reader: Reader, module: Module) -> None:
    if reader.count(1, "memories"):
        module.memory = _limits(reader, bounds.MAX_MEMORY_PAGES, "memory", must_bound=True)


def _constant(reader: Reader, wanted: int) -> int:
    """A constant expression: one constant of the wanted type."""
    code = reader.byte()
    if code != (op.I32_CONST if wanted == op.I32 else op.I64_CONST):
        raise reader.refuse("only a constant of the right type is admitted here")
    value = reader.signed(32 if wanted == op.I32 else 64)
    if reader.byte() != op.END:
        raise reader.refuse("extended constant expressions are not admitted")
    return value


def _globals(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_GLOBALS, "globals")):
        kind, mutable = _value_type(reader), reader.byte()
        if mutable > 1:
            raise reader.refuse("shared globals are not admitted")
        module.globals.append(Global(kind, bool(mutable), _constant(reader, kind)))


def _exports(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_EXPORTS, "exports")):
        name, kind, index = reader.name(), reader.byte(), reader.u32()
        space = [
            len(module.functions), int(module.table is not None), int(module.memory is not None), len(module.globals),
        ]  # fmt: skip
        if kind >= len(space) or index >= space[kind]:
            raise reader.refuse("an export of something that is not there")
        if name in module.exports:
            raise reader.refuse("an export's name is repeated")
        module.exports[name] = Export(kind, index)


def _start(reader: Reader, _: Module) -> None:
    raise reader.refuse("a start function is not admitted")


def _elements(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_SEGMENTS, "element segments")):
        if reader.u32():
            raise reader.refuse("only plain active element segments are admitted")
        offset = _constant(reader, op.I32) & 0xFFFFFFFF
        items = tuple(reader.u32() for _ in range(reader.count(bounds.MAX_TABLE, "elements")))
        if any(item >= len(module.functions) for item in items):
            raise reader.refuse("an element of a function that is not there")
        if module.table is None or offset + len(items) > module.table[0]:
            raise reader.refuse("an element segment outside the table")


def _data_count(reader: Reader, _: Module) -> None:
    reader.count(bounds.MAX_SEGMENTS, "data segments")


def _data(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_SEGMENTS, "data segments")):
        flags = reader.u32()
        if flags not in (0, 2) or (flags == 2 and reader.u32()):
            raise reader.refuse("passive data segments are not admitted")
        offset = _constant(reader, op.I32) & 0xFFFFFFFF
        content = reader.take(reader.u32())
        if module.memory is None or offset + len(content) > module.memory[0] * bounds.PAGE_BYTES:
            raise reader.refuse("a data segment outside the memory's minimum size")
        module.segments.append(DataSegment(offset, content))
    declared = module.raw.get(DATA_COUNT)
    if declared is not None and Reader(declared).u32() != len(module.segments):
        raise reader.refuse("the data count is wrong")


def _code(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_FUNCTIONS, "bodies")):
        size = reader.count(bounds.MAX_BODY_BYTES, "bytes of a function's body")
        if size > reader.left:
            raise reader.refuse("a body runs past the end")
        body = Reader(reader.data, reader.position, reader.position + size)
        module.bodies.append(Body(read_locals(body), body.position, body.end))
        reader.position = body.end


def read_locals(reader: Reader) -> bytes:
    """Types of the declared locals. The parameters are counted later, with the function's type."""
    out = b""
    for _ in range(reader.count(bounds.MAX_LOCALS, "groups of locals")):
        count = reader.count(bounds.MAX_LOCALS, "locals")
        out += bytes([_value_type(reader)]) * count
        if len(out) > bounds.MAX_LOCALS:
            raise reader.refuse(f"more than {bounds.MAX_LOCALS} locals")
    return out


_SECTIONS = {
    TYPE: _types, IMPORT: _imports, FUNCTION: _functions, TABLE: _table, MEMORY: _memory, GLOBAL: _globals,
    EXPORT: _exports, START: _start, ELEMENT: _elements, DATA_COUNT: _data_count, CODE: _code, DATA: _data,
}  # fmt: skip


def instructions(data: bytes, body: Body) -> Iterator[Instruction]:
    """The instructions of a body, its last `end` included. Raises ModuleRefused at an opcode that is not admitted."""
    reader = Reader(data, body.start, body.end)
    depth, opened = 1, 0
    while depth:
        start = reader.position
        code = _opcode(reader)
        row = op.OPCODES.get(code)
        if row is None:
            reader.position = start
            raise reader.refuse(op.refusal(code))
        if code in (op.BLOCK, op.LOOP, op.IF):
            depth += 1
            opened += 1
        elif code == op.END:
            depth -= 1
        if depth > bounds.MAX_NESTING:
            raise reader.refuse(f"blocks nested deeper than {bounds.MAX_NESTING}")
        if opened > bounds.MAX_BLOCKS:
            raise reader.refuse(f"more than {bounds.MAX_BLOCKS} blocks")
        if row.immediate is op.Immediate.NONE:
            yield Instruction(code, 0, start, reader.position)
        else:
            yield _with_immediate(reader, code, row.immediate, start)
    if reader.left:
        raise reader.refuse("code behind the end of a function")


def _opcode(reader: Reader) -> int:
    code = reader.byte()
    if code in (0xFB, 0xFC, 0xFD, 0xFE):
        number = reader.u32()
        return (code << 8) + number if number < 0x100 else code << 8 | 0xFF
    return code


def _with_immediate(reader: Reader, code: int, kind: op.Immediate, start: int) -> Instruction:
    """The instruction whose opcode was read."""
    value = align = 0
    targets: tuple[int, ...] = ()
    if kind is op.Immediate.INDEX:
        value = reader.u32()
    elif kind in (op.Immediate.I32, op.Immediate.I64):
        value = reader.signed(32 if kind is op.Immediate.I32 else 64)
    elif kind is op.Immediate.MEMARG:
        align, value = reader.u32(), reader.u32()
    elif kind is op.Immediate.BLOCK:
        value = _block_type(reader)
    elif kind is op.Immediate.TABLE:
        targets = tuple(reader.u32() for _ in range(1 + reader.count(bounds.MAX_BRANCH_TARGETS, "branch targets")))
    else:
        value = _indirect_or_zero(reader, kind)
    return Instruction(code, value, start, reader.position, targets, align)


def _block_type(reader: Reader) -> int:
    value = reader.byte()
    if value in (op.EMPTY, op.I32, op.I64):
        return value
    if value < op.EMPTY or value >= 0x80:
        raise reader.refuse("blocks of several values are not admitted")
    reader.position -= 1
    return _value_type(reader)


def _indirect_or_zero(reader: Reader, kind: op.Immediate) -> int:
    """Immediates that end in indices of the one memory or table, each the byte 0."""
    value = reader.u32() if kind is op.Immediate.INDIRECT else 0
    for _ in range(2 if kind is op.Immediate.ZEROS else 1):
        if reader.byte():
            raise reader.refuse("only one memory and one table are admitted")
    return value
