"""Which function a byte of a module belongs to and what its author calls it: for messages, nothing else rests on it.

Everything here is lenient, for the module may be the one that was refused: what cannot be read is left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from protocol.wasm import bounds
from protocol.wasm.binary import CODE, CUSTOM, EXPORT, EXPORTED_FUNCTION, FUNCTION, IMPORT, MAGIC, TYPE, read_import
from protocol.wasm.errors import ModuleRefused
from protocol.wasm.reader import Reader, shown

MAX_SECTIONS = 100
_FUNCTION_NAMES = 1
"""The subsection of the name section that names functions."""


@dataclass(slots=True)
class Places:
    """What could be read of a module, all of it by index; places are bytes [start, end).

    `types` are of the entries of the type section, `bodies` of code, `functions` the types of all functions, the
    `imported` ones first.
    """

    imported: int = 0
    types: list[tuple[int, int]] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    exports: dict[int, str] = field(default_factory=dict)
    bodies: list[tuple[int, int]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, data: bytes) -> "Places":
        """Reads what can be read."""
        places = cls()
        for section, content in islice(sections(data), MAX_SECTIONS):
            read = _READERS.get(section)
            if read is not None:
                _leniently(read, content, places)
        return places

    def function_at(self, offset: int) -> int | None:
        """The function whose body, or else whose type, holds this byte; the first of several."""
        for number, (start, end) in enumerate(self.bodies):
            if start <= offset < end:
                return self.imported + number
        held = {number for number, (start, end) in enumerate(self.types) if start <= offset < end}
        return next((index for index, kind in enumerate(self.functions) if kind in held), None)

    def body(self, function: int) -> tuple[int, int] | None:
        """Where a function's body lies, None for an imported one."""
        number = function - self.imported
        return self.bodies[number] if 0 <= number < len(self.bodies) else None

    def name(self, function: int) -> str | None:
        """A function's name: from the name section, else the one that it is exported by."""
        found = self.names.get(function) or self.exports.get(function)
        return None if found is None else shown(found)


def sections(data: bytes) -> Iterator[tuple[int, Reader]]:
    """The id and the contents of each section, up to the first that runs past the end."""
    reader = Reader(data, len(MAGIC))
    while reader.left > 1:
        try:
            section, size = reader.byte(), reader.u32()
        except ModuleRefused:
            return
        if size > reader.left:
            return
        yield section, Reader(data, reader.position, reader.position + size)
        reader.position += size


def without_custom_sections(data: bytes) -> bytes:
    """The module without names and whatever else engines ignore. Only for a module whose sections can be read."""
    out, end = data[: len(MAGIC)], len(MAGIC)
    for section, content in sections(data):
        if section != CUSTOM:
            out += data[end : content.end]
        end = content.end
    return out


def _leniently(read: Callable[[Reader, Places], None], content: Reader, places: Places) -> None:
    """Reads as far as the contents make sense."""
    try:
        read(content, places)
    except ModuleRefused:
        return


def _types(reader: Reader, places: Places) -> None:
    for _ in range(reader.count(bounds.MAX_TYPES, "types")):
        start = reader.position
        if reader.byte() != 0x60:
            return
        for _ in ("parameters", "results"):
            reader.take(reader.u32())
        places.types.append((start, reader.position))


def _imports(reader: Reader, places: Places) -> None:
    for _ in range(reader.u32()):
        for _ in ("module", "field"):
            reader.take(reader.u32())
        kind, type_, _ = read_import(reader)
        if kind == EXPORTED_FUNCTION:
            places.functions.append(type_)
            places.imported += 1


def _functions(reader: Reader, places: Places) -> None:
    for _ in range(reader.count(bounds.MAX_FUNCTIONS, "functions")):
        places.functions.append(reader.u32())


def _exports(reader: Reader, places: Places) -> None:
    for _ in range(reader.count(bounds.MAX_EXPORTS, "exports")):
        name, kind, index = reader.name(), reader.byte(), reader.u32()
        if kind == EXPORTED_FUNCTION:
            places.exports.setdefault(index, name)


def _code(reader: Reader, places: Places) -> None:
    for _ in range(reader.count(bounds.MAX_FUNCTIONS, "bodies")):
        size = reader.u32()
        places.bodies.append((reader.position, reader.position + size))
        reader.take(size)


def _custom(reader: Reader, places: Places) -> None:
    if reader.name() != "name":
        return
    while reader.left:
        kind, size = reader.byte(), reader.u32()
        inner = Reader(reader.data, reader.position, min(reader.end, reader.position + size))
        reader.take(size)
        if kind == _FUNCTION_NAMES:
            for _ in range(inner.count(bounds.MAX_FUNCTIONS, "names")):
                index = inner.u32()
                places.names[index] = inner.name()


_READERS: dict[int, Callable[[Reader, Places], None]] = {
    TYPE: _types,
    IMPORT: _imports,
    FUNCTION: _functions,
    EXPORT: _exports,
    CODE: _code,
    CUSTOM: _custom,
}
