"""Decoding a WebAssembly binary into sections. Bounds and the binary format are checked here, types in `validate`.

Reading goes on behind a fault wherever it is known where: at the next section, body or instruction. What rests on
something that could not be read, or is of a type that is not admitted, is not judged: nothing is said twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from protocol.wasm import bounds
from protocol.wasm import opcodes as op
from protocol.wasm.errors import Cause, Fault, ModuleRefused
from protocol.wasm.faults import Faults
from protocol.wasm.reader import Reader, shown

MAGIC = b"\0asm\1\0\0\0"

CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, CODE, DATA, DATA_COUNT = range(13)
_TAGS = 13
_ORDER = (TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, DATA_COUNT, CODE, DATA)
DEFINITIONS = (TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL)
"""Sections whose entries others refer to by index."""

EXPORTED_FUNCTION, EXPORTED_TABLE, EXPORTED_MEMORY, EXPORTED_GLOBAL = range(4)


@dataclass(frozen=True, slots=True)
class FunctionType:
    """Types of parameters and of the result (none or one)."""

    parameters: bytes
    results: bytes


UNKNOWN_TYPE = FunctionType(bytes([op.OPEN]), bytes([op.OPEN]))
"""Stands for a function's type that is not there or past the bounds; compared by identity."""


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


UNREAD = Body(b"", 0, 0)
"""Stands for a body that is not read; compared by identity."""


@dataclass(frozen=True, slots=True)
class DataSegment:
    """Bytes that fill the memory from `offset` on."""

    offset: int
    content: bytes


@dataclass(slots=True)
class Module:
    """A decoded module. `raw` holds the contents of each section by its id, custom sections left out.

    `functions` are the types of all functions, the `imported` ones first; `broken` the sections that could not be read
    to their ends.
    """

    data: bytes
    faults: Faults
    raw: dict[int, bytes] = field(default_factory=dict)
    types: list[FunctionType] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    table: tuple[int, int] | None = None
    memory: tuple[int, int] | None = None
    globals: list[Global] = field(default_factory=list)
    exports: dict[str, Export] = field(default_factory=dict)
    bodies: list[Body] = field(default_factory=list)
    segments: list[DataSegment] = field(default_factory=list)
    imported: int = 0
    broken: set[int] = field(default_factory=set)

    def function_type(self, index: int) -> FunctionType:
        """The type of a function by its index."""
        kind = self.functions[index]
        return self.types[kind] if kind < len(self.types) else UNKNOWN_TYPE

    @property
    def defined(self) -> int:
        """How many functions are the module's own."""
        return len(self.functions) - self.imported

    def is_sure(self, *sections: int) -> bool:
        """Whether these sections were read whole, so that what is missing from them is missing."""
        return self.broken.isdisjoint(sections)


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


def decode(data: bytes, faults: Faults) -> Module:
    """The sections of a module as far as they can be read. What is wrong with them goes to `faults`."""
    module = Module(data, faults)
    try:
        _decode(Reader(data), module)
    except ModuleRefused as refused:
        faults.note_unread(refused, "module")
        last = max((_ORDER.index(section) for section in module.raw), default=-1)
        module.broken.update(_ORDER[last + 1 :])
    if module.is_sure(FUNCTION, CODE) and len(module.bodies) != module.defined:
        faults.note(Fault(Cause.INVALID, len(data), f"{module.defined} functions, {len(module.bodies)} bodies"))
        module.broken.add(FUNCTION)
    return module


def _decode(reader: Reader, module: Module) -> None:
    size = len(module.data)
    if size > bounds.MAX_MODULE_BYTES:
        cause = f"{size} bytes, at most {bounds.MAX_MODULE_BYTES} are admitted"
        raise reader.refuse(Cause.MODULE_TOO_LARGE, cause)
    if reader.data[:8] != MAGIC:
        raise reader.refuse(Cause.MALFORMED, "this is not a core module of WebAssembly 1.0")
    reader.position = 8
    last = -1
    while reader.left:
        section, size = reader.byte(), reader.u32()
        if size > reader.left:
            raise reader.refuse(Cause.MALFORMED, "a section runs past the end")
        content = Reader(reader.data, reader.position, reader.position + size)
        reader.position = content.end
        if section == _TAGS:
            module.faults.note(content.fault(Cause.EXCEPTIONS, f"section {section} is not admitted"))
            continue
        if section != CUSTOM:
            last = _check_order(content, section, last)
            module.raw[section] = content.data[content.position : content.end]
        _read_section(content, section, module)


