"""doctor, and the unit that systemd is given."""

import configparser
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from execution import DeviceFailure
from protocol.signing import address_of
from tests.worker.desk import Desk
from tests.worker.fake_market import DEVICE
from worker import agreed, conditions, control, doctor, escape, keystore, unit
from worker.cli import app
from worker.doctor import Grade, escape_finding, skew_finding
from worker.errors import SettingsInvalid
from worker.exits import Exit
from worker.facts import Convicted
from worker.journal import Journal
from worker.settings import Settings
from worker.wishes import Wishes


@pytest.fixture
def desk():
    served = Desk()
    yield served
    served.close()


@pytest.fixture
def settings(tmp_path, desk, monkeypatch):
    """A device that is set up; the sandbox has its own test, and answers here at once."""
    monkeypatch.setattr(keystore, "_from_keyring", lambda _: None)
    monkeypatch.setattr(doctor, "_sandbox", lambda: iter(()))
    (tmp_path / "device.key").touch(0o600)
    (tmp_path / "device.key").write_text(DEVICE.hex())
    made = Settings((desk.url,), tmp_path / "device.key", tmp_path, 5, memory_pages=16)
    made.write()
    agreed.keep(tmp_path, agreed.ask([desk.url]))
    return made


def findings(settings, topic):
    return [one for one in doctor.examine(settings) if one.topic == topic]


def grade(settings, topic):
    return max((one.grade for one in findings(settings, topic)), key=list(Grade).index)


def test_doctor_on_nothing_fails_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_sandbox", lambda: iter(()))
    done = CliRunner().invoke(app, ["doctor", "--json", "--state-dir", str(tmp_path / "nothing")])
    value = json.loads(done.stdout)
    assert (done.exit_code, value["sound"]) == (Exit.FAILED, False)
    bad = {one["topic"]: one["todo"] for one in value["findings"] if one["grade"] == "fail"}
    assert "init" in bad["settings"]
    assert "init" in bad["key"]
    assert not (tmp_path / "nothing").exists()


def test_doctor_on_a_device_that_is_set_up_finds_it_sound(settings):
    done = CliRunner().invoke(app, ["doctor", "--state-dir", str(settings.state_dir)])
    assert done.exit_code == Exit.OK, done.output
    assert all(line.startswith(("ok", "warn")) for line in done.stdout.splitlines())
    assert grade(settings, "market") is grade(settings, "network") is Grade.OK


def test_doctor_without_a_price_says_how_to_get_one(settings):
    unpriced = replace(settings, min_price_wei_per_gwu=None)
    assert grade(unpriced, "memory") in (Grade.OK, Grade.WARN)
    (finding,) = findings(unpriced, "settings")
    assert (finding.grade, "no price" in finding.text) == (Grade.FAIL, True)


@pytest.mark.parametrize(("works", "expected"), [(True, Grade.WARN), (False, Grade.FAIL)])
def test_wish_that_the_machine_does_not_tell_is_found(settings, monkeypatch, works, expected):
    monkeypatch.setattr(conditions, "metered", lambda: None)
    wishes = Wishes(on_metered=False, min_free_disk_mib=1, other_load_percent=99, work_when_unknown=works)
    (finding,) = findings(replace(settings, policy_wishes=wishes), "policy")
    assert (finding.grade, finding.text) == (expected, "it cannot be known here whether its network is metered")


def test_wishes_that_the_machine_tells_or_none_are_sound(settings, monkeypatch):
    assert findings(settings, "policy") == []
    monkeypatch.setattr(conditions, "metered", lambda: True)
    assert grade(replace(settings, policy_wishes=Wishes(on_metered=False)), "policy") is Grade.OK


@pytest.mark.parametrize(
    ("mode", "content", "expected"),
    [(0o644, None, Grade.FAIL), (0o600, "", Grade.FAIL), (0o600, "{}", Grade.FAIL), (0o600, None, Grade.WARN)],
)
def test_key_that_is_open_damaged_or_bare_is_found(settings, mode, content, expected):
    if content is not None:
        settings.key_file.write_text(content)
    settings.key_file.chmod(mode)
    assert grade(settings, "key") is expected


def test_key_that_is_gone_is_found(settings):
    settings.key_file.unlink()
    assert grade(settings, "key") is Grade.FAIL


def test_journal_that_is_damaged_or_of_a_convicted_device_is_found(settings):
    folder = control.device_folder(settings.state_dir, address_of(DEVICE))
    journal = Journal(folder)
    assert grade(settings, "journal") is Grade.OK
    assert "an agent runs" in findings(settings, "journal")[0].text
    journal.append(Convicted())
    assert grade(settings, "journal") is Grade.FAIL
    journal.close()
    (folder / "journal.jsonl").write_bytes(b'{"fact": "settled"}\n{"half')
    assert "line 1" in findings(settings, "journal")[0].text


def test_market_with_another_clock_other_contracts_or_none_is_found(settings, desk):
    desk.skew_s = -120
    assert grade(settings, "clock") is Grade.FAIL
    desk.skew_s = 0
    desk.network["settler"] = "0x" + "44" * 20
    assert "settler" in findings(settings, "network")[0].text
    assert grade(settings, "network") is Grade.FAIL
    desk.network = {}
    assert grade(settings, "market") is Grade.FAIL
    desk.close()
    assert grade(settings, "market") is Grade.FAIL
    assert grade(Settings(**{**vars(settings), "markets": ("http://market.example",)}), "market") is Grade.FAIL


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, Grade.OK), (-9, Grade.OK), (11, Grade.WARN), (60, Grade.FAIL), (-3_600, Grade.FAIL)]
)
def test_clocks_apart_are_graded(seconds, expected):
    assert skew_finding("market", 1_000, 1_000 + seconds).grade is expected


