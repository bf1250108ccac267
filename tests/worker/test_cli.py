import os
import signal
import subprocess
import sys

import pytest

from protocol.signing import address_of
from tests.worker.desk import as_measured
from tests.worker.fake_market import DEVICE
from worker import control
from worker.control import Wish
from worker.facts import Convicted
from worker.journal import Journal

NOBODY = "http://127.0.0.1:9"


def command(tmp_path, *arguments, **environment):
    key = tmp_path / "device.key"
    key.touch(0o600)
    key.write_text(DEVICE.hex())
    as_measured(tmp_path / "state")
    variables = {"WORKER_KEY_FILE": str(key), "WORKER_STATE_DIR": str(tmp_path / "state")}
    variables |= {"WORKER_MIN_PRICE_WEI_PER_GWU": "1"} | environment
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said_before(process, text):
    """Reads the log until the text comes."""
    lines = []
    for line in process.stderr:
        lines.append(line)
        if text in line:
            return
    pytest.fail("".join(lines))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "error"),
    [
        ({}, "no market"),
        ({"WORKER_MARKET_URL": "http://market.example"}, "https"),
        ({"WORKER_MARKET_URL": NOBODY, "WORKER_CPUS": "0"}, "processors"),
        ({"WORKER_MARKET_URL": NOBODY, "WORKER_MIN_PRICE_WEI_PER_GWU": "-1"}, "price"),
        ({"WORKER_MARKET_URL": NOBODY, "WORKER_KEY_FILE": "/nowhere"}, "KeyUnusable"),
    ],
)
def test_run_on_unusable_settings_says_why(tmp_path, environment, error):
    process = command(tmp_path, "worker", "run", **environment)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert error in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("module", ["worker", "deploy.local.liar"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_run_without_a_market_waits_and_stops_on_a_signal(tmp_path, module, signum):
    process = command(tmp_path, module, "run", WORKER_MARKET_URL=f"{NOBODY}, {NOBODY}")
    said_before(process, "ConnectError")
    process.send_signal(signum)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "stopped: asked to" in out


@pytest.mark.slow
def test_second_agent_of_a_device_is_refused(tmp_path):
    journal = Journal(tmp_path / "state" / address_of(DEVICE).lower())
    process = command(tmp_path, "worker", "run", WORKER_MARKET_URL=NOBODY)
    _, said = process.communicate(timeout=30)
    journal.close()
    assert process.returncode == 1
    assert "JournalBusy" in said


@pytest.mark.slow
@pytest.mark.parametrize("by_command", [False, True])
def test_convicted_device_stands_by_until_it_is_stopped(tmp_path, by_command):
    journal = Journal(tmp_path / "state" / address_of(DEVICE).lower())
    journal.append(Convicted())
    journal.close()
    process = command(tmp_path, "worker", "run", WORKER_MARKET_URL=NOBODY)
    said_before(process, "stands by")
    assert process.poll() is None
    if by_command:
        control.ask(tmp_path / "state" / address_of(DEVICE).lower(), Wish.STOP)
    else:
        process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)
    assert "convicted" in out


@pytest.mark.slow
def test_start_is_light():
    code = """import sys, time; import worker.cli; import deploy.local.liar
heavy = {"web3", "eth_account", "pydantic", "sqlalchemy", "wasmtime", "numpy", "market", "chain"} & set(sys.modules)
assert not heavy, heavy
assert time.process_time() < 2, time.process_time()"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
