"""An engine in its attacker's hand (`tests.execution.compromised`), confined as guests are: each attempt is refused,
and the parent gets a DeviceFailure, never a result."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from execution import DeviceFailure, Sandbox, confine
from protocol.wasm import Limits
from tests.execution.compromised import FREE, LIES, REFUSED

ROOT = Path(__file__).parents[2]
LIMITS = Limits(wu=100, memory_pages=16, frame_bytes=1 << 16)


@pytest.fixture(autouse=True)
def compromised(monkeypatch):
    monkeypatch.setattr("execution.sandbox._CHILD", "tests.execution.compromised")


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    """What the attempts are tried on: a key file, a folder, sockets that listen."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "device.json").write_text("the key")
    name = f"multitude-test-{os.getpid()}"
    listeners = [socket.create_server(("127.0.0.1", 0))]
    for address in (str(folder / "socket"), f"\0{name}"):
        listeners.append(socket.socket(socket.AF_UNIX))
        listeners[-1].bind(address)
        listeners[-1].listen()
    port = str(listeners[0].getsockname()[1])
    yield {
        "read a file": str(folder / "device.json"), "write a file": str(folder / "made"),
        "make a folder": str(folder / "folder"), "make a link": str(folder / "link"),
        "internet": port, "datagram": port, "unix socket": str(folder / "socket"), "abstract socket": name,
    }  # fmt: skip
    for listener in listeners:
        listener.close()


def attempt(name, argument="", wall_limit_s=10.0):
    """What the parent gets of an attempt in a child of its own."""
    with Sandbox(b"", LIMITS, wall_limit_s=wall_limit_s) as sandbox:
        return sandbox.run(f"{name}\0{argument}".encode())


def test_attempts_succeed_where_nothing_confines_them(arguments):
    given = [f"{name}={value}" for name, value in arguments.items()]
    command = [sys.executable, "-m", "tests.execution.compromised", "--free", *given]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    for name in ("write a file", "make a folder", "make a link"):
        path = Path(arguments[name])
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    assert set(FREE) - set(done.stdout.splitlines()) == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_attempt_of_a_compromised_engine_is_refused(name, arguments):
    with pytest.raises(DeviceFailure):
        attempt(name, arguments.get(name, ""))
    assert not any(Path(arguments[made]).exists() for made in ("write a file", "make a folder", "make a link"))


@pytest.mark.slow
@pytest.mark.parametrize("name", LIES)
def test_lie_of_a_compromised_engine_is_no_result(name):
    before = psutil.Process().memory_info().rss
    start = time.monotonic()
    with pytest.raises(DeviceFailure):
        attempt(name, wall_limit_s=0.3)
    assert psutil.Process().memory_info().rss - before < 64 << 20
    assert time.monotonic() - start < 10


def test_answer_before_its_question_is_not_taken_for_the_next_task():
    with Sandbox(b"", LIMITS, wall_limit_s=5) as sandbox:
        # What the engine makes of the one task that it was given nobody can know; its second answer has no task.
        assert sandbox.run(b"unasked").output == b"made up"
        with pytest.raises(DeviceFailure, match="unasked"):
            sandbox.run(b"quiet")
        assert sandbox.pid is None


def test_child_that_says_more_than_ready_is_refused():
    with Sandbox(b"ready with more", LIMITS) as sandbox, pytest.raises(DeviceFailure, match="no sense"):
        sandbox.run(b"quiet")


def test_child_that_cannot_start_costs_its_limit_once_for_a_chunk(monkeypatch):
    monkeypatch.setattr("execution.sandbox._START_LIMIT_S", 0.3)
    with Sandbox(b"never ready", LIMITS) as sandbox:
        start = time.monotonic()
        for _ in range(64):
            with pytest.raises(DeviceFailure, match="wall limit"):
                sandbox.run(b"quiet")
        assert time.monotonic() - start < 3
        monkeypatch.setattr("execution.sandbox._START_AGAIN_S", 0.0)
        monkeypatch.setattr(sandbox, "_unusable", None)
        for _ in range(2):  # and the next is started again once that is over
            with pytest.raises(DeviceFailure, match="wall limit"):
                sandbox.run(b"quiet")
        assert time.monotonic() - start > 0.8


