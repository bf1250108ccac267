"""Running programs: a sandboxed child process for each device and program, a fresh instance for each task."""

from execution.errors import DeviceFailure, ExecutionError
from execution.result import TaskResult
from execution.sandbox import Sandbox

__all__ = ["DeviceFailure", "ExecutionError", "Sandbox", "TaskResult"]
