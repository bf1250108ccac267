"""What commands ask of agents through the state folder, and what agents say there of themselves."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from typer.testing import CliRunner

from protocol.signing import address_of
from tests.worker.desk import as_measured
from tests.worker.fake_market import DEVICE, OTHER, PRICE, START, Clock, FakeMarket
from tests.worker.test_agent import EchoRunner, until
from worker import benchmark, control, purse, service
from worker.agent import Agent
from worker.benchmark import Benchmark
from worker.cli import app
from worker.commands.working import seconds_of
from worker.control import Wish
from worker.errors import ChainUnusable, JournalBusy, MarketRefused, MarketUnreachable, SandboxUnusable, SettingsInvalid
from worker.exits import Exit
from worker.journal import Journal
from worker.keystore import DeviceKey
from worker.policy import Policy
from worker.reporter import Reporter, state_of
from worker.settings import Settings
from worker.status import Status, Totals, read_status, write_status

ADDRESS = address_of(DEVICE)
SPEED = Benchmark("machine", "1", START, {"digits": 2.0})


def invoke(folder, *arguments, status=Exit.OK):
    command, *rest = arguments
    done = CliRunner().invoke(app, [command, "--state-dir", str(folder), *rest])
    assert done.exit_code == status, done.output
    return done


@pytest.fixture
def running(tmp_path):
    """A device whose lock is held as by an agent."""
    journal = Journal(control.device_folder(tmp_path, ADDRESS))
    yield tmp_path
    journal.close()


def said(**changes):
    fields = {
        "device": ADDRESS, "state": "waiting", "since": START, "started_at": START, "updated_at": START, "pid": 2**22,
        "version": "1", "market": "https://m.example", "cpus": 1, "min_price_wei_per_gwu": 2**70,
    }  # fmt: skip
    return Status(**fields | changes)


# --- the pause


@pytest.mark.parametrize("text", ["0s", "h", "2", "-1h", "1w", "1e9s", "", "2h30m", "9999999d"])
def test_length_of_time_that_is_none_is_refused(text):
    with pytest.raises(SettingsInvalid):
        seconds_of(text)


def test_lengths_of_time():
    assert [seconds_of(text) for text in ("90s", "1.5m", "2h", "1d")] == [90, 90, 7_200, 86_400]


@pytest.mark.parametrize("content", [b"", b"{", b'{"since": 1}', b"[]", b'{"since": "x", "until": null}'])
def test_pause_file_that_says_nothing_pauses_without_an_end(tmp_path, content):
    (tmp_path / control.PAUSE_FILE).write_bytes(content)
    decision = Policy(tmp_path, 1, 1, 1).decision(START)
    assert (decision.allowed, decision.until) == (False, None)
    assert decision.reason


def test_pause_ends_by_itself_or_when_resumed(tmp_path):
    policy = Policy(tmp_path / "new", 1, 1, 1)
    assert policy.decision(START).allowed
    control.pause(tmp_path / "new", START, START + 10)
    assert policy.decision(START + 9).until == START + 10
    assert policy.decision(START + 10).allowed
    invoke(tmp_path / "new", "pause")
    assert not policy.decision(START + 10**9).allowed
    invoke(tmp_path / "new", "resume")
    invoke(tmp_path / "new", "resume")
    assert policy.decision(START).allowed


# --- wishes and the lock


@pytest.mark.parametrize("command", ["finish", "stop"])
def test_ending_agents_where_none_runs_says_so_and_leaves_no_wish(tmp_path, command):
    invoke(tmp_path / "nothing", command, status=Exit.NOT_RUNNING)
    folder = control.device_folder(tmp_path, ADDRESS)
    Journal(folder).close()
    write_status(folder, said(state="running", pid=os.getpid()))
    invoke(tmp_path, command, status=Exit.NOT_RUNNING)
    assert control.take_wish(folder) is None


def test_agent_that_does_not_end_in_time_is_told(running):
    said = invoke(running, "stop", "--timeout", "0.2", status=Exit.FAILED).output
    assert "still running" in said
    assert control.take_wish(control.device_folder(running, ADDRESS)) is Wish.STOP
    assert invoke(running, "finish", "--timeout", "0").stdout == "asked\n"


def test_wish_is_for_the_named_device_alone(running):
    other = control.device_folder(running, address_of(OTHER))
    Journal(other).close()
    invoke(running, "stop", "--device", address_of(OTHER), status=Exit.NOT_RUNNING)
    invoke(running, "stop", "--device", "0x12", status=Exit.FAILED)
    assert control.take_wish(control.device_folder(running, ADDRESS)) is None


@pytest.mark.parametrize("content", ["", "dance", "stop\n"])
def test_wish_that_is_none_is_dropped(tmp_path, content):
    (tmp_path / "wish").write_text(content)
    assert control.take_wish(tmp_path) is None
    assert not (tmp_path / "wish").exists()


def test_asking_whether_an_agent_runs_keeps_none_from_starting(tmp_path):
    with (tmp_path / control.LOCK_FILE).open("wb") as probe:
        fcntl.flock(probe, fcntl.LOCK_SH)
        threading.Timer(0.03, fcntl.flock, (probe, fcntl.LOCK_UN)).start()
        Journal(tmp_path).close()
    holder = Journal(tmp_path)
    assert control.is_running(tmp_path)
    with pytest.raises(JournalBusy):
        Journal(tmp_path)
    holder.close()
    assert not control.is_running(tmp_path)


def test_folders_of_no_device_are_left_alone(tmp_path):
    for name in ("var", "0x12", "0x" + "zz" * 20):
        (tmp_path / name).mkdir()
    assert control.devices_in(tmp_path) == []
    assert control.devices_in(tmp_path / "nothing") == []


# --- status


def test_status_where_nothing_ran_and_where_an_agent_died(tmp_path):
    assert json.loads(invoke(tmp_path, "status", "--json", status=Exit.NOT_RUNNING).stdout) == {"devices": []}
    folder = control.device_folder(tmp_path, ADDRESS)
    Journal(folder).close()
    assert "never ran" in invoke(tmp_path, "status", status=Exit.NOT_RUNNING).stdout
    write_status(folder, said(state="running", pid=os.getpid()))
    assert "ended without a word" in invoke(tmp_path, "status", status=Exit.NOT_RUNNING).stdout


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"totals": 1}', '{"lease": 3}'])
def test_status_file_that_cannot_be_read_is_none(running, content):
    folder = control.device_folder(running, ADDRESS)
    (folder / "status.json").write_text(content)
    assert read_status(folder) is None
    assert "starting" in invoke(running, "status").stdout


def test_status_always_says_why(running):
    write_status(control.device_folder(running, ADDRESS), said(state="paused", reason="on battery", until=START))
    text = invoke(running, "status").stdout
    assert "on battery, until" in text
    value = json.loads(invoke(running, "status", "--json").stdout)["devices"][0]
    assert (value["running"], value["reason"], value["min_price_wei_per_gwu"]) == (True, "on battery", str(2**70))


def test_status_on_disk_comes_back_whole(tmp_path):
    status = said(totals=Totals(1, 2, 3, 2**100))
    write_status(tmp_path, status)
    assert read_status(tmp_path) == status
    assert (tmp_path / "status.json").stat().st_mode & 0o077 == 0
    assert Totals(1, 3, 1, 10).task_price_wei == 4
    assert Totals().task_price_wei == 0


class Watched:
    """An agent over the fake market with its reporter, in real time but for the agent's clock."""

    def __init__(self, folder, **market):
        self.clock = Clock()
        self.market = FakeMarket(self.clock, **market)
        self.runner = EchoRunner()
        self.settings = Settings(("https://m.example",), folder / "key", folder, PRICE)
        self.reporter = Reporter(self.settings, ADDRESS, SPEED, self.clock)
        self.folder = self.settings.journal_folder(ADDRESS)
        self.agent = Agent(
            DeviceKey(DEVICE), self.market, self.runner, Journal(self.folder), Policy(folder, PRICE, 1, 16),
            clock=self.clock, sleep=self.clock.sleep, ns_per_wu=2.0, on_accepted=self.reporter.accepted,
        )  # fmt: skip

    async def run(self, script):
        """Runs until `script` has, and the agent is stopped; returns why it stopped."""

        def asked(wish):
            self.agent.shut_down(now=wish is Wish.STOP)

        beside = asyncio.create_task(self.reporter.watch(self.agent, lambda: "https://m.example", asked))
        running = asyncio.create_task(self.agent.run())
        await script(self)
        reason = await asyncio.wait_for(running, 10)
        beside.cancel()
        self.reporter.ended(reason)
        return reason

    @property
    def word(self):
        found = read_status(self.folder)
        return found.state if found else None