def _read_section(content: Reader, section: int, module: Module) -> None:
    """Reads one section; the others can be read whatever is wrong with it."""
    try:
        _SECTIONS[section](content, module)
        if content.left and section != CUSTOM:
            module.faults.note(content.fault(Cause.MALFORMED, "a section is longer than its contents"))
    except ModuleRefused as refused:
        module.faults.note_unread(refused, "section")
        module.broken.add(section)
    module.faults.function = None


def _check_order(reader: Reader, section: int, last: int) -> int:
    """The section's place in the order; each may come once."""
    if section not in _ORDER:
        raise reader.refuse(Cause.MALFORMED, f"section {section} is not admitted")
    place = _ORDER.index(section)
    if place <= last:
        raise reader.refuse(Cause.MALFORMED, "a section is repeated or out of order")
    return place


def _value_type(reader: Reader, faults: Faults) -> int:
    """The type that is read, OPEN in the place of one that is not admitted."""
    value = reader.byte()
    if value in (op.I32, op.I64):
        return value
    reader.position -= 1
    cause, message, is_whole = op.refused_type(value)
    if not is_whole:
        raise reader.refuse(cause, message)
    faults.note(reader.fault(cause, message))
    reader.position += 1
    return op.OPEN


def _custom(reader: Reader, _: Module) -> None:
    reader.name()


def _types(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_TYPES, "types")):
        if reader.byte() != 0x60:
            raise reader.refuse(Cause.GARBAGE_COLLECTION, "only function types are admitted")
        parameters = _value_types(reader, module, bounds.MAX_PARAMETERS, "parameters", Cause.TOO_MANY_LOCALS)
        results = _value_types(reader, module, 1, "results", Cause.MULTIPLE_VALUES)
        unknown = parameters is None or results is None
        module.types.append(UNKNOWN_TYPE if unknown else FunctionType(parameters or b"", results or b""))


def _value_types(reader: Reader, module: Module, most: int, what: str, cause: Cause) -> bytes | None:
    """Types of parameters or results, None for more than are admitted."""
    count = reader.u32()
    if count > most:
        module.faults.note(reader.fault(cause, f"{count} {what}, at most {most} are admitted"))
    types = bytes(_value_type(reader, module.faults) for _ in range(count))
    return types if count <= most else None


def _imports(reader: Reader, module: Module) -> None:
    for _ in range(reader.u32()):
        what = f"{shown(reader.name())}.{shown(reader.name())}"
        module.faults.note(reader.fault(Cause.IMPORTS, f"imports are not admitted: `{what}`"))
        _define_imported(module, *read_import(reader))


def _define_imported(module: Module, kind: int, first: int, second: int) -> None:
    """What is imported has its index before the module's own; nothing more is said against it."""
    if kind == EXPORTED_FUNCTION:
        module.functions.append(first)
        module.imported += 1
    elif kind == EXPORTED_TABLE:
        module.table = first, second
    elif kind == EXPORTED_MEMORY:
        module.memory = first, second
    else:
        module.globals.append(Global(first if first in (op.I32, op.I64) else op.OPEN, bool(second), 0))


def read_import(reader: Reader) -> tuple[int, int, int]:
    """An import behind its names: its kind; a function's type, a minimum and maximum, or a global's type and whether
    it can be set. Raises ModuleRefused for another kind."""
    kind = reader.byte()
    if kind == EXPORTED_FUNCTION:
        return kind, reader.u32(), 0
    if kind == EXPORTED_GLOBAL:
        return kind, reader.byte(), reader.byte()
    if kind not in (EXPORTED_TABLE, EXPORTED_MEMORY):
        raise reader.refuse(Cause.MALFORMED, f"unknown kind of import {kind}")
    if kind == EXPORTED_TABLE:
        reader.byte()
    flags, low = reader.byte(), reader.u32()
    return kind, low, reader.u32() if flags & 1 else low


