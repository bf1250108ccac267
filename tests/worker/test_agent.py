import asyncio
import os
import signal
import threading
from dataclasses import replace
from random import Random

import pytest

from execution import DeviceFailure
from execution import TaskResult as Outcome
from programs.catalogue import CATALOGUE
from protocol.manifest import Manifest
from protocol.merkle import Status
from protocol.messages import Binding
from protocol.signing import address_of
from protocol.wasm import Limits, build_program
from tests.worker.fake_market import (
    BUYER,
    DEVICE,
    DOMAIN,
    OTHER,
    PRICE,
    START,
    Clock,
    FakeMarket,
    digits,
    digits_work,
    inputs_of,
    make_bid,
)
from worker import control
from worker.agent import Agent
from worker.errors import MarketRefused, MarketUnreachable, SessionRefused
from worker.facts import LeaseSettled, ReceiptSigned
from worker.facts import Outcome as Ending
from worker.grants import Terms
from worker.journal import Journal
from worker.keystore import DeviceKey
from worker.owner import Owner
from worker.policy import Policy
from worker.runner import SandboxRunner

pytestmark = pytest.mark.anyio


class EchoRunner:
    """Outputs each input's first byte; `script` holds what the next runs raise or call first."""

    def __init__(self):
        self.script = []
        self.runs = []
        self.aborted = threading.Event()

    def run(self, work):
        self.runs.append([task.index for task in work.tasks])
        if self.script:
            action = self.script.pop(0)
            if isinstance(action, Exception):
                raise action
            action()
        return [Outcome(Status.OK, task.input[:1], 100 + task.index) for task in work.tasks]

    @property
    def tasks_done(self):
        return 0

    def abort(self):
        self.aborted.set()

    def close(self):
        pass


class Bench:
    """An agent over the fake market, with a journal that outlives it."""

    def __init__(self, folder, tasks=10, **market):
        self.folder = folder
        self.clock = Clock()
        self.market = FakeMarket(self.clock, tasks, **market)
        self.runner = EchoRunner()
        self.policy = Policy(folder, PRICE, 1, 16)

    def agent(self, owner=None, make_journal=Journal):
        journal = make_journal(self.folder / "journal")
        key = DeviceKey(DEVICE)
        return Agent(
            key, self.market, self.runner, journal, self.policy, owner, self.clock, Random(1), self.clock.sleep
        )

    async def work(self, **options):
        """Runs an agent until the market has no more to do; returns why it stopped."""
        agent = self.agent(**options)
        running = asyncio.create_task(agent.run())
        idle = asyncio.create_task(self.market.idle.wait())
        await asyncio.wait([running, idle], return_when=asyncio.FIRST_COMPLETED, timeout=20)
        idle.cancel()
        assert running.done() or self.market.idle.is_set(), agent.device.story
        if not running.done():
            agent.shut_down()
        return await running

    def facts(self):
        journal = Journal(self.folder / "journal")
        journal.close()
        return journal.facts


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


async def test_job_is_worked_off_with_cumulative_receipts(bench):
    assert await bench.work() == "asked to"
    assert bench.market.accepted_spans == [0, 1, 2]
    assert [receipt.count for receipt in bench.market.receipts] == [4, 8, 10]
    assert list((bench.folder / "journal" / "outputs").iterdir()) == []


async def test_binding_is_relayed_once_with_both_signatures(bench):
    owner = Owner(address_of(OTHER), key=DeviceKey(OTHER))
    bench.market.faults["next_lease"] = [SessionRefused("over")]
    await bench.work(owner=owner)
    assert bench.market.sessions == 2
    assert bench.market.bound == [Binding(address_of(DEVICE), owner.address)]


# --- trouble with the market


@pytest.mark.parametrize(
    "method", ["network", "open_session", "put_offer", "next_lease", "get_blob", "put_blob", "submit"]
)
@pytest.mark.parametrize("error", [MarketUnreachable("down"), SessionRefused("over")])
async def test_trouble_in_any_call_is_overcome_without_another_run(bench, method, error, monkeypatch):
    if method == "put_blob":
        monkeypatch.setattr("worker.agent.INLINE_BYTES_MAX", 0)
    bench.market.faults[method] = [error, error]
    await bench.work()
    assert bench.market.faults[method] == []
    assert bench.market.accepted_spans == [0, 1, 2]
    assert len(bench.runner.runs) == 3


@pytest.mark.parametrize("method", ["next_lease", "submit"])
async def test_answer_lost_on_the_way_is_asked_for_again(bench, method):
    bench.market.after[method] = [MarketUnreachable("lost")]
    await bench.work()
    assert bench.market.accepted_spans == [0, 1, 2]
    assert len(bench.runner.runs) == 3


