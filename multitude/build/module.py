"""Sources compiled, modules admitted, and what is to be known of the result."""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from execution import Sandbox
from multitude.build.advice import advice_on_compiler, advice_on_refusal
from multitude.build.errors import CompileRefused, NotAdmitted, SourceFault, ToolMissing
from multitude.build.lines import SourceLines
from programs.compile import CompileFailed, CompilerMissing, compile_source
from protocol.encoding import to_hex
from protocol.program import Assurance
from protocol.wasm import Fault, Limits, ModuleRefused, Program, admit, build_program
from protocol.wasm.admit import named
from protocol.wasm.binary import decode
from protocol.wasm.bounds import MAX_MEMORY_PAGES
from protocol.wasm.faults import Faults
from protocol.wasm.places import Places, sections, without_custom_sections
from protocol.wasm.reader import shown


@dataclass(frozen=True, slots=True)
class BuiltModule:
    """A module that is admitted under its limits: its bytes as they are shipped, and the program that they make."""

    module: bytes
    program: Program
    exports: tuple[str, ...]
    functions: int
    memory_pages: tuple[int, int]
    """Declared minimum and maximum."""

    @property
    def program_id(self) -> str:
        """The program's name, 0x-hex."""
        return to_hex(self.program.program_id)

    def to_json(self) -> dict[str, Any]:
        """All of it but the bytes."""
        facts, limits = self.program.facts, self.program.limits
        return {
            "programId": self.program_id,
            "class": Assurance(facts.assurance).name.lower(),
            "limits": limits_to_json(limits),
            "originalHash": to_hex(facts.original_hash),
            "rewrittenHash": to_hex(facts.rewritten_hash),
            "initialMemoryRoot": to_hex(facts.initial_memory_root),
            "toolVersion": facts.tool_version,
            "exports": list(self.exports),
            "functions": self.functions,
            "memory": {"minimumPages": self.memory_pages[0], "maximumPages": self.memory_pages[1]},
            "bytes": {"module": len(self.module), "rewritten": len(self.program.rewritten)},
        }


def limits_to_json(limits: Limits) -> dict[str, int]:
    """Limits as the market's API takes them."""
    return {"wu": limits.wu, "memoryPages": limits.memory_pages, "frameBytes": limits.frame_bytes}


def build_source(source: Path, limits: Limits, stack_bytes: int) -> BuiltModule:
    """Compiles a .c or .zig file and admits what is shipped of it: everything but names and debug sections.

    Raises ToolMissing, CompileRefused, NotAdmitted; OSError where the source cannot be read.
    """
    with source.open("rb"):  # the compiler's own words about a missing file are longer
        pass
    try:
        named = compile_source(source, limits.memory_pages, stack_bytes)
    except CompilerMissing as error:
        raise ToolMissing(str(error)) from None
    except ValueError as error:
        raise CompileRefused(str(error), []) from None
    except CompileFailed as error:
        words = re.sub(r"\S+/([^/\s]+\.o:)", r"\1", str(error))
        raise CompileRefused(words, advice_on_compiler(words)) from None
    shipped = without_custom_sections(named)
    # INVARIANT: what is shipped is what was compiled, section for section, without the names.
    assert [(k, c.take(c.left)) for k, c in sections(named) if k] == [(k, c.take(c.left)) for k, c in sections(shipped)]
    return examine(shipped, limits, named)


def examine(module: bytes, limits: Limits, named: bytes | None = None) -> BuiltModule:
    """Admits a module; `named` is the same before names and debug sections were stripped. Raises NotAdmitted."""
    source = module if named is None else named
    try:
        program = build_program(module, limits)
    except ModuleRefused as refused:
        raise NotAdmitted(_at_source(refused.faults, module, source), refused.more) from None
    admitted = admit(module)
    pages = (admitted.memory_minimum_pages, admitted.memory_maximum_pages)
    exports = tuple(shown(name) for name in admitted.module.exports)
    return BuiltModule(module, program, exports, len(admitted.functions), pages)


def declared_pages(module: bytes) -> int:
    """The memory that a module declares at most, in pages; within the bounds of admission whatever it declares."""
    memory = decode(module, Faults()).memory
    return 1 if memory is None else min(max(memory[1], 1), MAX_MEMORY_PAGES)


def _at_source(faults: Sequence[Fault], module: bytes, source: bytes) -> list[SourceFault]:
    """Faults of `module` by the names and lines of `source`; what is wrong with one line many times is told once."""
    places, lines = Places.of(source), SourceLines.of(source)
    bodies = Places.of(module)
    made: dict[tuple[int | None, str, int | str], SourceFault] = {}
    for fault in named(faults, places):
        body = None if fault.function is None else bodies.body(fault.function)
        line = None if body is None else lines.at(module, body, fault.offset)
        key = (fault.function, fault.message, fault.offset if line is None else line)
        made.setdefault(key, SourceFault(fault, line, advice_on_refusal(fault)))
    return list(made.values())


@dataclass(frozen=True, slots=True)
class Trial:
    """One run here: how it ended, what it cost, what came out."""

    input: str
    status: str
    wu: int
    output: bytes

    def to_json(self) -> Mapping[str, Any]:
        """With the whole output in hex."""
        return {
            "input": self.input,
            "status": self.status,
            "wu": self.wu,
            "outputBytes": len(self.output),
            "output": to_hex(self.output),
        }


def try_out(built: BuiltModule, inputs: Sequence[tuple[str, bytes]]) -> list[Trial]:
    """Runs (name, input) pairs in the sandbox, as a device would. Raises ToolMissing, DeviceFailure, ValueError."""
    if importlib.util.find_spec("wasmtime") is None:
        raise ToolMissing("wasmtime is not installed: pip install 'multitude[build]'")
    program, trials = built.program, []
    with Sandbox(program.rewritten, program.limits) as sandbox:
        for name, data in inputs:
            result = sandbox.run(data)
            trials.append(Trial(name, result.status.name.lower(), result.wu, result.output))
    return trials
