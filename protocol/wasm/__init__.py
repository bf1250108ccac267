"""Programs as WebAssembly modules: admission, rewriting and identity.

`build_program(original, limits)` is what devices, verifiers and the market call; everything here is pure.
"""

from protocol.wasm.admit import AdmittedModule, admit
from protocol.wasm.errors import Cause, Fault, ModuleRefused
from protocol.wasm.program import NO_CODE_ROOT, TOOL_VERSION, Limits, Program, build_program, initial_memory_root
from protocol.wasm.rewrite import rewrite

__all__ = [
    "NO_CODE_ROOT",
    "TOOL_VERSION",
    "AdmittedModule",
    "Cause",
    "Fault",
    "Limits",
    "ModuleRefused",
    "Program",
    "admit",
    "build_program",
    "initial_memory_root",
    "rewrite",
]