async def test_acceptance_that_was_never_told_is_found_in_the_next_base(bench):
    bench.market.after["submit"] = [MarketRefused(409, "lease_expired", "over")]
    await bench.work()
    assert bench.market.accepted_spans == [0, 1, 2]
    assert [receipt.count for receipt in bench.market.receipts] == [4, 8, 10]


async def test_period_posted_before_the_receipt_moves_the_lease(bench):
    bench.market.faults["submit"] = [lambda: None, bench.market.post]
    await bench.work()
    assert [(receipt.period, receipt.count) for receipt in bench.market.receipts] == [(0, 4), (0, 8), (1, 4), (1, 6)]
    assert bench.market.accepted_spans == [0, 1, 2]


async def test_fenced_lease_is_not_paid_and_the_work_goes_on(bench):
    bench.market.faults["submit"] = [bench.market.lose_lease]
    await bench.work()
    assert bench.market.accepted_spans == [0, 1, 2]
    assert len(bench.market.receipts) == 4


async def test_heartbeat_refused_while_running_aborts_the_run(bench):
    def hang():
        bench.market.lose_lease()
        assert bench.runner.aborted.wait(10)
        raise DeviceFailure("killed")

    bench.runner.script = [hang]
    await bench.work()
    assert bench.market.accepted_spans == [0, 1, 2]
    assert len(bench.runner.runs) == 4
    assert len(bench.market.receipts) == 3


async def test_heartbeats_go_on_while_running(bench):
    def until_three():
        while bench.market.heartbeats < 3:
            threading.Event().wait(0.001)

    bench.runner.script = [until_three]
    await bench.work()
    assert bench.market.heartbeats >= 3


async def test_session_lost_while_running_is_opened_again_by_the_heartbeat(bench):
    def until_renewed():
        while bench.market.sessions < 2:
            threading.Event().wait(0.001)

    bench.market.faults["heartbeat"] = [SessionRefused("over")]
    bench.runner.script = [until_renewed]
    await bench.work()
    assert bench.market.accepted_spans == [0, 1, 2]


@pytest.mark.parametrize("method", ["open_session", "next_lease", "submit"])
async def test_conviction_stops_for_good(bench, method):
    bench.market.faults[method] = [MarketRefused(409, "device_convicted", "sorry")]
    assert "convicted" in await bench.work()
    calls = bench.market.sessions
    assert "convicted" in await bench.work()
    assert bench.market.sessions == calls


# --- what is refused


def assert_nothing_signed(bench):
    assert bench.runner.runs == []
    assert bench.market.receipts == []
    assert not any(isinstance(fact, ReceiptSigned) for fact in bench.facts())
    assert bench.market.released


async def until(holds):
    """Lets the agent run until that holds."""
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def refuse(bench):
    """Works until the lease has been released once."""
    agent = bench.agent()
    running = asyncio.create_task(agent.run())
    await until(lambda: bench.market.released or running.done())
    agent.shut_down()
    await running
    assert_nothing_signed(bench)


async def test_lease_with_a_wrong_signature_is_refused(bench):
    bench.market.tamper = lambda grant: replace(grant, signature=grant.lease.sign(DOMAIN, OTHER))
    await refuse(bench)


async def test_forged_bid_is_refused(bench):
    bid = make_bid(inputs_of(10), max_price_wei_per_gwu=PRICE * 2)
    bench.market.tamper = lambda grant: replace(grant, bid=bid, bid_signature=bid.sign(DOMAIN, OTHER))
    await refuse(bench)


async def test_manifest_of_other_inputs_than_inputs_root_is_refused(tmp_path):
    other = Manifest.of(inputs_of(10, seed=8))
    bench = Bench(tmp_path, manifest=other.blob_id)
    bench.market.blobs[other.blob_id] = other.blob
    await refuse(bench)


async def test_blob_with_other_bytes_than_its_id_is_refused(bench):
    bench.market.blobs[bench.market.bid.manifest] = Manifest.of(inputs_of(10, seed=8)).blob
    await refuse(bench)


async def test_missing_blob_is_refused(bench):
    del bench.market.blobs[digits().facts.original_hash]
    await refuse(bench)


async def test_program_that_builds_to_another_id_is_refused(tmp_path):
    """The author registered a rewriting of his own: the facts name it, the module does not build to it."""
    facts = replace(digits().facts, rewritten_hash=b"\x07" * 32)
    bench = Bench(tmp_path, program_id=facts.program_id)
    bench.market.tamper = lambda grant: replace(grant, program=facts)
    await refuse(bench)


