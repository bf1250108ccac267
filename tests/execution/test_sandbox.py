"""The child process: what it may not do, what ends it, and that one task leaves nothing for the next."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from execution import DeviceFailure, Sandbox
from execution.engine import Engine
from execution.sandbox import _Child
from execution.wire import TaskLimits, in_batches, pack_batch, unpack_batch
from protocol.merkle import Status
from protocol.wasm import Limits
from tests.execution import guests
from tests.execution.guests import COUNTS_RUNS, ECHO, SLOW, rewritten

ROOT = Path(__file__).parents[2]
LIMITS = Limits(wu=1 << 50, memory_pages=64, frame_bytes=guests.LIMITS.frame_bytes)
FOREVER = b"\x01"
QUICK = b"\x00"


@pytest.fixture
def slow() -> "Sandbox":
    """Runs for ever on FOREVER."""
    return Sandbox(rewritten(SLOW, LIMITS), LIMITS, wall_limit_s=30)


def _wait_until_busy(sandbox: Sandbox) -> int:
    """The child's id once it has spent processor time on a task."""
    for _ in range(500):
        if sandbox.pid and sum(psutil.Process(sandbox.pid).cpu_times()[:2]) > 0.6:
            return sandbox.pid
        time.sleep(0.02)
    raise AssertionError("the child never got busy")


def test_sandbox_child_killed_in_the_middle_of_a_task_is_no_result(slow: Sandbox) -> None:
    failures: list[DeviceFailure] = []

    def run() -> None:
        try:
            slow.run_many([QUICK, QUICK, FOREVER, QUICK])
        except DeviceFailure as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    os.kill(_wait_until_busy(slow), signal.SIGKILL)
    thread.join(10)
    assert len(failures) == 1
    assert len(failures[0].completed) <= 2
    assert slow.run(QUICK).status is Status.OK
    slow.close()


def test_sandbox_task_past_the_wall_limit_is_no_result() -> None:
    with Sandbox(rewritten(SLOW, LIMITS), LIMITS, wall_limit_s=0.4) as sandbox:
        sandbox.run(QUICK)
        first = sandbox.pid
        with pytest.raises(DeviceFailure, match="wall limit"):
            sandbox.run(FOREVER)
        assert first
        assert not psutil.pid_exists(first)
        assert sandbox.run(QUICK).status is Status.OK
        assert sandbox.pid != first


def test_sandbox_failure_in_a_batch_keeps_the_results_before_it() -> None:
    with Sandbox(rewritten(SLOW, LIMITS), LIMITS, wall_limit_s=0.4) as sandbox:
        sandbox.run(QUICK)
        quick = [QUICK] * 256
        with pytest.raises(DeviceFailure) as failed:
            sandbox.run_many([*quick, FOREVER, QUICK])
    assert [r.status for r in failed.value.completed] == [Status.OK] * 256


def test_sandbox_close_during_a_task_ends_it(slow: Sandbox) -> None:
    def run() -> None:
        with pytest.raises(DeviceFailure):
            slow.run(FOREVER)

    thread = threading.Thread(target=run)
    thread.start()
    pid = _wait_until_busy(slow)
    slow.close()
    thread.join(10)
    assert not thread.is_alive()
    assert not psutil.pid_exists(pid)


def test_sandbox_global_and_memory_of_one_task_are_unset_in_the_next() -> None:
    with Sandbox(rewritten(COUNTS_RUNS), guests.LIMITS) as sandbox:
        results = sandbox.run_many([b""] * 3, digest=True)
        pid = sandbox.pid
        results += [sandbox.run(b"", digest=True)]
        assert sandbox.pid == pid
    assert {r.output for r in results} == {b"\x01\0\0\0\x01\0\0\0"}
    assert len({r.state_digest for r in results}) == 1


def test_sandbox_digest_is_given_only_when_asked_and_depends_on_the_state() -> None:
    with Sandbox(rewritten(ECHO), guests.LIMITS) as sandbox:
        assert sandbox.run(b"a").state_digest is None
        assert sandbox.run(b"a", digest=True).state_digest != sandbox.run(b"b", digest=True).state_digest


def test_sandbox_module_that_does_not_compile_is_a_device_failure() -> None:
    with Sandbox(b"\0asm\1\0\0\0\xff", guests.LIMITS) as sandbox, pytest.raises(DeviceFailure, match="compile"):
        sandbox.run(b"")


def test_engine_stack_overflow_is_a_device_failure() -> None:
    import wasmtime

    text = """(module (memory (export "memory") 1 1) (global (export "wu") (mut i64) (i64.const 0))
      (global (export "stop") (mut i32) (i32.const 0)) (global (export "pages") (mut i32) (i32.const 1))
      (func (export "alloc") (param i32) (result i32) i32.const 0)
      (func $f (export "run") (param i32 i32) (result i64)
        local.get 0 local.get 1 call $f i64.const 1 i64.add))"""
    with pytest.raises(DeviceFailure, match="stack"):
        Engine(bytes(wasmtime.wat2wasm(text))).run(b"", TaskLimits(1, 1))