def test_child_killed_by_its_owner_while_it_starts_may_start_again():
    failures = []

    def run():
        with pytest.raises(DeviceFailure) as failed:
            sandbox.run(b"quiet")
        failures.append(failed.value.reason)

    with Sandbox(b"never ready", LIMITS) as sandbox:
        for _ in range(2):
            thread = threading.Thread(target=run)
            thread.start()
            while thread.is_alive():
                sandbox.kill()
                thread.join(0.05)
    assert failures == ["the child ended with status -9"] * 2


def test_words_of_a_child_are_printable():
    from execution.sandbox import _printable

    assert _printable(b"\x1b]0;title\x07 \xff\xe2\x80\xae ok\n") == "?]0;title? \ufffd? ok?"


@pytest.mark.slow
def test_deaf_child_ends_with_its_parent():
    code = """
import execution.sandbox as it
from protocol.wasm import Limits
it._CHILD = "tests.execution.compromised"
import threading, time
sandbox = it.Sandbox(b"", Limits(wu=100, memory_pages=16, frame_bytes=1 << 16))
threading.Thread(target=lambda: sandbox.run(b"spin"), daemon=True).start()
while not sandbox.pid: time.sleep(0.01)
print(sandbox.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    child = psutil.Process(int(parent.stdout.readline()))
    until = time.monotonic() + 20
    while sum(child.cpu_times()[:2]) < 1 and time.monotonic() < until:
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert not psutil.wait_procs([child], timeout=5)[1]


@pytest.mark.slow
def test_child_outlives_the_thread_that_asked_for_it():
    with Sandbox(b"", LIMITS) as sandbox:
        thread = threading.Thread(target=sandbox.run, args=(b"quiet",))
        thread.start()
        thread.join()
        assert psutil.Process(sandbox.pid).is_running()


@pytest.mark.slow
def test_sandbox_works_in_a_fork_of_a_process_that_had_one():
    code = """
import os
import execution.sandbox as it
from protocol.wasm import Limits
it._CHILD = "tests.execution.compromised"
sandboxes = [it.Sandbox(b"", Limits(wu=100, memory_pages=16, frame_bytes=1 << 16)) for _ in range(2)]
sandboxes[0].run(b"quiet")
process = os.fork()
if process == 0:
    sandboxes[1].run(b"quiet")
    os._exit(0)
assert os.waitpid(process, 0)[1] == 0
assert sandboxes[0].run(b"quiet").output == b"escaped"
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=30)


def test_child_has_no_capability_and_a_filter():
    with Sandbox(b"", LIMITS, niceness=19) as sandbox:
        sandbox.run(b"quiet")
        status = Path(f"/proc/{sandbox.pid}/status").read_text()
        assert psutil.Process(sandbox.pid).nice() == 19
    words = dict(line.split(":\t", 1) for line in status.splitlines())
    assert {int(words[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Amb")} == {0}
    assert (words["Seccomp"], words["NoNewPrivs"]) == ("2", "1")


def test_filters_of_both_architectures_allow_the_same_and_end_in_bounds():
    filters = {name: confine._filter(calls) for name, calls in confine._CALLS.items()}
    for name, program in filters.items():
        rows = [program[k : k + 8] for k in range(0, len(program), 8)]
        assert len(rows) == len(confine._CALLS[name].allowed) + 18
        targets = [k + 1 + max(row[2], row[3]) for k, row in enumerate(rows) if row[0] in (0x15, 0x45)]
        assert max(targets) < len(rows)
        assert len(set(confine._CALLS[name].allowed)) == len(confine._CALLS[name].allowed)
