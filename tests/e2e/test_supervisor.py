"""However the launcher ends, nothing of the network stays behind; services come back as their policy says."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local.network import LocalNetwork, NetworkBusyError, NetworkFile
from deploy.local.ports import free_port, is_listening
from deploy.local.profiles import LOCAL, TESTNET, UnknownProfileError, profile_named
from deploy.local.supervisor import (
    MAX_RESTARTS,
    NotReadyError,
    ServiceExitedError,
    ServiceSpec,
    Supervisor,
    SupervisorError,
)
from deploy.toolchain import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LAUNCHER = Path(__file__).with_name("launcher.py")
SIGN_OFF = """
import signal, sys, time
def sign_off(*_):
    open(sys.argv[1], "a").write(sys.argv[2])
    sys.exit()
signal.signal(signal.SIGTERM, sign_off)
print("on", flush=True)
time.sleep(600)
"""
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def eventually(condition: Callable[[], bool], timeout_s: float = 15.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a network that the OS user that stands in for root can enter, unlike pytest's own."""
    parent = ROOT / "var" / "tests"
    parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="network-", dir=parent))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def run(*command: str) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_launcher_ended_by_signal_leaves_no_process(launch, folder, number, status):
    launcher = launch(sys.executable, str(LAUNCHER), str(folder))
    family = psutil.Process(launcher.pid).children(recursive=True)
    names = " ".join(process.name() for process in family)
    assert all(name in names for name in ("anvil", "postgres", "valkey"))
    assert len(family) >= 10

    launcher.send_signal(number)

    assert launcher.wait(20) == status
    assert eventually(lambda: not living(family)), living(family)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_make_ended_by_signal_leaves_no_process(launch, tmp_path, folder, number):
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"run:\n\t@exec {sys.executable} {LAUNCHER} {folder}\n")
    make = launch("make", "-f", str(makefile), "run")
    family = psutil.Process(make.pid).children(recursive=True)

    make.send_signal(number)

    assert make.wait(20) != 0
    assert eventually(lambda: not living(family)), living(family)


def test_launcher_killed_as_root_removes_postgres_refuge(launch, tmp_path):
    launcher = launch(sys.executable, str(LAUNCHER), str(tmp_path / "var"))
    record = tmp_path / "var" / "postgres" / "moved-to"
    refuge = Path(record.read_text().strip()) if record.exists() else None
    assert (refuge is not None) == (os.geteuid() == 0)

    launcher.kill()

    assert eventually(lambda: refuge is None or not refuge.exists())


def test_network_in_a_folder_in_use_is_refused(folder):
    with LocalNetwork(LOCAL, folder), pytest.raises(NetworkBusyError), LocalNetwork(LOCAL, folder):
        pass


def test_network_up_serves_all_parts_and_withdraws_its_file(folder):
    with LocalNetwork(LOCAL, folder) as network:
        url = network.postgres.create("market")
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("market",)
        assert is_listening(network.valkey.port)
        network.start_blocks()
        before = network.chain.block_number
        assert eventually(lambda: network.chain.block_number >= before + 2, 5)
        published = network.publish(
            NetworkFile("w", "a", network.rpc_url, 31337, 0, {"JobEscrow": "0x0"}, "b", LOCAL.clocks())
        )
        assert published.exists()
    assert not published.exists()
    assert not is_listening(network.valkey.port)


def test_postgres_killed_comes_back_with_its_data(supervisor, postgres):
    url = postgres.create("survivor").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")

    supervisor.kill("postgres")

    def value() -> bool:
        try:
            with psycopg.connect(url, connect_timeout=2) as connection:
                return connection.execute("SELECT value FROM kept").fetchone() == (7,)
        except psycopg.OperationalError:
            return False

    assert eventually(value)


@pytest.fixture
def own_supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "log") as running:
        yield running


def test_start_taken_name_is_refused(own_supervisor):
    own_supervisor.start(ServiceSpec("a", SLEEP))
    with pytest.raises(SupervisorError, match="there is a service a already"):
        own_supervisor.start(ServiceSpec("a", SLEEP))