@pytest.mark.parametrize(("wu", "size"), [(0, 1), (guests.LIMITS.wu + 1, 1), (1, (16 << 20) + 1)])
def test_sandbox_request_out_of_range_is_refused(wu: int, size: int) -> None:
    with Sandbox(rewritten(ECHO), guests.LIMITS) as sandbox:
        with pytest.raises(ValueError, match="of"):
            sandbox.run_many([bytes(size)], wu)
        assert sandbox.pid is None


def test_sandbox_output_longer_than_asked_is_a_result_without_output() -> None:
    with Sandbox(rewritten(ECHO), guests.LIMITS, max_output_bytes=3) as sandbox:
        short, long = sandbox.run_many([b"abc", b"abcd"])
        assert (short.status, short.output) == (Status.OK, b"abc")
        assert (long.status, long.output, long.wu) == (Status.OUTPUT_TOO_LONG, b"", guests.LIMITS.wu)
        assert sandbox.run_many([b"abcd"], max_output_bytes=4)[0].output == b"abcd"


def test_sandbox_input_larger_than_the_memory_is_a_trap() -> None:
    with Sandbox(rewritten(ECHO), guests.LIMITS) as sandbox:
        assert sandbox.run(bytes(5 << 20)).status is Status.TRAP


def test_child_without_parent_ends_in_the_middle_of_a_task() -> None:
    code = """
import os, sys
from execution import Sandbox
from tests.execution.test_sandbox import FOREVER, LIMITS, QUICK, SLOW, rewritten
sandbox = Sandbox(rewritten(SLOW, LIMITS), LIMITS)
sandbox.run(QUICK)
print(sandbox.pid, flush=True)
sandbox.run(FOREVER)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    raise AssertionError("the child outlived its parent")


def test_child_has_an_empty_environment_and_three_files() -> None:
    with Sandbox(rewritten(ECHO), guests.LIMITS) as sandbox:
        sandbox.run(b"")
        child = psutil.Process(sandbox.pid)
        assert len(list(Path(f"/proc/{child.pid}/fd").iterdir())) == 3
        assert child.environ() == {}
        status = Path(f"/proc/{child.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        assert limits.count("Max open files            3 ") == 1


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/hostname')",
        "os.fork()",
        "socket.socket()",
        "os.execv(sys.executable, [sys.executable])",
        "os.kill(os.getppid(), 0)",
        "threading.Thread(target=print).start()",
        "bytearray(2 << 30)",
        "os.mkdir('made')",
    ],
)
def test_confined_process_can_do_nothing(attempt: str) -> None:
    code = f"""
import os, socket, sys, threading
from execution.confine import confine
confine(1 << 20)
try:
    {attempt}
except (OSError, RuntimeError, MemoryError) as error:
    os._exit(7)
os._exit(0)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 7


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00" + (1).to_bytes(8, "big") + b"\x00" + (5).to_bytes(4, "big") + b"abcde",
        b"\x00" + (0).to_bytes(8, "big") + b"\x00" + bytes(4),
        b"\x00" + (99).to_bytes(8, "big") + b"\x00" + bytes(4),
        b"\x01" + (1).to_bytes(8, "big") + b"\x00" + bytes(4),
        b"\x04" + (9).to_bytes(8, "big") + b"\x00" + bytes(4),
        b"\x00" + (1).to_bytes(8, "big") + b"\x01" + bytes(4) + bytes(32),
    ],
)
def test_sandbox_answer_of_a_subverted_child_is_a_device_failure(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = bytes(14)
    answers = bytearray(ready + answer)

    def receive(self: _Child, count: int, deadline_s: float) -> bytes:
        out = bytes(answers[:count])
        del answers[:count]
        return out

    monkeypatch.setattr(_Child, "receive", receive)
    with Sandbox(rewritten(ECHO), guests.LIMITS, max_output_bytes=4) as sandbox, pytest.raises(DeviceFailure):
        sandbox.run_many([b""], 9)


def test_wire_batches_keep_order_and_stay_small() -> None:
    inputs = [bytes([k % 256]) * (k * 997 % 70_000) for k in range(600)] + [bytes(5 << 20), b"last"]
    batches = in_batches(inputs)
    assert [item for batch in batches for item in batch] == inputs
    assert all(len(batch) == 1 or sum(map(len, batch)) <= 4 << 20 for batch in batches)
    limits = TaskLimits(7, 8, digest=True)
    assert unpack_batch(pack_batch(batches[0], limits)) == (batches[0], limits)
