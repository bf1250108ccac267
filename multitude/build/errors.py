"""The errors of building.

BuildError (a MultitudeError)
├── ToolMissing      the compiler, or what runs a module here, is not installed; the text says how to get it
├── CompileRefused   the compiler's or the linker's own words, with `hints`
└── NotAdmitted      the module is no program; `faults` say what and where, with hints
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multitude.errors import MultitudeError
from protocol.wasm import Fault


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
class SourceFault:
    """One reason why a module is refused, the source's line that it comes from, and how to mend it."""

    fault: Fault
    line: str | None
    hint: str | None

    def __str__(self) -> str:
        return str(self.fault) if self.line is None else f"{self.line}: {self.fault}"

    def to_json(self) -> dict[str, str | int | None]:
        """As the market's API tells a fault, with `line` and `hint`."""
        return {**self.fault.to_json(), "line": self.line, "hint": self.hint}


class NotAdmitted(BuildError):
    """The module is refused: a line for each of its faults, each hint once, and how many `more` there are."""

    def __init__(self, faults: Sequence[SourceFault], more: int = 0) -> None:
        hints = {fault.hint: fault for fault in reversed(faults)}
        lines = [f"{one}\n  hint: {one.hint}" if one.hint and hints[one.hint] is one else str(one) for one in faults]
        super().__init__("\n".join([*lines, f"and {more} more"] if more else lines))
        self.faults = tuple(faults)
        self.more = more