def test_check_ended_service_raises_with_its_log(own_supervisor):
    service = own_supervisor.start(ServiceSpec("a", [sys.executable, "-c", "print('why'); raise SystemExit(3)"]))
    assert service.wait(10)
    with pytest.raises(ServiceExitedError, match=r"(?s)status 3.*why"):
        own_supervisor.check()


def test_wait_ready_never_ready_raises(own_supervisor):
    service = own_supervisor.start(ServiceSpec("a", SLEEP))
    with pytest.raises(NotReadyError):
        own_supervisor.wait_ready(service, lambda: False, timeout_s=0.2)


def test_kill_with_restart_starts_a_new_incarnation(own_supervisor):
    service = own_supervisor.start(ServiceSpec("a", SLEEP, restart=True))
    first = service.pid
    own_supervisor.kill("a")
    assert eventually(lambda: service.running and service.pid != first)
    own_supervisor.check()


def test_kill_with_a_start_that_the_machine_refuses_is_tried_again(own_supervisor, monkeypatch):
    service = own_supervisor.start(ServiceSpec("a", SLEEP, restart=True))
    start, refused = subprocess.Popen, []

    def refuse_twice(*arguments, **options):
        if len(refused) < 2:
            refused.append(OSError(26, "Text file busy"))
            raise refused[-1]
        return start(*arguments, **options)

    monkeypatch.setattr("deploy.local.supervisor.subprocess.Popen", refuse_twice)
    first = service.pid
    own_supervisor.kill("a")
    assert eventually(lambda: service.running and service.pid != first)
    assert len(refused) == 2
    assert service.log_tail().count("Text file busy") == 2


def test_end_keeps_a_restarting_service_stopped(own_supervisor):
    service = own_supervisor.start(ServiceSpec("a", SLEEP, restart=True))
    own_supervisor.end("a")
    assert not eventually(lambda: service.running, 1.0)
    own_supervisor.check()
    own_supervisor.restart("a")
    assert service.running


def test_restart_endless_crash_is_given_up(own_supervisor, monkeypatch):
    service = own_supervisor.start(ServiceSpec("a", ["false"], restart=True))
    service.starts = MAX_RESTARTS + 1
    assert eventually(lambda: not service.running)
    with pytest.raises(ServiceExitedError):
        own_supervisor.check()


def test_stop_after_the_guard_died_still_ends_services(own_supervisor):
    service = own_supervisor.start(ServiceSpec("a", SLEEP))
    own_supervisor._guard.kill()
    own_supervisor._guard.wait()
    with pytest.raises(SupervisorError, match="guard has died"):
        own_supervisor.start(ServiceSpec("b", SLEEP))
    with pytest.raises(SupervisorError, match="guard has died"):
        own_supervisor.check()
    own_supervisor.stop()
    assert not service.running


def test_guard_told_of_an_ended_process_goes_on(own_supervisor):
    own_supervisor._tell("watch 999999999")
    service = own_supervisor.start(ServiceSpec("a", SLEEP))
    own_supervisor.stop()
    assert not service.running
    assert own_supervisor._guard.returncode == 0


def test_stop_ends_foundations_last(own_supervisor, tmp_path):
    note = tmp_path / "order"
    for name, foundation in (("f", True), ("s", False)):
        service = own_supervisor.start(
            ServiceSpec(name, [sys.executable, "-c", SIGN_OFF, str(note), name], foundation=foundation)
        )
        own_supervisor.wait_ready(service, lambda service=service: "on" in service.log_tail())
    own_supervisor.stop()
    assert note.read_text() == "sf"


def test_free_port_is_not_listened_on():
    assert not is_listening(free_port())


def test_profiles_clocks_are_seconds():
    assert LOCAL.clocks()["window"] == 10
    assert TESTNET.clocks()["beacon_delay"] == 16
    assert profile_named("testnet") is TESTNET
    with pytest.raises(UnknownProfileError):
        profile_named("mainnet")
