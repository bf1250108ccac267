"""From a byte of a module's code back to the source's line, by the debug section of compilers (DWARF 4, 6.2)."""

import struct
from dataclasses import dataclass

from protocol.wasm.binary import CODE, CUSTOM
from protocol.wasm.errors import ModuleRefused
from protocol.wasm.places import sections
from protocol.wasm.reader import Reader, shown

_HEAD = struct.Struct("<IHIBBBbBB")
_VERSION = 4
_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE, _CONST_ADD_PC, _FIXED_ADVANCE_PC = 1, 2, 3, 4, 8, 9
_END_SEQUENCE, _SET_ADDRESS = 1, 2


@dataclass(frozen=True, slots=True)
class SourceLines:
    """(address, "file:line") of stretches of code; addresses count from the start of the code section's contents."""

    rows: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, module: bytes) -> "SourceLines":
        """Reads what can be read: nothing in a module without that section, or with another version of it."""
        rows: list[tuple[int, str]] = []
        for section, content in sections(module):
            try:
                if section == CUSTOM and content.name() == ".debug_line":
                    while content.left > _HEAD.size:
                        rows += _unit(content)
            except ModuleRefused:
                break
        return cls(tuple(sorted(rows)))

    def at(self, module: bytes, body: tuple[int, int], offset: int) -> str | None:
        """The line of a byte in (or before) a function's body of a module with the same code; None if unknown."""
        start = next((content.position for section, content in sections(module) if section == CODE), 0)
        own = [(address, place) for address, place in self.rows if body[0] <= start + address < body[1]]
        before = [place for address, place in own if start + address <= offset]
        return before[-1] if before else own[0][1] if own else None


@dataclass(slots=True)
class _State:
    address: int = 0
    file: int = 1
    line: int = 1


def _unit(reader: Reader) -> list[tuple[int, str]]:
    """The rows of one compilation unit: address and place."""
    length, version, header_length, minimum, _, _, base, span, first = _HEAD.unpack(
        reader.data[reader.position : reader.position + _HEAD.size]
    )
    end = reader.position + 4 + length
    unit = Reader(reader.data, reader.position + _HEAD.size, min(end, reader.end))
    program = reader.position + 10 + header_length
    reader.take(min(4 + length, reader.left))
    if version != _VERSION or not span or not first:
        return []
    operands = list(unit.take(first - 1))
    files = _files(unit)
    unit.position = program
    return _rows(unit, files, operands, (minimum, base, span, first))


def _files(unit: Reader) -> list[str]:
    """The files' names, numbered from 1."""
    while _string(unit):
        continue
    names = [""]
    while name := _string(unit):
        names.append(name)
        for _ in ("folder", "time", "length"):
            unit.u32()
    return names


def _string(unit: Reader) -> str:
    end = unit.data.find(b"\0", unit.position, unit.end)
    raw = unit.take((unit.end if end < 0 else end) - unit.position)
    unit.byte()
    return shown(raw.decode("utf-8", "replace"))


def _rows(
    unit: Reader, files: list[str], operands: list[int], shape: tuple[int, int, int, int]
) -> list[tuple[int, str]]:
    minimum, base, span, first = shape
    rows: list[tuple[int, str]] = []
    state = _State()
    while unit.left:
        code = unit.byte()
        if code >= first:
            state.address += (code - first) // span * minimum
            state.line += base + (code - first) % span
        elif code == 0:
            state = _extended(unit, state)
        elif code == _CONST_ADD_PC:
            state.address += (255 - first) // span * minimum
        else:
            _standard(unit, code, state, operands, minimum)
        # Line 0 is code that the compiler made up.
        if (code >= first or code == _COPY) and state.line > 0 and state.file < len(files):
            rows.append((state.address, f"{files[state.file]}:{state.line}"))
    return rows


def _extended(unit: Reader, state: _State) -> _State:
    body = unit.take(unit.u32())
    if body[:1] == bytes([_SET_ADDRESS]):
        state.address = int.from_bytes(body[1:], "little")
    return _State() if body[:1] == bytes([_END_SEQUENCE]) else state


def _standard(unit: Reader, code: int, state: _State, operands: list[int], minimum: int) -> None:
    if code == _ADVANCE_LINE:
        state.line += unit.signed(32)
    elif code == _FIXED_ADVANCE_PC:
        state.address += int.from_bytes(unit.take(2), "little")
    else:
        values = [unit.u32() for _ in range(operands[code - 1])] or [0]
        if code == _ADVANCE_PC:
            state.address += values[0] * minimum
        elif code == _SET_FILE:
            state.file = values[0]