async def test_module_that_is_not_admitted_is_refused(tmp_path):
    module = b"\0asm\1\0\0\0"
    from protocol.blobs import blob_id

    facts = replace(digits().facts, original_hash=blob_id(module))
    bench = Bench(tmp_path, program_id=facts.program_id)
    bench.market.blobs[blob_id(module)] = module
    bench.market.tamper = lambda grant: replace(grant, program=facts)
    await refuse(bench)


async def test_inputs_of_their_own_blobs_are_fetched_and_checked(tmp_path):
    bench = Bench(tmp_path)
    large = [bytes([n]) * 2_000 for n in range(4)]
    market = bench.market
    market.bid = make_bid(large)
    manifest = Manifest.of(large)
    market.open = [0]
    market.blobs |= {manifest.blob_id: manifest.blob} | {
        entry.hash: data for entry, data in zip(manifest.inputs, large, strict=True)
    }
    await bench.work()
    assert market.accepted_spans == [0]

    market.open, market.idle = [0], asyncio.Event()
    market.post()
    market.blobs[manifest.inputs[1].hash] = b"\1" * 1_999 + b"\2"
    bench.runner.runs.clear()
    market.receipts.clear()
    market.released.clear()
    agent = bench.agent()
    running = asyncio.create_task(agent.run())
    await until(lambda: market.released)
    agent.shut_down()
    await running
    assert bench.runner.runs == []
    assert market.receipts == []


# --- the device itself


async def test_device_failure_releases_and_tries_again(bench):
    bench.runner.script = [DeviceFailure("out of memory"), OSError("no processes left")]
    await bench.work()
    assert len(bench.market.released) == 2
    assert bench.market.accepted_spans == [0, 1, 2]


async def test_pause_while_submitting_gives_back_the_lease_that_came_with_the_answer(bench):
    bench.market.after["submit"] = [lambda: control.pause(bench.folder, START)]
    agent = bench.agent()
    running = asyncio.create_task(agent.run())
    await until(lambda: agent.decision.reason is not None and bench.market.released)
    assert [key.lease_id for key in bench.market.released] == [2]
    control.resume(bench.folder)
    await asyncio.wait_for(bench.market.idle.wait(), 10)
    agent.shut_down()
    await running
    assert bench.market.accepted_spans == [0, 1, 2]


async def test_lease_of_the_answer_is_worked_on_without_another_poll(bench):
    polls = []
    bench.market.faults["next_lease"] = [lambda: polls.append(len(bench.market.done))]
    await bench.work()
    assert polls == [0]
    assert bench.market.accepted_spans == [0, 1, 2]


async def test_market_that_pairs_no_lease_with_its_answer_is_polled(bench):
    bench.market.pairs = False
    await bench.work()
    assert bench.market.accepted_spans == [0, 1, 2]


async def test_outputs_too_large_to_travel_with_the_results_are_uploaded_first(bench, monkeypatch):
    monkeypatch.setattr("worker.agent.INLINE_BYTES_MAX", 0)
    bench.market.faults["submit"] = [MarketUnreachable("down")]
    before = set(bench.market.blobs)
    await bench.work()
    assert len(set(bench.market.blobs) - before) == 3
    assert bench.market.accepted_spans == [0, 1, 2]


async def test_pause_takes_no_lease_until_resumed(bench):
    control.pause(bench.folder, START)
    agent = bench.agent()
    running = asyncio.create_task(agent.run())
    await until(lambda: bench.clock.now >= START + 5)
    assert bench.market.lease_ids == 0
    control.resume(bench.folder)
    await asyncio.wait_for(bench.market.idle.wait(), 10)
    agent.shut_down()
    await running
    assert bench.market.accepted_spans == [0, 1, 2]


async def test_shutdown_while_running_finishes_the_lease(bench):
    agent = bench.agent()
    loop = asyncio.get_running_loop()
    bench.runner.script = [lambda: loop.call_soon_threadsafe(agent.shut_down)]
    assert await agent.run() == "asked to"
    assert bench.market.accepted_spans == [0]


async def test_shutdown_twice_while_running_gives_the_lease_back(bench):
    agent = bench.agent()
    loop = asyncio.get_running_loop()

    def ask_twice():
        loop.call_soon_threadsafe(agent.shut_down)
        loop.call_soon_threadsafe(agent.shut_down)
        assert bench.runner.aborted.wait(10)
        raise DeviceFailure("killed")

    bench.runner.script = [ask_twice]
    assert await agent.run() == "asked to"
    assert bench.market.receipts == []
    assert len(bench.market.released) == 1


async def test_journal_is_compacted_between_leases(tmp_path, monkeypatch):
    monkeypatch.setattr("worker.journal.COMPACT_ABOVE_BYTES", 4_000)
    bench = Bench(tmp_path, tasks=160)
    bench.market.faults["next_lease"] = [bench.market.post] * 45
    await bench.work()
    assert bench.market.accepted_spans == list(range(40))
    assert (bench.folder / "journal" / "journal.jsonl").stat().st_size < 40_000
    assert bench.agent().device.book.holdings.keys() <= set(bench.market.done)