@pytest.mark.anyio
@pytest.mark.slow
async def test_stop_gives_the_lease_back_and_a_stale_wish_is_nothing(tmp_path):
    watched = Watched(tmp_path)
    control.ask(watched.folder, Wish.STOP)
    held = threading.Event()
    watched.runner.script = [lambda: held.wait(10)]

    async def script(self):
        await until(lambda: self.word == "running")
        assert read_status(self.folder).lease.tasks == 4
        control.ask(self.folder, Wish.STOP)
        await until(lambda: self.market.released or self.runner.aborted.is_set())
        held.set()

    assert await watched.run(script) == "asked to"
    assert len(watched.market.released) == 1
    assert watched.market.accepted_spans == []
    assert (watched.word, read_status(watched.folder).reason) == ("stopped", "asked to")


@pytest.mark.anyio
@pytest.mark.slow
async def test_finish_hands_the_lease_in_and_counts_it(tmp_path):
    watched = Watched(tmp_path)
    held = threading.Event()
    watched.runner.script = [lambda: held.wait(10)]

    async def script(self):
        await until(lambda: self.word == "running")
        control.ask(self.folder, Wish.FINISH)
        await until(lambda: not (self.folder / "wish").exists())
        held.set()

    assert await watched.run(script) == "asked to"
    assert watched.market.accepted_spans == [0]
    totals = read_status(watched.folder).totals
    assert (totals.leases, totals.tasks, totals.wei) == (1, 4, totals.wu * PRICE // 10**9)
    again = Reporter(watched.settings, ADDRESS, SPEED, watched.clock)
    assert again.status.totals == totals


@pytest.mark.anyio
@pytest.mark.slow
async def test_lease_that_comes_into_a_pause_is_given_back(tmp_path):
    watched = Watched(tmp_path)
    watched.market.after["next_lease"] = [lambda: control.pause(tmp_path, START)]

    async def script(self):
        await until(lambda: self.market.released and self.word == "paused")
        assert "paused by its contributor" in read_status(self.folder).reason
        assert state_of(self.agent, START)[0] == "paused"
        control.ask(self.folder, Wish.FINISH)

    await watched.run(script)
    assert watched.market.accepted_spans == []
    assert watched.runner.runs == []


@pytest.mark.anyio
@pytest.mark.slow
async def test_market_that_refuses_or_is_silent_is_told_as_the_reason(tmp_path):
    watched = Watched(tmp_path)
    watched.market.faults["next_lease"] = [MarketRefused(409, "device_unbound", "no owner")] * 4
    watched.market.faults["network"] = [MarketUnreachable("no route")] * 3
    seen = set()

    async def script(self):
        await until(lambda: seen.add((self.word, state_of(self.agent, START)[1])) or self.market.accepted_spans)
        control.ask(self.folder, Wish.FINISH)

    await watched.run(script)
    reasons = {reason for _, reason in seen}
    assert "no route" in reasons
    assert any("device_unbound" in (reason or "") for reason in reasons)
    assert watched.agent.refusal is None


@pytest.mark.anyio
async def test_automatic_claim_that_fails_is_told_and_tried_again(tmp_path, monkeypatch):
    answers = [ChainUnusable("no node"), "claimed 5 wei in 0x12", OSError("disk"), None]

    def claim_if_due(_settings):
        told.append(watched.reporter.claim)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(purse, "claim_if_due", claim_if_due)
    monkeypatch.setattr(service, "CLAIM_INTERVAL_S", 0.0)
    watched, told = Watched(tmp_path), []
    looping = asyncio.create_task(service._claim_when_due(watched.settings, watched.reporter))
    await until(lambda: not answers)
    looping.cancel()
    await asyncio.gather(looping, return_exceptions=True)
    watched.agent._journal.close()
    failed = "the automatic claim failed"
    assert told[:4] == [None, f"{failed}: no node", "claimed 5 wei in 0x12", f"{failed}: disk"]


# --- the benchmark


def test_benchmark_is_kept_until_machine_or_version_change(tmp_path, monkeypatch):
    counted = []

    def measured():
        counted.append(1)
        return Benchmark(benchmark.machine_now(), benchmark.version_now(), START, {"digits": float(len(counted))})

    def made():
        return benchmark.load_or_measure(tmp_path / "new", measured)[1]

    assert [made(), made()] == [True, False]
    monkeypatch.setattr(benchmark, "version_now", lambda: "2")
    assert [made(), made()] == [True, False]
    monkeypatch.setattr(benchmark, "machine_now", lambda: "another")
    assert [made(), made()] == [True, False]
    for damage in ("", "{}", '{"ns_per_wu": []}', json.dumps({**vars(SPEED), "ns_per_wu": {"digits": 0}})):
        (tmp_path / "new" / benchmark.FILE).write_text(damage)
        assert made()


def test_benchmark_on_a_machine_that_runs_nothing_says_so(monkeypatch):
    def broken(*_):
        raise OSError("no processes left")

    monkeypatch.setattr(benchmark, "Sandbox", broken)
    with pytest.raises(SandboxUnusable, match="no processes left"):
        benchmark.measure()


@pytest.mark.slow
def test_benchmark_measures_every_program():
    found = benchmark.measure()
    assert set(found.ns_per_wu) == set(benchmark.INPUTS)
    assert min(found.ns_per_wu.values()) <= found.typical <= max(found.ns_per_wu.values())


# --- a real agent


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.parametrize("death", [None, signal.SIGKILL])
def test_agent_in_a_process_of_its_own_obeys_and_dies(tmp_path, death):
    (tmp_path / "device.key").touch(0o600)
    (tmp_path / "device.key").write_text(DEVICE.hex())
    as_measured(tmp_path)
    command = [sys.executable, "-m", "worker", "run", "--state-dir", str(tmp_path), "--market", "http://127.0.0.1:9"]
    command += ["--min-price", str(PRICE), "--keystore", str(tmp_path / "device.key")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = read_status(control.device_folder(tmp_path, ADDRESS))
            if found and found.state == "offline":
                break
            time.sleep(0.05)
        assert "127.0.0.1:9" in invoke(tmp_path, "status").stdout
        if death:
            process.send_signal(death)
            process.wait(10)
            assert "ended without a word" in invoke(tmp_path, "status", status=Exit.NOT_RUNNING).stdout
        else:
            invoke(tmp_path, "finish")
            assert process.wait(10) == 0
        invoke(tmp_path, "stop", status=Exit.NOT_RUNNING)
    finally:
        process.kill()
        process.wait()
