"""Admission: which modules may become programs.

A module is admitted when it decodes within `bounds`, is well typed, uses only the opcodes of `opcodes.OPCODES`, has no
imports and no start function, declares the maximum of its memory, places all its segments inside the minimum sizes
(so that instantiation cannot fail) and exports what the host calls.
"""

from dataclasses import dataclass

from protocol.wasm import opcodes as op
from protocol.wasm.binary import EXPORTED_FUNCTION, EXPORTED_MEMORY, FunctionType, Module, decode
from protocol.wasm.errors import ModuleRefused
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


def admit(module: bytes) -> AdmittedModule:
    """Checks a module completely. Raises ModuleRefused, with the name of the function where the module tells it."""
    try:
        return _admit(module)
    except ModuleRefused as refused:
        raise named(refused, Places.of(module)) from None


def named(refused: ModuleRefused, places: Places) -> ModuleRefused:
    """The same fault with the function that it lies in, by name where there is one."""
    function = places.function_at(refused.offset) if refused.function is None else refused.function
    return refused.at(function, None if function is None else places.name(function))


def _admit(module: bytes) -> AdmittedModule:
    decoded = decode(module)
    if decoded.memory is None:
        raise ModuleRefused(None, len(module), "there is no memory")
    memory = decoded.exports.get("memory")
    if memory is None or memory.kind != EXPORTED_MEMORY:
        raise ModuleRefused(None, len(module), 'no memory is exported as "memory"')
    alloc = _exported_function(decoded, "alloc", ALLOC_TYPE, "(i32) -> i32")
    run = _exported_function(decoded, "run", RUN_TYPE, "(i32, i32) -> i64")
    functions = tuple(check_function(decoded, index) for index in range(len(decoded.functions)))
    return AdmittedModule(decoded, functions, alloc, run, *decoded.memory)


def _exported_function(module: Module, name: str, wanted: FunctionType, spelled: str) -> int:
    """The index of an exported function of exactly the wanted type."""
    found = module.exports.get(name)
    if found is None or found.kind != EXPORTED_FUNCTION:
        raise ModuleRefused(None, len(module.data), f'no function "{name}" of type {spelled} is exported')
    if module.function_type(found.index) != wanted:
        cause = f'"{name}" is exported with another type than {spelled}'
        raise ModuleRefused(found.index, len(module.data), cause)
    return found.index
