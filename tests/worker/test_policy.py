"""Wishes over tables of conditions: when the device rests, why, until when, and that it does not flap."""

import asyncio
import os
import time
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path

import pytest

from protocol.messages import Bid
from tests.worker.test_agent import Bench
from worker import control, runner
from worker.conditions import KNOWABLE, Conditions
from worker.courtesy import LEAST_REST_S, MIB, Rests, due_rests
from worker.errors import SettingsInvalid
from worker.hours import Hours, next_begin
from worker.policy import Policy
from worker.runner import DeviceFailure, Outcome, SandboxRunner
from worker.settings import Settings, load_settings
from worker.wishes import PRESETS, Wishes
from worker.work import Task

NOW = 1_800_000_000.0
FINE = Conditions(
    idle_s=10_000, on_battery=False, metered=False, other_load_percent=3, free_memory_bytes=8 << 30,
    free_disk_bytes=80 << 30, temperature_c=40,
)  # fmt: skip
ALL = replace(PRESETS["considerate"][1], min_free_disk_mib=1_000, min_free_memory_mib=1_000, max_temperature_c=80)


@pytest.fixture(autouse=True)
def zone(monkeypatch):
    """A zone with a summer time."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(*parts):
    return datetime(*parts).timestamp()  # noqa: DTZ001 (the machine's own time is meant)


def reasons(wishes, conditions, resting=()):
    return [rest.reason for rest in due_rests(wishes, conditions, NOW, resting)]


@pytest.mark.parametrize(
    ("worse", "reason"),
    [
        ({"idle_s": 179.9}, "somebody uses this machine"),
        ({"on_battery": True}, "on battery"),
        ({"metered": True}, "on a metered network"),
        ({"other_load_percent": 25.1}, "other programs use more than 25 % of this machine"),
        ({"free_memory_bytes": 1_000 * MIB - 1}, "less than 1000 MiB of memory are free"),
        ({"free_disk_bytes": 1_000 * MIB - 1}, "less than 1000 MiB of disk are free"),
        ({"temperature_c": 80}, "its processors are at 80 °C or more"),
    ],
)
def test_one_condition_against_the_wishes_is_the_reason_and_none_for_who_does_not_mind(worse, reason):
    assert reasons(ALL, replace(FINE, **worse)) == [reason]
    assert reasons(Wishes(), replace(FINE, **worse)) == []
    assert reasons(ALL, FINE) == []


@pytest.mark.parametrize(
    ("still", "gone"),
    [
        ({"other_load_percent": 19}, {"other_load_percent": 18}),
        ({"free_memory_bytes": 1_249 * MIB}, {"free_memory_bytes": 1_250 * MIB}),
        ({"free_disk_bytes": 1_249 * MIB}, {"free_disk_bytes": 1_250 * MIB}),
        ({"temperature_c": 75}, {"temperature_c": 74.9}),
    ],
)
def test_threshold_once_passed_is_left_with_a_margin(still, gone):
    (name,) = still
    assert reasons(ALL, replace(FINE, **still)) == []
    assert len(reasons(ALL, replace(FINE, **still), {name})) == 1
    assert reasons(ALL, replace(FINE, **gone), {name}) == []


def test_what_cannot_be_known_is_done_as_the_setting_says():
    assert reasons(ALL, Conditions()) == []
    careful = replace(ALL, work_when_unknown=False)
    assert len(reasons(careful, Conditions())) == len(KNOWABLE)
    assert reasons(careful, replace(FINE, idle_s=None)) == ["it cannot be known here whether somebody uses the machine"]
    assert ALL.conditions == KNOWABLE
    assert Wishes().conditions == frozenset()


def test_idle_rest_ends_when_nobody_touches_the_machine():
    (rest,) = due_rests(ALL, replace(FINE, idle_s=100), NOW, ())
    assert NOW + 80 <= rest.until < NOW + 90


def test_rest_lasts_a_while_and_its_beginning_is_that_of_the_first():
    rests = Rests()
    battery = due_rests(ALL, replace(FINE, on_battery=True), NOW, ())
    assert rests.update(battery, NOW) == battery
    (held,) = rests.update([], NOW + LEAST_REST_S - 1)
    assert (held.reason, held.until) == ("on battery", NOW + LEAST_REST_S)
    metered = due_rests(ALL, replace(FINE, metered=True), NOW, ())
    assert rests.update(metered, NOW + LEAST_REST_S) == metered
    assert rests.since == NOW
    assert rests.update([], NOW + 2 * LEAST_REST_S) == []
    assert (rests.since, rests.names) == (None, frozenset())


@pytest.mark.parametrize(
    ("hours", "now", "begin"),
    [
        ("22:00-07:00", (2026, 11, 22, 23, 0), None),
        ("22:00-07:00", (2026, 11, 22, 6, 59, 59), None),
        ("22:00-07:00", (2026, 11, 22, 7, 0), (2026, 11, 22, 22, 0)),
        ("22:00-07:00", (2026, 11, 22, 21, 59), (2026, 11, 22, 22, 0)),
        ("mon-fri 18:00-24:00", (2026, 11, 20, 23, 59), None),
        ("mon-fri 18:00-24:00", (2026, 11, 21, 0, 0), (2026, 11, 23, 18, 0)),
        ("fri 22:00-07:00", (2026, 11, 21, 6, 0), None),
        ("fri 22:00-07:00", (2026, 11, 20, 6, 0), (2026, 11, 20, 22, 0)),
        ("sat,sun 00:00-24:00", (2026, 11, 22, 12, 0), None),
        ("fri-mon 12:00-13:00", (2026, 11, 22, 13, 0), (2026, 11, 23, 12, 0)),
        ("tue 12:00-13:00", (2026, 11, 24, 13, 0), (2026, 12, 1, 12, 0)),
        ("02:30-03:30", (2026, 3, 28, 12, 0), (2026, 3, 29, 2, 30)),  # the clock is put forward over it
        ("22:00-07:00", (2026, 10, 25, 12, 0), (2026, 10, 25, 22, 0)),  # and back before it
    ],
)
def test_hours_are_local_and_pass_midnight(hours, now, begin):
    moment = at(*now)
    assert next_begin([Hours.parse(hours)], moment) == (moment if begin is None else at(*begin))


def test_hours_outside_are_the_reason_with_their_end_and_several_add_up():
    wishes = Wishes(hours=("22:00-07:00", "12:00-13:00"))
    (rest,) = due_rests(wishes, Conditions(), at(2026, 11, 22, 8, 0), ())
    assert (rest.reason, rest.until) == ("outside its hours", at(2026, 11, 22, 12, 0))
    assert due_rests(wishes, Conditions(), at(2026, 11, 22, 12, 30), ()) == []
    assert next_begin([], NOW) is None


@pytest.mark.parametrize(
    "wish",
    [
        {"hours": ("25:00-07:00",)}, {"hours": ("22:00",)}, {"hours": ("22:60-23:00",)}, {"hours": ("9:00-10:00",)},
        {"hours": ("10:00-10:00",)}, {"hours": ("some 10:00-11:00",)}, {"hours": ("mon- 10:00-11:00",)},
        {"processors_percent": 0}, {"cpu_share_percent": 101}, {"niceness": 20}, {"idle_s": -1},
        {"finish_within_s": -1}, {"other_load_percent": 0},
    ],
)  # fmt: skip
def test_wish_that_makes_no_sense_is_refused(wish):
    with pytest.raises(SettingsInvalid):
        Wishes(**wish)


@pytest.mark.parametrize("name", PRESETS)
def test_preset_survives_the_settings_file(name, tmp_path):
    wishes = replace(PRESETS[name][1], hours=("mon-fri 18:00-24:00",))
    Settings(("http://127.0.0.1:1",), tmp_path / "key", tmp_path, policy_wishes=wishes).write()
    assert load_settings(tmp_path, {}).policy_wishes == wishes


class Machine:
    """Conditions to be changed."""

    def __init__(self, folder: Path, wishes=ALL):
        self.conditions = FINE
        self.policy = Policy(folder, 1, 4, 16, wishes, look=lambda: self.conditions)


def test_decision_before_the_first_reading_is_to_wait(tmp_path):
    machine = Machine(tmp_path)
    machine.conditions = None
    assert machine.policy.decision(NOW).reason == "looks at the machine first"
    machine.conditions = FINE
    assert machine.policy.decision(NOW).allowed


def test_decision_names_all_reasons_and_an_end_only_if_all_have_one(tmp_path):
    machine = Machine(tmp_path)
    machine.conditions = replace(FINE, idle_s=0)
    assert machine.policy.decision(NOW).until == NOW + 180
    machine.conditions = replace(FINE, idle_s=0, on_battery=True)
    decision = machine.policy.decision(NOW)
    assert not decision.allowed
    assert (decision.reason, decision.until) == ("somebody uses this machine; on battery", None)


def test_contributors_pause_comes_first_and_leaves_no_lease(tmp_path):
    machine = Machine(tmp_path)
    machine.conditions = replace(FINE, on_battery=True)
    control.pause(tmp_path, NOW)
    assert machine.policy.decision(NOW).reason == "paused by its contributor"
    machine.conditions = FINE
    assert machine.policy.leave(NOW + 10**6) is None


def test_lease_is_left_only_when_the_condition_lasts(tmp_path):
    machine = Machine(tmp_path)
    assert machine.policy.leave(NOW) is None
    machine.conditions = replace(FINE, on_battery=True)
    assert machine.policy.leave(NOW + 1) is None
    assert machine.policy.leave(NOW + 61) is None
    assert machine.policy.leave(NOW + 61.5) == "on battery"
    machine.conditions = FINE
    assert machine.policy.leave(NOW + 62) is None


def test_unknown_condition_is_said_once(tmp_path, caplog):
    machine = Machine(tmp_path)
    machine.conditions = replace(FINE, idle_s=None)
    for _ in range(3):
        assert machine.policy.decision(NOW).allowed
    assert [record.message for record in caplog.records] == [
        "it cannot be known here whether somebody uses the machine: the device works all the same"
    ]


def test_processors_are_the_wished_part_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    part = [Policy(tmp_path, 1, 6, 16, Wishes(processors_percent=share)).processors for share in (100, 50, 10)]
    assert part == [6, 4, 1]


@pytest.mark.slow
@pytest.mark.anyio
async def test_agent_gives_the_lease_in_hand_back_when_a_condition_lasts(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("worker.agent.LOOK_S", 0.01)
    bench = Bench(tmp_path)
    machine = Machine(tmp_path, replace(ALL, finish_within_s=0))
    bench.policy = machine.policy

    def turn():
        machine.conditions = replace(FINE, on_battery=True)
        until = time.monotonic() + 10
        while not bench.runner.aborted.is_set() and time.monotonic() < until:
            bench.clock.now += 1
            time.sleep(0.01)
        machine.conditions = FINE
        raise DeviceFailure("aborted")

    bench.runner.script = [turn]
    agent = bench.agent()
    running = asyncio.create_task(agent.run())
    await asyncio.wait_for(bench.market.idle.wait(), 20)
    agent.shut_down()
    await running
    assert bench.runner.aborted.is_set()
    assert "is given back: on battery" in caplog.text
    assert bench.market.accepted_spans == [0, 1, 2]


def test_every_wish_and_preset_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "contributors.md").read_text().partition("## When it works")[2]
    for name in (*(one.name for one in fields(Wishes)), *PRESETS):
        assert f"`{name}`" in text


class SlowSandbox:
    """A task takes as long as the clock is told."""

    def __init__(self):
        self.slices, self.now = [], 0.0

    def run_many(self, inputs, *_limits):
        self.slices.append(len(inputs))
        self.now += 0.1 * len(inputs)
        return [Outcome(0, b"", 1)] * len(inputs)


class Rest:
    """Instead of the event of an abort: rests are told, not taken."""

    def __init__(self, aborted=False):
        self.aborted, self.rests = aborted, []

    def wait(self, seconds):
        self.rests.append(seconds)
        return self.aborted


def test_share_of_a_processor_is_kept_by_resting_between_slices(monkeypatch):
    sandbox, rest = SlowSandbox(), Rest()
    monkeypatch.setattr(runner.time, "perf_counter", lambda: sandbox.now)
    it = SandboxRunner(1, cpu_share_percent=25)
    it._done, it._aborted = [0], rest
    bid = Bid.__new__(Bid)
    object.__setattr__(bid, "task_limit_wu", 1)
    object.__setattr__(bid, "max_output_bytes", 1)
    assert len(it._run_part(0, sandbox, bid, [Task(k, b"") for k in range(40)])) == 40
    assert sandbox.slices[:4] == [1, 2, 4, 4]
    assert sum(rest.rests) == pytest.approx(3 * 0.1 * sum(sandbox.slices[:-1]))
    it._aborted = Rest(aborted=True)
    with pytest.raises(DeviceFailure, match="aborted"):
        it._run_part(0, sandbox, bid, [Task(k, b"") for k in range(40)])
