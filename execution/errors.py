"""Errors of running programs.

ExecutionError
└── DeviceFailure   this device could not run the task; never a result
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from execution.result import TaskResult


class ExecutionError(Exception):
    """Root of everything that this package raises."""


class DeviceFailure(ExecutionError):
    """The engine or the machine failed: out of memory or stack, killed, or past the wall limit.

    Another device may well finish the task, so this must never be signed as a result. `completed` holds the results
    of the same call that were finished before the failure, in order.
    """

    def __init__(self, reason: str, completed: "Sequence[TaskResult]" = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.completed = tuple(completed)
