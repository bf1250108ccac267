"""Programs as Python sees them: an id and how values become bytes and outputs become values again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from multitude.errors import TaskTrapped
from protocol.merkle import Status


def same(data: Any) -> Any:
    """The codec of bytes."""
    return data


@dataclass(frozen=True)
class ProgramRef:
    """A program by its id; `encode` makes a value the input's bytes, `decode` the output's bytes a value."""

    program_id: str
    encode: Callable[[Any], bytes] = same
    decode: Callable[[bytes], Any] = same

    def input_of(self, value: Any) -> bytes:
        """The input's bytes. Raises TypeError for anything else."""
        data = self.encode(value)
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"an input is bytes, not {type(data).__name__}: give the program an `encode`")
        return bytes(data)

    def value_of(self, task: int, status: int, output: bytes) -> Any:
        """The value of a result. Raises TaskTrapped where the program gave none."""
        if status != Status.OK:
            how = Status(status).name.lower() if status in set(Status) else str(status)
            raise TaskTrapped(task, status, how)
        return self.decode(output)


def program_ref(program: "str | ProgramRef") -> ProgramRef:
    """The program of an id, or itself."""
    return program if isinstance(program, ProgramRef) else ProgramRef(program)
