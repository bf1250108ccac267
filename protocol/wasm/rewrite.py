"""Rewriting an admitted module so that it counts its own work and behaves alike on every engine.

The rewritten module is what is hashed, shipped and run. It differs from the original in this:

* **Work units.** Each basic block's weight is taken from the counter where the block begins. Inside a function the
  counter lives in a local; it is written back at calls and at the function's one exit (every `return` becomes a branch
  to it). It is checked at function entries, loop heads, before bulk operations (which are charged by their length
  first) and at the exit. Below zero the task stops. Between two checks the counter falls by less than 2^32, so that it
  cannot wrap.
* **Frames.** A call needs FRAME_OVERHEAD_BYTES, 8 for each parameter, local and operand (at their largest number) of
  the callee, and 2 for each of its instructions that compute a value: optimisers hoist such values out of loops and
  keep them over calls. When the sum over all active calls passes the limit, the task stops. Engines have four
  times that limit, so they hold even a frame in which every computed value lives at once.
* **Memory** has its declared maximum from the start. `memory.size` and `memory.grow` are answered from a counter, so
  that growing depends on no device. An access between the counted and the real size does *not* trap: all devices run
  the rewritten module, so all see the same.
* **Exports** are `memory`, `alloc`, `run` and the `*_EXPORT` names below; custom sections are dropped.

The host sets the counter before `alloc`, and reads the reason after a trap: 0 means that the program trapped by itself.
"""

from dataclasses import dataclass

from protocol.wasm import bounds
from protocol.wasm import opcodes as op
from protocol.wasm.admit import AdmittedModule
from protocol.wasm.binary import (
    CODE,
    DATA,
    ELEMENT,
    EXPORT,
    EXPORTED_FUNCTION,
    EXPORTED_GLOBAL,
    EXPORTED_MEMORY,
    FUNCTION,
    GLOBAL,
    MAGIC,
    MEMORY,
    TABLE,
    TYPE,
    Body,
    FunctionType,
    Instruction,
    Module,
)  # fmt: skip
from protocol.wasm.errors import Cause, Fault, ModuleRefused
from protocol.wasm.reader import Reader, signed_leb, unsigned_leb
from protocol.wasm.validate import CheckedFunction

STOP_WU_LIMIT = 1
STOP_FRAME_LIMIT = 2

FRAME_OVERHEAD_BYTES = 128
ENTRY_WEIGHT = 2

WU_EXPORT = "wu"
"""i64: the WU that are left; the host sets it to the task's limit."""
STOP_EXPORT = "stop"
"""i32: why an injected trap was hit: 0 none, 1 WU limit, 2 frame limit."""
PAGES_EXPORT = "pages"
"""i32: the counted size of the memory, in pages."""
STATE_PREFIX = "g"
"""Mutable globals of the original are exported as g0, g1, ... in the order of their indices."""

_I32_ADD, _I32_SUB, _I32_LT_S, _I32_GT_U = b"\x6a", b"\x6b", b"\x48", b"\x4b"
_I64_ADD, _I64_SUB, _I64_LT_S, _I64_SHR_U, _I64_EXTEND_U = b"\x7c", b"\x7d", b"\x53", b"\x88", b"\xad"


@dataclass(frozen=True, slots=True)
class _Globals:
    """Indices of the injected globals."""

    wu: int
    frames: int
    stop: int
    pages: int

    @staticmethod
    def after(count: int) -> "_Globals":
        """Behind the original's globals."""
        return _Globals(count, count + 1, count + 2, count + 3)


def _op(code: int, index: int) -> bytes:
    return bytes([code]) + unsigned_leb(index)


def _i32(value: int) -> bytes:
    return bytes([op.I32_CONST]) + signed_leb(value)


def _i64(value: int) -> bytes:
    return bytes([op.I64_CONST]) + signed_leb(value)


def frame_bytes(type_: FunctionType, body: Body, checked: CheckedFunction) -> int:
    """What one active call counts against the frame limit."""
    slots = len(type_.parameters) + len(body.locals) + checked.max_operands
    return FRAME_OVERHEAD_BYTES + 8 * slots + 2 * sum(_computes(i.code) for i in checked.instructions)


def _computes(code: int) -> bool:
    """Whether an instruction makes a value that an engine may keep."""
    row = op.OPCODES[code]
    return code in (op.SELECT, op.GLOBAL_GET) or bool(row.pops and row.pushes)


