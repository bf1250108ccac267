"""Building a program from its original module, as anyone does who is to run or to replay it."""

from dataclasses import dataclass

from protocol.hashing import keccak256
from protocol.merkle import words_root_sparse
from protocol.program import Assurance, ProgramFacts
from protocol.wasm import bounds
from protocol.wasm.admit import AdmittedModule, admit
from protocol.wasm.errors import Cause, Fault
from protocol.wasm.faults import Faults
from protocol.wasm.rewrite import rewrite

TOOL_VERSION = 1
"""Rises with every change to admission, weights or rewriting."""

NO_CODE_ROOT = bytes(32)
"""Where a program has no lowering."""


@dataclass(frozen=True, slots=True)
class Limits:
    """A program's limits: WU for each task, memory in pages of 64 KiB, bytes of all active frames."""

    wu: int
    memory_pages: int
    frame_bytes: int


@dataclass(frozen=True, slots=True)
class Program:
    """A built program: what the registry records of it, and the module that devices run."""

    facts: ProgramFacts
    limits: Limits
    rewritten: bytes

    @property
    def program_id(self) -> bytes:
        """The program's name."""
        return self.facts.program_id


def build_program(original: bytes, limits: Limits) -> Program:
    """Admits and rewrites a module and names the result.

    Raises ModuleRefused when the module is not admitted or does not fit the limits.
    """
    faults = Faults()
    _check_limits(limits, faults)
    admitted = admit(original, limits.memory_pages, faults)
    rewritten = rewrite(admitted, limits.frame_bytes)
    facts = ProgramFacts(
        int(Assurance.PROVABLE),
        keccak256(original),
        keccak256(rewritten),
        NO_CODE_ROOT,
        initial_memory_root(admitted),
        limits.wu,
        limits.memory_pages,
        limits.frame_bytes,
        TOOL_VERSION,
    )
    return Program(facts, limits, rewritten)


def _check_limits(limits: Limits, faults: Faults) -> None:
    most = (
        ("WU for each task", limits.wu, bounds.MAX_TASK_WU),
        ("pages of memory", limits.memory_pages, bounds.MAX_MEMORY_PAGES),
        ("bytes of frames", limits.frame_bytes, bounds.MAX_FRAME_BYTES),
    )
    for what, value, limit in most:
        if not 0 < value <= limit:
            faults.note(Fault(Cause.LIMITS, 0, f"a limit of {value} {what}, allowed are 1 to {limit}"))


def initial_memory_root(admitted: AdmittedModule) -> bytes:
    """wordsRoot of the memory that `alloc` finds: the declared maximum in size, zero but for the data segments."""
    segments = [(s.offset, s.content) for s in admitted.module.segments]
    return words_root_sparse(admitted.memory_maximum_pages * bounds.PAGE_BYTES, segments)