def _functions(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_FUNCTIONS, "functions")):
        index = reader.u32()
        if index >= len(module.types) and module.is_sure(TYPE):
            module.faults.note(reader.fault(Cause.INVALID, f"there is no type {index}"))
        module.functions.append(index)


def _limits(reader: Reader, module: Module, most: int, what: str, must_bound: bool) -> tuple[int, int]:
    """Minimum and maximum of a table or memory; an absent maximum is the minimum unless it must be declared."""
    note, flags = module.faults.note, reader.byte()
    if flags > 7:
        raise reader.refuse(Cause.MALFORMED, f"unknown limits of a {what}")
    if flags > 1:
        note(reader.fault(Cause.MEMORY_KIND, f"shared or 64-bit {what} is not admitted"))
    has_maximum = bool(flags & 1)
    if not has_maximum and must_bound:
        note(reader.fault(Cause.MEMORY_UNBOUNDED, f"the {what} declares no maximum"))
    low = reader.u32()
    if low > most:
        note(reader.fault(Cause.MEMORY_TOO_LARGE, f"{low} units of {what}, at most {most} are admitted"))
    high = reader.u32() if has_maximum else low
    if high < low:
        note(reader.fault(Cause.INVALID, f"the {what}'s maximum is below its minimum"))
    elif must_bound and has_maximum and high > most:
        note(reader.fault(Cause.MEMORY_TOO_LARGE, f"a {what} of {high}, at most {most} are admitted"))
    return low, high


def _at_most_one(reader: Reader, module: Module, what: str) -> int:
    count = reader.u32()
    if count > 1:
        module.faults.note(reader.fault(Cause.MULTIPLE_MEMORIES, f"{count} {what}, at most 1 are admitted"))
    return count


def _table(reader: Reader, module: Module) -> None:
    for _ in range(_at_most_one(reader, module, "tables")):
        if reader.byte() != op.FUNCREF:
            raise reader.refuse(Cause.REFERENCE_TYPES, "only a table of functions is admitted")
        limits = _limits(reader, module, bounds.MAX_TABLE, "table", must_bound=False)
        module.table = module.table or limits


def _memory(reader: Reader, module: Module) -> None:
    for _ in range(_at_most_one(reader, module, "memories")):
        limits = _limits(reader, module, bounds.MAX_MEMORY_PAGES, "memory", must_bound=True)
        module.memory = module.memory or limits


def _constant(reader: Reader, module: Module, wanted: int) -> int:
    """The value of a constant expression: one constant of the wanted type, which an OPEN one cannot be."""
    start, code, value = reader.position, reader.byte(), 0
    if code == (op.I32_CONST if wanted == op.I32 else op.I64_CONST) and wanted != op.OPEN:
        value = reader.signed(32 if wanted == op.I32 else 64)
        start = reader.position
        if reader.byte() == op.END:
            return value
        message = "extended constant expressions are not admitted"
    else:
        message = "only a constant of the right type is admitted here"
    if wanted != op.OPEN:
        module.faults.note(reader.fault(Cause.CONSTANT_EXPRESSION, message))
    reader.position = start
    while (code := _opcode(reader)) != op.END:
        _skip_immediates(reader, code, module.faults)
    return value


def _globals(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_GLOBALS, "globals")):
        kind, mutable = _value_type(reader, module.faults), reader.byte()
        if mutable > 1:
            module.faults.note(reader.fault(Cause.THREADS, "shared globals are not admitted"))
        module.globals.append(Global(kind, bool(mutable), _constant(reader, module, kind)))


def _exports(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_EXPORTS, "exports")):
        name, kind, index = reader.name(), reader.byte(), reader.u32()
        space = [
            len(module.functions), int(module.table is not None), int(module.memory is not None), len(module.globals),
        ]  # fmt: skip
        if (kind >= len(space) or index >= space[kind]) and module.is_sure(*DEFINITIONS):
            module.faults.note(reader.fault(Cause.INVALID, "an export of something that is not there"))
        if name in module.exports:
            module.faults.note(reader.fault(Cause.INVALID, "an export's name is repeated"))
        module.exports.setdefault(name, Export(kind, index))


def _start(reader: Reader, module: Module) -> None:
    module.faults.note(reader.fault(Cause.START_FUNCTION, "a start function is not admitted"))
    reader.u32()


