"""A program in a child process: the only way in which workers, verifiers and the market run what others wrote."""

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from execution.errors import DeviceFailure
from execution.result import TaskResult
from execution.wire import DIGEST_BYTES, FAILED, HEAD, TaskLimits, frame, in_batches, pack_batch
from protocol.merkle import Status
from protocol.wasm import Limits
from protocol.wasm.bounds import MAX_INPUT_BYTES, PAGE_BYTES

DEFAULT_WALL_LIMIT_S = 60.0
DEFAULT_OUTPUT_BYTES = 1 << 20
_CHILD = "execution.child"
_START_LIMIT_S = 60.0
_START_AGAIN_S = 30.0
"""So long a child that could not start is not started again: the tasks of a chunk fail at once, not one by one."""
_MAX_REASON_BYTES = 1_000


class _Spawner:
    """A thread that starts children and stays: Linux ends them when the thread that started them ends."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets the thread: the next child starts one."""
        self._thread = ThreadPoolExecutor(1, "sandbox-spawner")

    def spawn(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """A child process with pipes to its stdin and stdout. Raises OSError."""
        return self._thread.submit(self._popen, arguments).result()

    @staticmethod
    def _popen(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", _CHILD, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={},
            cwd=Path(__file__).parent.parent,
        )


_SPAWNER = _Spawner()
os.register_at_fork(after_in_child=_SPAWNER.reset)  # a fork has not inherited the thread


class _Child:
    """One child process and the two pipes to it."""

    def __init__(self, memory_bytes: int, wall_limit_s: float, niceness: int) -> None:
        self.killed = False
        self.process = _SPAWNER.spawn([str(memory_bytes), str(wall_limit_s), str(niceness)])
        assert self.process.stdin
        assert self.process.stdout
        self._stdin, self._stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)
        self._received = bytearray()

    def send(self, data: bytes, deadline_s: float) -> None:
        """Writes all of it before the deadline (of the monotonic clock)."""
        view = memoryview(data)
        while view:
            _wait(self._stdin, select.POLLOUT, deadline_s)
            try:
                view = view[os.write(self._stdin, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise DeviceFailure(self._ended()) from None

    def receive(self, count: int, deadline_s: float) -> bytes:
        """The next `count` bytes, before the deadline."""
        while len(self._received) < count:
            _wait(self._stdout, select.POLLIN, deadline_s)
            part = os.read(self._stdout, 1 << 20)
            if not part:
                raise DeviceFailure(self._ended())
            self._received += part
        out = bytes(self._received[:count])
        del self._received[:count]
        return out

    def check_silent(self) -> None:
        """DeviceFailure where it has said what it was not asked."""
        poll = select.poll()
        poll.register(self._stdout, select.POLLIN)
        if self._received or poll.poll(0):
            raise DeviceFailure("the child spoke unasked, or ended")

    def kill(self) -> None:
        """Ends it because its owner wants that."""
        self.killed = True
        self.process.kill()

    def _ended(self) -> str:
        self.process.kill()
        return f"the child ended with status {self.process.wait()}"

    def close(self) -> None:
        """Kills the child and waits for it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def _wait(descriptor: int, event: int, deadline_s: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    left_ms = max(0.0, deadline_s - time.monotonic()) * 1_000
    if not poll.poll(left_ms):
        raise DeviceFailure("past the wall limit")


def _printable(reason: bytes) -> str:
    """A child's words as they may stand in a log or on a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in reason.decode(errors="replace"))


class Sandbox:
    """Runs tasks of one rewritten module, each in a fresh instance, in one child process.

    The child starts with the first task and again after a failure. `run` and `run_many` may be called from any thread,
    one at a time; `kill` at any time. Limits: `limits` are the program's, `wall_limit_s` seconds for one task;
    `niceness` (0 to 19) is how far the child stands back behind other programs.
    """

    def __init__(
        self,
        program_module: bytes,
        limits: Limits,
        max_output_bytes: int = DEFAULT_OUTPUT_BYTES,
        wall_limit_s: float = DEFAULT_WALL_LIMIT_S,
        niceness: int = 0,
    ) -> None:
        self._module = program_module
        self._limits = limits
        self._max_output_bytes = max_output_bytes
        self._wall_limit_s = wall_limit_s
        self._niceness = niceness
        self._child: _Child | None = None
        self._unusable: tuple[str, float] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        child = self._child
        return child.process.pid if child else None

    def run(self, input_: bytes, task_limit_wu: int | None = None, digest: bool = False) -> TaskResult:
        """Runs one task. Raises DeviceFailure."""
        return self.run_many([input_], task_limit_wu, digest=digest)[0]

    def run_many(
        self,
        inputs: Sequence[bytes],
        task_limit_wu: int | None = None,
        max_output_bytes: int | None = None,
        digest: bool = False,
    ) -> list[TaskResult]:
        """Runs tasks in order; the limits default to the program's and to the sandbox's.

        Raises DeviceFailure, with the results of the tasks that were finished before it; ValueError for a task limit
        above the program's or an input past the protocol's bound.
        """
        wanted = self._task_limits(inputs, task_limit_wu, max_output_bytes, digest)
        results: list[TaskResult] = []
        with self._lock:
            try:
                for batch in in_batches(inputs):
                    self._run_batch(batch, wanted, results)
            except DeviceFailure as failure:
                self._discard()
                raise DeviceFailure(failure.reason, results) from failure
            except BaseException:
                self._discard()
                raise
        return results

    def kill(self) -> None:
        """Ends the child at once; a running call raises DeviceFailure."""
        child = self._child
        if child:
            child.kill()

    def close(self) -> None:
        """Ends the child."""
        self.kill()
        with self._lock:
            self._discard()

    def _task_limits(
        self, inputs: Sequence[bytes], wu: int | None, output_bytes: int | None, digest: bool
    ) -> TaskLimits:
        wu = self._limits.wu if wu is None else wu
        if not 0 < wu <= self._limits.wu:
            raise ValueError(f"a task limit of {wu} WU, the program's is {self._limits.wu}")
        if any(len(item) > MAX_INPUT_BYTES for item in inputs):
            raise ValueError(f"an input of more than {MAX_INPUT_BYTES} bytes")
        return TaskLimits(wu, self._max_output_bytes if output_bytes is None else output_bytes, digest)

    def _run_batch(self, batch: list[bytes], limits: TaskLimits, results: list[TaskResult]) -> None:
        child = self._child or self._start()
        child.check_silent()
        child.send(frame(pack_batch(batch, limits)), time.monotonic() + self._wall_limit_s)
        results.extend(self._result(child, limits) for _ in batch)

    def _start(self) -> _Child:
        """A child that has compiled the module. What kept one from it is said again for a while, without a new try."""
        if self._unusable and time.monotonic() < self._unusable[1]:
            raise DeviceFailure(self._unusable[0])
        memory_bytes = self._limits.memory_pages * PAGE_BYTES
        child = self._child = _Child(memory_bytes, self._wall_limit_s, self._niceness)
        deadline_s = time.monotonic() + _START_LIMIT_S
        try:
            child.send(frame(self._module), deadline_s)
            if self._answer(child, 0, deadline_s) != (0, 0, b"", b""):
                raise DeviceFailure("the child's answer makes no sense")
        except DeviceFailure as failure:
            if not child.killed:
                self._unusable = f"no child starts: {failure.reason}", time.monotonic() + _START_AGAIN_S
            raise
        return child

    def _answer(self, child: _Child, most_bytes: int, deadline_s: float) -> tuple[int, int, bytes, bytes]:
        """Status, WU, digest and body of the next answer. A body of more than `most_bytes` is refused."""
        status, wu, has_digest, length = HEAD.unpack(child.receive(HEAD.size, deadline_s))
        if length > (_MAX_REASON_BYTES if status == FAILED else most_bytes):
            raise DeviceFailure("the child's answer is too long")
        digest = child.receive(DIGEST_BYTES, deadline_s) if has_digest else b""
        body = child.receive(length, deadline_s)
        if status == FAILED:
            raise DeviceFailure(_printable(body))
        return status, wu, digest, body

    def _result(self, child: _Child, limits: TaskLimits) -> TaskResult:
        """The next task's result, as far from the child's word as it can be checked."""
        deadline_s = time.monotonic() + self._wall_limit_s
        status, wu, digest, output = self._answer(child, limits.output_bytes, deadline_s)
        sane = status <= Status.OUTPUT_TOO_LONG and 0 < wu <= limits.wu and bool(digest) == limits.digest
        if not sane or (status != Status.OK and (output or wu != limits.wu)):
            raise DeviceFailure("the child's answer makes no sense")
        return TaskResult(Status(status), output, wu, digest or None)

    def _discard(self) -> None:
        if self._child:
            self._child.close()
            self._child = None
