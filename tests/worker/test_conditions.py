"""What the machine says of itself: read without raising, in bounded time, and understood."""

import subprocess
import threading
import time

import psutil
import pytest

from worker import conditions
from worker.conditions import Conditions, Load, Sensors, Watch, smoothed


def failing(error):
    def fail(*_):
        raise error

    return fail


def test_sensors_read_only_what_is_wanted_and_never_raise(tmp_path, monkeypatch):
    found = Sensors(tmp_path / "not" / "made", {"free_memory_bytes", "free_disk_bytes"}).read()
    assert found.free_memory_bytes > 0
    assert found.free_disk_bytes > 0
    assert found.idle_s is None
    for name in ("sensors_battery", "sensors_temperatures", "virtual_memory", "cpu_times"):
        monkeypatch.setattr(psutil, name, failing(OSError("gone")), raising=False)
    monkeypatch.setattr(conditions, "_output", failing(subprocess.TimeoutExpired("loginctl", 2)))
    monkeypatch.setattr(conditions, "_existing", failing(PermissionError("no")))
    assert Sensors(tmp_path).read() == Conditions()


def test_sensors_that_the_system_lacks_are_unknown(tmp_path, monkeypatch):
    monkeypatch.delattr(psutil, "sensors_temperatures")
    monkeypatch.setattr(conditions.shutil, "which", lambda _: None)
    found = Sensors(tmp_path, {"temperature_c", "metered"}).read()
    assert (found.temperature_c, found.metered) == (None, None)


@pytest.mark.parametrize(
    ("total", "busy", "own", "expected"),
    [(8, 4, 1, 37.5), (8, 8, 8, 0), (8, 1, 2, 0), (8, 9, 0, 100), (8, 4, -3, 50), (0, 0, 0, None)],
)
def test_load_is_of_other_programs(total, busy, own, expected):
    assert smoothed(None, total, busy, own) == expected


def test_load_is_smoothed():
    load = 0.0
    steps = [load := smoothed(load, 8, 8, 0) for _ in range(10)]
    assert steps[0] == 25
    assert steps == sorted(steps)
    assert 90 < steps[-1] < 100
    assert smoothed(40.0, 0, 0, 0) == 40


def test_own_work_is_no_load_of_others(monkeypatch):
    times = iter([(100.0, 50.0, 10.0), (104.0, 52.0, 11.0), (108.0, 56.0, 15.0)])
    monkeypatch.setattr(conditions, "_processor_times", lambda: next(times))
    load = Load()
    assert [load(), load(), load()] == [None, 25.0, 18.75]


def test_processor_times_count_this_process_and_its_children():
    before = conditions._processor_times()
    subprocess.run(["sh", "-c", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"], check=True)
    total, busy, own = (new - old for new, old in zip(conditions._processor_times(), before, strict=True))
    assert own > 0
    assert 0 < busy <= total


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, None),
        ("", None),
        ("IdleHint=no\nIdleSinceHint=0\n", 0),
        ("IdleHint=yes\nIdleSinceHint=1799999900000000\n", 100),
        ("IdleHint=perhaps\n", None),
    ],
)
def test_word_of_logind_is_understood(answer, expected):
    assert conditions._logind_idle_s(answer, 1_800_000_000.0) == expected


def test_idle_is_since_the_last_use_known_and_unknown_before_a_display(monkeypatch):
    now = time.time()
    monkeypatch.setattr(conditions, "_output", lambda *_: None)
    monkeypatch.setattr(conditions, "_terminal_uses", lambda: [now - 500, now - 50])
    monkeypatch.setattr(conditions, "_displays", lambda: True)
    assert conditions.idle_s() is None
    monkeypatch.setattr(conditions, "_displays", lambda: False)
    assert 50 <= conditions.idle_s() < 60
    monkeypatch.setattr(conditions, "_output", lambda *_: "IdleHint=no\n")
    assert conditions.idle_s() == 0
    monkeypatch.setattr(conditions, "_terminal_uses", list)
    monkeypatch.setattr(conditions, "_output", lambda *_: None)
    assert conditions.idle_s() is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, None),
        ("GENERAL.METERED:unknown\n", None),
        ("GENERAL.METERED:no (guessed)\n\nGENERAL.METERED:unknown\n", False),
        ("GENERAL.METERED:no\n\nGENERAL.METERED:yes (guessed)\n", True),
    ],
)
def test_word_of_network_manager_is_understood(answer, expected):
    assert conditions._metered(answer) is expected


@pytest.mark.parametrize(("battery", "expected"), [(None, False), (True, False), (False, True), ("unknown", None)])
def test_battery_is_understood(battery, expected, monkeypatch):
    plugged = None if battery == "unknown" else battery
    found = None if battery is None else type("Battery", (), {"power_plugged": plugged})
    monkeypatch.setattr(psutil, "sensors_battery", lambda: found, raising=False)
    assert conditions.on_battery() is expected


def test_temperature_is_of_the_hottest_processor(monkeypatch):
    def sensor(value):
        return type("Sensor", (), {"current": value})

    found = {"coretemp": [sensor(50.0), sensor(71.0)], "nvme": [sensor(90.0)]}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: found, raising=False)
    assert conditions.temperature_c() == 71
    found.pop("coretemp")
    assert conditions.temperature_c() is None


def test_command_that_fails_or_is_not_there_says_nothing():
    assert conditions._output("false") is None
    assert conditions._output("no-such-command-here") is None
    assert conditions._output("echo", "word") == "word\n"


def test_watch_gives_the_last_reading_and_none_that_is_old(monkeypatch):
    monkeypatch.setattr(conditions, "SAMPLE_S", 0.001)
    go, now = threading.Event(), [0.0]
    count = iter(range(10**9))

    def read():
        if next(count) > 0:
            go.wait(10)
        return Conditions(idle_s=1.0)

    watch = Watch(read, lambda: now[0])
    assert watch.latest() is None
    go.set()
    until = time.monotonic() + 10
    while watch.latest() is None and time.monotonic() < until:
        time.sleep(0.001)
    assert watch.latest() == Conditions(idle_s=1.0)
    go.clear()  # what it reads hangs
    time.sleep(0.01)
    now[0] += 1_000
    assert watch.latest() == Conditions()
    go.set()