def _elements(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_SEGMENTS, "element segments")):
        if reader.u32():
            raise reader.refuse(Cause.PASSIVE_SEGMENTS, "only plain active element segments are admitted")
        offset = _constant(reader, module, op.I32) & 0xFFFFFFFF
        items = tuple(reader.u32() for _ in range(reader.count(bounds.MAX_TABLE, "elements")))
        if any(item >= len(module.functions) for item in items) and module.is_sure(*DEFINITIONS):
            module.faults.note(reader.fault(Cause.INVALID, "an element of a function that is not there"))
        is_inside = module.table is not None and offset + len(items) <= module.table[0]
        if not is_inside and module.is_sure(*DEFINITIONS):
            module.faults.note(reader.fault(Cause.SEGMENT_OUTSIDE, "an element segment outside the table"))


def _data_count(reader: Reader, _: Module) -> None:
    reader.count(bounds.MAX_SEGMENTS, "data segments")


def _data(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_SEGMENTS, "data segments")):
        _data_segment(reader, module)
    declared = module.raw.get(DATA_COUNT)
    if declared is None or not module.is_sure(DATA_COUNT):
        return
    if Reader(declared).u32() != len(module.segments):
        module.faults.note(reader.fault(Cause.INVALID, "the data count is wrong"))


def _data_segment(reader: Reader, module: Module) -> None:
    flags = reader.u32()
    if flags > 2:
        raise reader.refuse(Cause.MALFORMED, "unknown kind of data segment")
    if flags == 2 and reader.u32():
        module.faults.note(reader.fault(Cause.MULTIPLE_MEMORIES, "only one memory is admitted"))
    if flags == 1:
        module.faults.note(reader.fault(Cause.PASSIVE_SEGMENTS, "passive data segments are not admitted"))
    offset = 0 if flags == 1 else _constant(reader, module, op.I32) & 0xFFFFFFFF
    content = reader.take(reader.u32())
    module.segments.append(DataSegment(offset, content))
    is_inside = module.memory is not None and offset + len(content) <= module.memory[0] * bounds.PAGE_BYTES
    if flags != 1 and not is_inside and module.is_sure(*DEFINITIONS):
        message = "a data segment outside the memory's minimum size"
        module.faults.note(reader.fault(Cause.SEGMENT_OUTSIDE, message))


def _code(reader: Reader, module: Module) -> None:
    for _ in range(reader.count(bounds.MAX_FUNCTIONS, "bodies")):
        module.faults.function = module.imported + len(module.bodies)
        size = reader.u32()
        is_small = size <= bounds.MAX_BODY_BYTES
        if not is_small:
            message = f"{size} bytes of a function's body, at most {bounds.MAX_BODY_BYTES} are admitted"
            module.faults.note(reader.fault(Cause.BODY_TOO_LARGE, message))
        if size > reader.left:
            raise reader.refuse(Cause.MALFORMED, "a body runs past the end")
        body = Reader(reader.data, reader.position, reader.position + size)
        module.bodies.append(_body(body, module.faults) if is_small else UNREAD)
        reader.position = body.end
    module.faults.function = None


def _body(reader: Reader, faults: Faults) -> Body:
    try:
        return Body(_locals(reader, faults), reader.position, reader.end)
    except ModuleRefused as refused:
        faults.note_unread(refused, "function")
        return UNREAD


def _locals(reader: Reader, faults: Faults) -> bytes:
    """Types of the declared locals. The parameters are counted later, with the function's type."""
    out = b""
    for _ in range(reader.count(bounds.MAX_LOCALS, "groups of locals", Cause.TOO_MANY_LOCALS)):
        count = reader.count(bounds.MAX_LOCALS, "locals", Cause.TOO_MANY_LOCALS)
        out += bytes([_value_type(reader, faults)]) * count
        if len(out) > bounds.MAX_LOCALS:
            raise reader.refuse(Cause.TOO_MANY_LOCALS, f"more than {bounds.MAX_LOCALS} locals")
    return out


_SECTIONS: dict[int, Callable[[Reader, Module], None]] = {
    CUSTOM: _custom, TYPE: _types, IMPORT: _imports, FUNCTION: _functions, TABLE: _table, MEMORY: _memory,
    GLOBAL: _globals, EXPORT: _exports, START: _start, ELEMENT: _elements, DATA_COUNT: _data_count, CODE: _code,
    DATA: _data,
}  # fmt: skip


