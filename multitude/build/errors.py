"""The errors of building.

BuildError (a MultitudeError)
├── ToolMissing      the compiler, or what runs a module here, is not installed; the text says how to get it
├── CompileRefused   the compiler's or the linker's own words, with `hints`
└── NotAdmitted      the module is no program; `faults` say where and why, with hints
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multitude.errors import MultitudeError


class BuildError(MultitudeError):
    """Root of what this package raises."""


class ToolMissing(BuildError):
    """Something that is installed apart is not there."""


class CompileRefused(BuildError):
    """The source does not compile or link."""

    def __init__(self, words: str, hints: Sequence[str]) -> None:
        super().__init__("\n".join([words, *(f"  hint: {hint}" for hint in hints)]))
        self.words = words
        self.hints = tuple(hints)


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason: the function at fault by index and name, the source's line, the module's byte, the rule, a hint."""

    function: int | None
    name: str | None
    line: str | None
    offset: int
    reason: str
    hint: str | None

    def __str__(self) -> str:
        said = self.reason if self.line is None else f"{self.line}: {self.reason}"
        return said if self.hint is None else f"{said}\n  hint: {self.hint}"


class NotAdmitted(BuildError):
    """The module is refused."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)
