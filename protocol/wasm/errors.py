"""What admission says of a module that it refuses: faults, and the one error of this package."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from protocol.errors import ProtocolError


class Cause(StrEnum):
    """The kind of a fault: words that programs may rely on, where messages are for people."""

    BODY_TOO_LARGE = "body_too_large"
    CONSTANT_EXPRESSION = "constant_expression"
    EXCEPTIONS = "exceptions"
    EXPORT_MISSING = "export_missing"
    EXPORT_TYPE = "export_type"
    FLOATING_POINT = "floating_point"
    GARBAGE_COLLECTION = "garbage_collection"
    IMPORTS = "imports"
    INVALID = "invalid"
    LIMITS = "limits"
    MALFORMED = "malformed"
    MEMORY_KIND = "memory_kind"
    MEMORY_MISSING = "memory_missing"
    MEMORY_TOO_LARGE = "memory_too_large"
    MEMORY_UNBOUNDED = "memory_unbounded"
    MODULE_TOO_LARGE = "module_too_large"
    MULTIPLE_MEMORIES = "multiple_memories"
    MULTIPLE_VALUES = "multiple_values"
    PASSIVE_SEGMENTS = "passive_segments"
    REFERENCE_TYPES = "reference_types"
    SEGMENT_OUTSIDE = "segment_outside"
    SIMD = "simd"
    START_FUNCTION = "start_function"
    TAIL_CALLS = "tail_calls"
    THREADS = "threads"
    TOO_MANY = "too_many"
    TOO_MANY_BLOCKS = "too_many_blocks"
    TOO_MANY_LOCALS = "too_many_locals"
    UNKNOWN_OPCODE = "unknown_opcode"


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a module is refused.

    `cause` is a word of Cause, in a newer market's mouth one that is not there yet; `offset` the byte of the module
    where reading found it, `message` the rule that is broken, `function` the index of the function at fault (None where
    none is), `name` what its author calls it (None where the module does not say): short and printable, as every name
    in a message is.
    """

    cause: str
    offset: int
    message: str
    function: int | None = None
    name: str | None = None

    def __str__(self) -> str:
        place = [] if self.function is None else [f"function {self.function}"]
        if self.name is not None:
            place = [f"function `{self.name}`"]
        return f"{self.message} ({', '.join([*place, f'byte {self.offset}'])})"

    def to_json(self) -> dict[str, str | int | None]:
        """As the market's API tells it: the function by its name, or else by its index."""
        function = self.function if self.name is None else self.name
        return {"cause": str(self.cause), "function": function, "offset": self.offset, "message": self.message}


class ModuleRefused(ProtocolError):
    """A module is not admitted: its `faults`, at least one, in the order found, and how many `more` are not listed."""

    def __init__(self, faults: Sequence[Fault], more: int = 0) -> None:
        others = len(faults) - 1 + more
        super().__init__(f"{faults[0]}, and {others} more" if others else str(faults[0]))
        self.faults = tuple(faults)
        self.more = more