def test_chain_that_is_none_or_missing_is_found(settings):
    assert grade(settings, "chain") is Grade.WARN
    assert grade(Settings(**{**vars(settings), "rpc_url": "http://127.0.0.1:9"}), "chain") is Grade.FAIL


def test_disk_and_memory_that_are_short_are_found(settings, monkeypatch):
    assert grade(Settings(**{**vars(settings), "memory_pages": 65_536, "cpus": 1_000}), "memory") is Grade.WARN
    for free, expected in ((1 << 20, Grade.FAIL), (1 << 28, Grade.WARN), (1 << 40, Grade.OK)):
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _, free=free: shutil._ntuple_diskusage(free, 0, free))
        assert grade(settings, "disk") is expected


# --- the sandbox


@pytest.mark.parametrize(("escaped", "expected"), [(None, Grade.WARN), (["read a file"], Grade.FAIL), ([], Grade.OK)])
def test_escapes_are_graded(escaped, expected):
    assert escape_finding(escaped).grade is expected


@pytest.mark.slow
def test_every_attempt_to_leave_works_unconfined_and_none_confined(tmp_path):
    free = "import worker.escape as e; e.confine = lambda _: None; e.MEMORY_BYTES = 0\n"
    free += (
        "e._take_all_memory = lambda: None; e.ATTEMPTS = tuple(a for a in e.ATTEMPTS if 'memory' not in a.__name__)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", free + "e.main()"],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    names = {attempt.__name__.strip("_").replace("_", " ") for attempt in escape.ATTEMPTS} - {"take all memory"}
    assert set(done.stdout.splitlines()) == names, done
    assert doctor._escaped() == []


@pytest.mark.slow
def test_sandbox_that_runs_is_ok_and_one_that_does_not_fails(monkeypatch):
    assert {one.grade for one in doctor._sandbox()} == {Grade.OK}

    def broken(*_):
        raise DeviceFailure("past the wall limit")

    monkeypatch.setattr(doctor, "Sandbox", broken)
    assert [one.grade for one in doctor._sandbox()] == [Grade.FAIL]


# --- the unit


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with no systemd that would listen."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(unit, "_systemctl", lambda *_: None)
    return tmp_path / "config"


def service(settings, *arguments, status=Exit.OK):
    done = CliRunner().invoke(app, ["service", *arguments])
    assert done.exit_code == status, done.output
    return done.stdout


def test_unit_is_written_only_after_a_yes_and_removed_again(settings, home):
    folder = ("--state-dir", str(settings.state_dir))
    service(settings, "install", *folder, status=Exit.DECLINED)
    assert not home.exists()
    service(settings, "install", "--yes", *folder)
    assert unit.unit_path().read_text() == service(settings, "print", *folder)
    service(settings, "uninstall", status=Exit.DECLINED)
    assert unit.unit_path().exists()
    service(settings, "uninstall", "--yes")
    assert not unit.unit_path().exists()
    assert "no unit" in service(settings, "uninstall", "--yes")


def test_unit_of_no_settings_is_not_installed(tmp_path, home):
    service(None, "install", "--yes", "--state-dir", str(tmp_path / "nothing"), status=Exit.FAILED)
    assert not home.exists()


def test_unit_says_what_hardens_it_and_nothing_that_breaks_the_sandbox(settings):
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string(unit.unit_text(settings))
    section = parser["Service"]
    hardened = {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "read-only",
        "OOMPolicy": "continue",
    }
    assert {name: section[name] for name in hardened} == hardened
    assert section["ReadWritePaths"] == f'"{settings.state_dir}"'
    assert int(section["MemoryMax"]) > settings.cpus * settings.policy().memory_pages * 65_536
    breaking = {"MemoryDenyWriteExecute", "LimitAS", "LimitDATA", "LimitNPROC", "PrivateNetwork", "SystemCallFilter"}
    assert not breaking & set(section)
    assert sys.executable in section["ExecStart"]


def test_paths_with_signs_of_their_own_are_quoted_or_refused(settings, tmp_path, monkeypatch):
    odd = tmp_path / 'a "b" %h $HOME'
    monkeypatch.setenv(keystore.PASSPHRASE_FILE_VARIABLE, str(odd / "pass"))
    text = unit.unit_text(Settings(**{**vars(settings), "state_dir": odd}))
    assert '\\"b\\" %%h $$HOME"' in text
    assert f'Environment="WORKER_PASSPHRASE_FILE={tmp_path}/a \\"b\\" %%h $HOME/pass"' in text
    with pytest.raises(SettingsInvalid):
        unit.unit_text(Settings(**{**vars(settings), "state_dir": tmp_path / "a\nb"}))


@pytest.mark.slow
def test_unit_is_one_that_systemd_understands(settings, tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:  # the parse above is all there is without systemd
        return
    path = tmp_path / unit.NAME
    path.write_text(unit.unit_text(settings))
    runtime = tmp_path / "runtime"
    runtime.mkdir(0o700)
    done = subprocess.run(
        [analyze, "verify", "--user", str(path)], check=False, env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
