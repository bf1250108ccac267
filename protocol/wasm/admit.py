"""Admission: which modules may become programs.

A module is admitted when it decodes within `bounds`, is well typed, uses only the opcodes of `opcodes.OPCODES`, has no
imports and no start function, declares the maximum of its memory, places all its segments inside the minimum sizes
(so that instantiation cannot fail) and exports what the host calls: when nothing at all is noted against it. One pass
finds what there is to find, for authors mend everything at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from protocol.wasm import bounds
from protocol.wasm import opcodes as op
from protocol.wasm.binary import (
    EXPORT,
    EXPORTED_FUNCTION,
    EXPORTED_MEMORY,
    FUNCTION,
    IMPORT,
    MEMORY,
    TYPE,
    UNKNOWN_TYPE,
    FunctionType,
    Module,
    decode,
)
from protocol.wasm.errors import Cause, Fault, ModuleRefused
from protocol.wasm.faults import Faults
from protocol.wasm.places import Places
from protocol.wasm.validate import CheckedFunction, check_function

ALLOC_TYPE = FunctionType(bytes([op.I32]), bytes([op.I32]))
RUN_TYPE = FunctionType(bytes([op.I32, op.I32]), bytes([op.I64]))


@dataclass(frozen=True, slots=True)
class AdmittedModule:
    """A module that passed admission, and what was learned on the way."""

    module: Module
    functions: tuple[CheckedFunction, ...]
    alloc: int
    run: int
    memory_minimum_pages: int
    memory_maximum_pages: int


def admit(data: bytes, memory_pages: int = bounds.MAX_MEMORY_PAGES, faults: Faults | None = None) -> AdmittedModule:
    """Checks a module completely, against a program's limit of memory too.

    Raises ModuleRefused with all that was found, by the names of functions where the module tells them; `faults` may
    hold what was found before.
    """
    module = decode(data, Faults() if faults is None else faults)
    _check_memory(module)
    alloc = _exported_function(module, "alloc", ALLOC_TYPE, "(i32) -> i32")
    run = _exported_function(module, "run", RUN_TYPE, "(i32, i32) -> i64")
    own = range(module.imported, module.imported + min(module.defined, len(module.bodies)))
    functions = tuple(check_function(module, function) for function in own)
    if module.memory is not None and memory_pages < module.memory[1] <= bounds.MAX_MEMORY_PAGES:
        message = f"a memory of {module.memory[1]} pages, the program's limit is {memory_pages}"
        module.faults.note(Fault(Cause.MEMORY_TOO_LARGE, 0, message))
    if module.faults.total:
        raise ModuleRefused(named(module.faults.found, Places.of(data)), module.faults.more)
    # INVARIANT: a module without faults has a memory.
    assert module.memory is not None
    return AdmittedModule(module, functions, alloc, run, *module.memory)


def named(faults: Iterable[Fault], places: Places) -> list[Fault]:
    """The same faults with the functions that they lie in, by name where there is one."""
    found = []
    for fault in faults:
        function = places.function_at(fault.offset) if fault.function is None else fault.function
        name = None if function is None else places.name(function)
        found.append(replace(fault, function=function, name=name))
    return found


def _check_memory(module: Module) -> None:
    end, memory = len(module.data), module.exports.get("memory")
    if module.memory is None:
        if module.is_sure(IMPORT, MEMORY):
            module.faults.note(Fault(Cause.MEMORY_MISSING, end, "there is no memory"))
    elif (memory is None or memory.kind != EXPORTED_MEMORY) and module.is_sure(EXPORT):
        module.faults.note(Fault(Cause.MEMORY_MISSING, end, 'no memory is exported as "memory"'))


def _exported_function(module: Module, name: str, wanted: FunctionType, spelled: str) -> int:
    """The index of an exported function of exactly the wanted type; -1 with a fault where there is none."""
    end, found = len(module.data), module.exports.get(name)
    if found is None or found.kind != EXPORTED_FUNCTION:
        if module.is_sure(EXPORT):
            message = f'no function "{name}" of type {spelled} is exported'
            module.faults.note(Fault(Cause.EXPORT_MISSING, end, message))
        return -1
    if not module.is_sure(TYPE, IMPORT, FUNCTION) or found.index >= len(module.functions):
        return -1
    type_ = module.function_type(found.index)
    if type_ != wanted and type_ is not UNKNOWN_TYPE:
        message = f'"{name}" is exported with another type than {spelled}'
        module.faults.note(Fault(Cause.EXPORT_TYPE, end, message, found.index))
    return found.index
