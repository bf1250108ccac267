"""What is to be run for a lease."""

from dataclasses import dataclass

from protocol.messages import Bid
from protocol.wasm import Program


@dataclass(frozen=True)
class Task:
    """A task by its index in the job, with its input."""

    index: int
    input: bytes


@dataclass(frozen=True)
class Work:
    """The tasks of a lease in rising order, all checked against the bid."""

    bid: Bid
    program: Program
    tasks: tuple[Task, ...]