def instructions(module: Module, body: Body) -> Iterator[Instruction]:
    """The instructions of a body, its last `end` included.

    An opcode that is not admitted goes to the module's faults and comes as `unreachable`. Raises ModuleRefused where
    the rest cannot be read.
    """
    reader, faults = Reader(module.data, body.start, body.end), module.faults
    depth, opened, deepest = 1, 0, bounds.MAX_NESTING
    while depth:
        start = reader.position
        code = _opcode(reader)
        row = op.OPCODES.get(code)
        if row is None:
            _skip_refused(reader, code, start, faults)
            yield Instruction(op.UNREACHABLE, 0, start, reader.position)
            continue
        if code in (op.BLOCK, op.LOOP, op.IF):
            depth += 1
            opened += 1
            if depth > deepest:
                faults.note(reader.fault(Cause.TOO_MANY_BLOCKS, f"blocks nested deeper than {bounds.MAX_NESTING}"))
                deepest = len(module.data)
            if opened == bounds.MAX_BLOCKS + 1:
                faults.note(reader.fault(Cause.TOO_MANY_BLOCKS, f"more than {bounds.MAX_BLOCKS} blocks"))
        elif code == op.END:
            depth -= 1
        if row.immediate is op.Immediate.NONE:
            yield Instruction(code, 0, start, reader.position)
        else:
            yield _with_immediate(reader, code, row.immediate, start, faults)
    if reader.left:
        raise reader.refuse(Cause.MALFORMED, "code behind the end of a function")


def _skip_refused(reader: Reader, code: int, start: int, faults: Faults) -> None:
    """Notes an opcode that is not admitted and reads on behind it."""
    refusal = op.refusal(code)
    fault = Fault(refusal.cause, start, refusal.message)
    if refusal.skip is None:
        raise ModuleRefused((fault,))
    faults.note(fault)
    _skip(reader, refusal.skip)


def _skip(reader: Reader, immediates: str) -> None:
    for kind in immediates:
        if kind == "b":
            reader.byte()
        elif kind == "u":
            reader.u32()
        else:
            reader.take(reader.u32())


def _skip_immediates(reader: Reader, code: int, faults: Faults) -> None:
    """Reads over what follows an opcode in a constant expression that is not admitted anyway."""
    row = op.OPCODES.get(code)
    if row is None:
        _skip(reader, op.refusal(code).skip or "")
    elif row.immediate is not op.Immediate.NONE:
        _with_immediate(reader, code, row.immediate, reader.position, faults)


def _opcode(reader: Reader) -> int:
    code = reader.byte()
    if code in (0xFB, 0xFC, 0xFD, 0xFE):
        number = reader.u32()
        return (code << 8) + number if number < 0x100 else code << 8 | 0xFF
    return code


def _with_immediate(reader: Reader, code: int, kind: op.Immediate, start: int, faults: Faults) -> Instruction:
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
        value = _block_type(reader, faults)
    elif kind is op.Immediate.TABLE:
        targets = tuple(reader.u32() for _ in range(1 + reader.count(bounds.MAX_BRANCH_TARGETS, "branch targets")))
    else:
        value = _indirect_or_zero(reader, kind)
    return Instruction(code, value, start, reader.position, targets, align)


def _block_type(reader: Reader, faults: Faults) -> int:
    value = reader.byte()
    if value in (op.EMPTY, op.I32, op.I64):
        return value
    if value < op.EMPTY or value >= 0x80:
        raise reader.refuse(Cause.MULTIPLE_VALUES, "blocks of several values are not admitted")
    reader.position -= 1
    return _value_type(reader, faults)


def _indirect_or_zero(reader: Reader, kind: op.Immediate) -> int:
    """Immediates that end in indices of the one memory or table, each the byte 0."""
    value = reader.u32() if kind is op.Immediate.INDIRECT else 0
    for _ in range(2 if kind is op.Immediate.ZEROS else 1):
        if reader.byte():
            raise reader.refuse(Cause.MULTIPLE_MEMORIES, "only one memory and one table are admitted")
    return value