class _FunctionRewriter:
    """Rewrites one body. `parts` is the new code; a basic block's charge is put in its slot when its end is known."""

    def __init__(self, admitted: AdmittedModule, function: int, checked: CheckedFunction) -> None:
        self.module = admitted.module
        self.maximum = admitted.memory_maximum_pages
        self.checked = checked
        self.type = self.module.function_type(function)
        self.body = self.module.bodies[function]
        self.globals = _Globals.after(len(self.module.globals))
        first = len(self.type.parameters) + len(self.body.locals)
        self.counter, self.scratch = first, first + 1
        self.parts: list[bytes] = []
        self.targeted: list[bool] = []
        """For each open label: whether its end starts a new basic block."""
        self.slot = 0
        self.weight = 0
        self.checked_slot = False

    def code(self) -> bytes:
        """The new body with its locals, without its length."""
        self._prologue()
        for instruction in self.checked.instructions:
            self._instruction(instruction)
        self._epilogue()
        groups = _local_groups(self.body.locals + bytes([op.I64, op.I32]))
        return groups + b"".join(self.parts)

    def _prologue(self) -> None:
        declared = len(self.type.parameters) + len(self.body.locals)
        self.parts.append(_op(op.GLOBAL_GET, self.globals.wu) + _op(op.LOCAL_SET, self.counter))
        self._begin_block(check=True, weight=ENTRY_WEIGHT + (declared + 7) // 8)
        self._enter_frame()
        results = self.type.results
        self.parts.append(bytes([op.BLOCK]) + (results or bytes([op.EMPTY])))
        self.targeted.append(True)

    def _epilogue(self) -> None:
        """Every way out of the function ends here, with its result on the stack."""
        if self._calls():
            frames = self.globals.frames
            self.parts.append(_op(op.GLOBAL_GET, frames) + _i32(self._frame()) + _I32_ADD + _op(op.GLOBAL_SET, frames))
        self.parts.append(self._flush() + _op(op.LOCAL_GET, self.counter) + self._stop_if_negative() + bytes([op.END]))

    def _frame(self) -> int:
        return frame_bytes(self.type, self.body, self.checked)

    def _calls(self) -> bool:
        return any(i.code in (op.CALL, op.CALL_INDIRECT) for i in self.checked.instructions)

    def _enter_frame(self) -> None:
        """A function that calls takes its frame from the rest; one that calls nothing only looks whether it fits."""
        get, frame = _op(op.GLOBAL_GET, self.globals.frames), _i32(self._frame())
        code = get + frame + _I32_SUB
        if self._calls():
            code += _op(op.GLOBAL_SET, self.globals.frames) + get
        self.parts.append(code + _i32(0) + _I32_LT_S + self._stop(STOP_FRAME_LIMIT))

    def _stop(self, reason: int) -> bytes:
        """Consumes a condition and stops the task where it holds."""
        set_reason = _i32(reason) + _op(op.GLOBAL_SET, self.globals.stop)
        return bytes([op.IF, op.EMPTY]) + set_reason + bytes([op.UNREACHABLE, op.END])

    def _stop_if_negative(self) -> bytes:
        """Consumes the counter."""
        return _i64(0) + _I64_LT_S + self._stop(STOP_WU_LIMIT)

    def _flush(self) -> bytes:
        return _op(op.LOCAL_GET, self.counter) + _op(op.GLOBAL_SET, self.globals.wu)

    def _begin_block(self, check: bool = False, weight: int = 0) -> None:
        """Ends the running basic block and opens a slot for the next one's charge."""
        self._fill_slot()
        self.slot, self.weight, self.checked_slot = len(self.parts), weight, check
        self.parts.append(b"")

    def _fill_slot(self) -> None:
        weight = max(self.weight, 1) if self.checked_slot else self.weight
        if weight and self.parts:
            charge = _op(op.LOCAL_GET, self.counter) + _i64(weight) + _I64_SUB
            if self.checked_slot:
                charge += _op(op.LOCAL_TEE, self.counter) + self._stop_if_negative()
            else:
                charge += _op(op.LOCAL_SET, self.counter)
            self.parts[self.slot] = charge
        self.weight, self.checked_slot = 0, False

    def _instruction(self, instruction: Instruction) -> None:
        code = instruction.code
        self.weight += op.OPCODES[code].weight
        raw = self.module.data[instruction.start : instruction.end]
        if code in (op.CALL, op.CALL_INDIRECT):
            reload = _op(op.GLOBAL_GET, self.globals.wu) + _op(op.LOCAL_SET, self.counter)
            self.parts.append(self._flush() + raw + reload)
        elif code in (op.MEMORY_COPY, op.MEMORY_FILL):
            self.parts.append(self._charge_bulk() + raw)
        elif code == op.MEMORY_SIZE:
            self.parts.append(_op(op.GLOBAL_GET, self.globals.pages))
        elif code == op.MEMORY_GROW:
            self.parts.append(self._grow())
        elif code == op.RETURN:
            self.parts.append(_op(op.BR, len(self.targeted) - 1))
        else:
            self.parts.append(raw)
        self._follow(instruction)

    def _follow(self, instruction: Instruction) -> None:
        """Keeps the open labels, and starts a new basic block behind whatever may jump or be jumped to."""
        code = instruction.code
        for depth in (
            instruction.targets if code == op.BR_TABLE else [instruction.immediate] * (code in (op.BR, op.BR_IF))
        ):
            self.targeted[-1 - depth] = True
        if code in (op.BLOCK, op.LOOP, op.IF):
            self.targeted.append(code == op.IF)
        if code == op.END:
            if self.targeted.pop():
                self._begin_block()
        elif code in (op.LOOP, op.IF, op.ELSE, op.BR, op.BR_IF, op.BR_TABLE, op.RETURN, op.UNREACHABLE):
            self._begin_block(check=code == op.LOOP)

    def _charge_bulk(self) -> bytes:
        """With the length on the stack: charges 1 WU for each 8 bytes or part of them, and checks."""
        length = _op(op.LOCAL_TEE, self.scratch) + _op(op.LOCAL_GET, self.counter) + _op(op.LOCAL_GET, self.scratch)
        units = _I64_EXTEND_U + _i64(7) + _I64_ADD + _i64(3) + _I64_SHR_U
        return length + units + _I64_SUB + _op(op.LOCAL_TEE, self.counter) + self._stop_if_negative()

    def _grow(self) -> bytes:
        """With the wanted pages on the stack: the old size, or -1 past the declared maximum."""
        pages, wanted = _op(op.GLOBAL_GET, self.globals.pages), _op(op.LOCAL_GET, self.scratch)
        too_much = wanted + _i32(self.maximum) + pages + _I32_SUB + _I32_GT_U
        grown = pages + pages + wanted + _I32_ADD + _op(op.GLOBAL_SET, self.globals.pages)
        answer = bytes([op.IF, op.I32]) + _i32(-1) + bytes([op.ELSE]) + grown + bytes([op.END])
        return _op(op.LOCAL_SET, self.scratch) + too_much + answer


def _local_groups(types: bytes) -> bytes:
    """Declared locals, run-length encoded."""
    groups: list[tuple[int, int]] = []
    for kind in types:
        if groups and groups[-1][1] == kind:
            groups[-1] = (groups[-1][0] + 1, kind)
        else:
            groups.append((1, kind))
    return unsigned_leb(len(groups)) + b"".join(unsigned_leb(n) + bytes([kind]) for n, kind in groups)


def _name(text: str) -> bytes:
    raw = text.encode()
    return unsigned_leb(len(raw)) + raw


def _export_section(admitted: AdmittedModule, added: _Globals) -> bytes:
    mutable = [index for index, g in enumerate(admitted.module.globals) if g.mutable]
    rows = [
        ("memory", EXPORTED_MEMORY, 0),
        ("alloc", EXPORTED_FUNCTION, admitted.alloc),
        ("run", EXPORTED_FUNCTION, admitted.run),
        (WU_EXPORT, EXPORTED_GLOBAL, added.wu),
        (STOP_EXPORT, EXPORTED_GLOBAL, added.stop),
        (PAGES_EXPORT, EXPORTED_GLOBAL, added.pages),
    ]
    rows += [(f"{STATE_PREFIX}{k}", EXPORTED_GLOBAL, index) for k, index in enumerate(mutable)]
    return unsigned_leb(len(rows)) + b"".join(_name(n) + bytes([kind]) + unsigned_leb(i) for n, kind, i in rows)


def _global_section(module: Module, frame_limit_bytes: int, minimum_pages: int) -> bytes:
    old = b""
    if GLOBAL in module.raw:
        reader = Reader(module.raw[GLOBAL])
        reader.u32()
        old = reader.take(reader.left)
    added = [(op.I64, _i64(0)), (op.I32, _i32(frame_limit_bytes)), (op.I32, _i32(0)), (op.I32, _i32(minimum_pages))]
    new = b"".join(bytes([kind, 1]) + value + bytes([op.END]) for kind, value in added)
    return unsigned_leb(len(module.globals) + len(added)) + old + new


def rewrite(admitted: AdmittedModule, frame_limit_bytes: int) -> bytes:
    """The module that devices run. Raises ModuleRefused for a frame limit that engines do not have."""
    module = admitted.module
    if not 0 < frame_limit_bytes <= bounds.MAX_FRAME_BYTES:
        message = f"a frame limit of {frame_limit_bytes} bytes, at most {bounds.MAX_FRAME_BYTES}"
        raise ModuleRefused((Fault(Cause.LIMITS, 0, message),))
    codes = [_FunctionRewriter(admitted, index, checked).code() for index, checked in enumerate(admitted.functions)]
    maximum = unsigned_leb(admitted.memory_maximum_pages)
    new = {
        MEMORY: b"\x01\x01" + maximum + maximum,
        GLOBAL: _global_section(module, frame_limit_bytes, admitted.memory_minimum_pages),
        EXPORT: _export_section(admitted, _Globals.after(len(module.globals))),
        CODE: unsigned_leb(len(codes)) + b"".join(unsigned_leb(len(code)) + code for code in codes),
    }
    out = MAGIC
    for section in (TYPE, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, ELEMENT, CODE, DATA):
        content = new.get(section, module.raw.get(section))
        if content is not None:
            out += bytes([section]) + unsigned_leb(len(content)) + content
    return out