# --- crashes


class Crash(Exception):
    pass


class CrashingJournal(Journal):
    """Dies at its n-th write, before or after the write is on disk."""

    def __init__(self, folder, at, after):
        super().__init__(folder)
        self.left, self.after = at, after

    def _die(self, write, thing):
        if self.left == 0 and not self.after:
            self.left = -1
            raise Crash
        result = write(thing)
        if self.left == 0:
            self.left = -1
            raise Crash
        self.left -= 1
        return result

    def append(self, fact):
        return self._die(super().append, fact)

    def keep_outputs(self, blob):
        return self._die(super().keep_outputs, blob)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(16))
async def test_crash_at_any_write_loses_nothing_and_signs_nothing_twice(tmp_path, at, after):
    bench = Bench(tmp_path)
    bench.market.faults["submit"] = [lambda: None, bench.market.post]
    with pytest.raises(Crash):
        await bench.work(make_journal=lambda folder: CrashingJournal(folder, at, after))
    await bench.work()
    assert bench.market.accepted_spans == [0, 1, 2]
    assert len(bench.market.done) == 3
    by_spans = {}
    for receipt in bench.market.receipts:
        assert by_spans.setdefault((receipt.period, receipt.spans_hash), receipt) == receipt


async def test_crash_with_the_outputs_lost_signs_nothing_new(bench, monkeypatch):
    monkeypatch.setattr("worker.journal.LINE_OUTPUTS_BYTES", 0)
    with pytest.raises(Crash):
        await bench.work(make_journal=lambda folder: CrashingJournal(folder, 4, after=True))
    for path in (bench.folder / "journal" / "outputs").iterdir():
        path.unlink()
    await bench.work()
    endings = [fact.outcome for fact in bench.facts() if isinstance(fact, LeaseSettled)]
    assert Ending.UNKNOWN in endings or Ending.DROPPED in endings


async def test_restart_after_the_lease_expired_goes_on_with_a_new_one(bench):
    with pytest.raises(Crash):
        await bench.work(make_journal=lambda folder: CrashingJournal(folder, 2, after=False))
    bench.clock.now += 1_000
    bench.market.lose_lease()
    await bench.work()
    assert bench.market.accepted_spans == [0, 1, 2]
    assert bench.market.lease_ids == 4


# --- real children


async def test_sandbox_runs_the_job_and_survives_a_killed_child(bench):
    bench.runner = SandboxRunner()
    killed = []

    def kill_child():
        if not killed:
            (sandboxes,) = bench.runner._kept.values()
            killed.append(sandboxes[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    bench.market.faults["next_lease"] = [lambda: None, kill_child]
    await bench.work()
    assert killed
    assert bench.market.accepted_spans == [0, 1, 2]
    assert len(bench.market.released) == 1


@pytest.mark.slow
def test_sandbox_on_two_processors_gives_the_same_outcomes_in_order():
    one, two = SandboxRunner(1), SandboxRunner(2)
    work = digits_work(7)
    try:
        assert two.run(work) == one.run(work)
    finally:
        one.close()
        two.close()


@pytest.mark.slow
async def test_endless_task_is_aborted_within_a_second(tmp_path):
    import wasmtime

    text = """(module (memory (export "memory") 1 1) (func (export "alloc") (param i32) (result i32) i32.const 0)
        (func (export "run") (param i32 i32) (result i64) (loop br 0) unreachable))"""
    module = bytes(wasmtime.wat2wasm(text))
    program = build_program(module, Limits(1 << 45, 1, 65_536))
    bench = Bench(tmp_path, program_id=program.program_id, task_limit_wu=1 << 45)
    bench.runner = SandboxRunner()
    market = bench.market
    market.blobs[program.facts.original_hash] = module
    market.tamper = lambda grant: replace(grant, program=program.facts)
    agent = bench.agent()
    running = asyncio.create_task(agent.run())
    await until(lambda: any(sandbox.pid for kept in bench.runner._kept.values() for sandbox in kept))
    agent.shut_down()
    agent.shut_down()
    assert await asyncio.wait_for(running, 5) == "asked to"
    assert market.receipts == []


def test_terms_come_from_the_policy(tmp_path):
    assert Policy(tmp_path, PRICE, 1, 16).terms(address_of(BUYER)) == Terms(address_of(BUYER), PRICE, 16)


def test_catalogue_program_is_the_one_of_the_tests():
    assert CATALOGUE["digits"].build().program_id == digits().program_id
