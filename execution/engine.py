"""Runs tasks of one rewritten module on wasmtime. Used inside the sandboxed child only.

The order of steps and checks, the same on every engine:

1. A fresh instance; the counter `wu` is set to the task's limit.
2. `alloc(input length)`. 3. The input must lie within the memory (at its full size) from that pointer on, else trap.
4. The input is copied; `run(pointer, length)` gives out_ptr << 32 | out_len.
5. The output must lie within the memory, else trap. 6. It must be no longer than asked for, else output too long.

A trap in 2 or 4 is a WU limit where the module's `stop` says so, else a trap (the frame limit included). A stack
overflow or any error that is not one of WebAssembly's own traps is a DeviceFailure.
"""

import ctypes
from typing import TypeVar

import wasmtime

from execution.errors import DeviceFailure
from execution.result import TaskResult, charged_wu
from execution.state import state_digest
from execution.wire import TaskLimits
from protocol.merkle import Status
from protocol.wasm.rewrite import PAGES_EXPORT, STATE_PREFIX, STOP_EXPORT, STOP_WU_LIMIT, WU_EXPORT

_STACK_BYTES = 1 << 20
_PROGRAM_TRAPS = frozenset(
    {
        wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS,
        wasmtime.TrapCode.TABLE_OUT_OF_BOUNDS,
        wasmtime.TrapCode.INDIRECT_CALL_TO_NULL,
        wasmtime.TrapCode.BAD_SIGNATURE,
        wasmtime.TrapCode.INTEGER_OVERFLOW,
        wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO,
        wasmtime.TrapCode.UNREACHABLE,
    }
)
_U32 = 0xFFFF_FFFF
_U64 = 0xFFFF_FFFF_FFFF_FFFF


Extern = TypeVar("Extern", wasmtime.Memory, wasmtime.Global, wasmtime.Func)


def _signed(value: int) -> int:
    """An unsigned 32-bit number as wasmtime takes it."""
    return value - (1 << 32) if value >> 31 else value


class Engine:
    """A compiled module. Raises DeviceFailure when it cannot be compiled here."""

    def __init__(self, module: bytes) -> None:
        config = wasmtime.Config()
        config.parallel_compilation = False
        config.memory_init_cow = False
        config.max_wasm_stack = _STACK_BYTES
        self._engine = wasmtime.Engine(config)
        try:
            self._module = wasmtime.Module(self._engine, module)
        except wasmtime.WasmtimeError as error:
            raise DeviceFailure(f"the module does not compile: {error}") from error

    def run(self, input_: bytes, limits: TaskLimits) -> TaskResult:
        """Runs one task in a fresh instance. Raises DeviceFailure."""
        try:
            return _Run(self._engine, self._module, limits).result(input_)
        except (wasmtime.WasmtimeError, MemoryError) as error:
            raise DeviceFailure(f"the engine failed: {error}") from error


class _Run:
    """One instance and the task it runs."""

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module, limits: TaskLimits) -> None:
        self.limits = limits
        self.store = wasmtime.Store(engine)
        self.exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        self.memory = self._export("memory", wasmtime.Memory)
        self.wu = self._export(WU_EXPORT, wasmtime.Global)
        self.trapped = False

    def result(self, input_: bytes) -> TaskResult:
        """Runs the task to its result."""
        self.wu.set_value(self.store, self.limits.wu)
        status, output = self._execute(input_)
        used = self.limits.wu - self.wu.value(self.store)
        digest = self._digest(status) if self.limits.digest else None
        return TaskResult(status, output, charged_wu(status, used, self.limits.wu), digest)

    def _execute(self, input_: bytes) -> tuple[Status, bytes]:
        size = self.memory.data_len(self.store)
        try:
            pointer = self._call("alloc", _signed(len(input_))) & _U32
            if pointer + len(input_) > size:
                return Status.TRAP, b""
            self.memory.write(self.store, input_, pointer)
            packed = self._call("run", _signed(pointer), _signed(len(input_))) & _U64
        except wasmtime.Trap as trap:
            return self._trap_status(trap), b""
        start, length = packed >> 32, packed & _U32
        if start + length > size:
            return Status.TRAP, b""
        if length > self.limits.output_bytes:
            return Status.OUTPUT_TOO_LONG, b""
        return Status.OK, bytes(self.memory.read(self.store, start, start + length))

    def _trap_status(self, trap: wasmtime.Trap) -> Status:
        if trap.trap_code not in _PROGRAM_TRAPS:
            raise DeviceFailure(f"the engine failed: {trap.message}") from trap
        reason = self._global(STOP_EXPORT)
        self.trapped = reason == 0
        return Status.WU_LIMIT if reason == STOP_WU_LIMIT else Status.TRAP

    def _call(self, name: str, *arguments: int) -> int:
        answer: int = self._export(name, wasmtime.Func)(self.store, *arguments)
        return answer

    def _digest(self, status: Status) -> bytes:
        """The state digest (see `execution.state`)."""
        names = [name for name in self.exports if name[:1] == STATE_PREFIX and name[1:].isdigit()]
        values = [self._global(f"{STATE_PREFIX}{k}") for k in range(len(names))] + [self._global(PAGES_EXPORT)]
        if self.trapped:
            return state_digest(status, None, values)
        address = ctypes.addressof(self.memory.data_ptr(self.store).contents)
        return state_digest(status, (address, self.memory.data_len(self.store)), values)

    def _global(self, name: str) -> int:
        """A global's value, unsigned."""
        found = self._export(name, wasmtime.Global)
        value: int = found.value(self.store)
        return value & (_U32 if found.type(self.store).content == wasmtime.ValType.i32() else _U64)

    def _export(self, name: str, kind: type[Extern]) -> Extern:
        found = self.exports[name]
        if not isinstance(found, kind):
            raise DeviceFailure(f"the module's export {name} is of another kind")
        return found
