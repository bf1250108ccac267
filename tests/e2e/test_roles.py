"""The README leads each role from nothing to done in at most six commands: they are run as they stand there.

The network that `make run` would keep up is a smaller one here; all its parts are real.
"""

import io
import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from dataclasses import replace

import pytest
from rich.console import Console

from chain.accounting import conserved
from deploy.local.mainjob.cast import make_cast
from deploy.local.mainjob.play import Play
from deploy.local.network import LocalNetwork
from deploy.local.profiles import LOCAL
from deploy.toolchain import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(600)]

README = (ROOT / "README.md").read_text()
COMMANDS_MOST = 6
WAIT_SECONDS = 500
"""Of one command: `verify-deployment` compiles all contracts, beside whatever else the tests run."""
WORK_TASKS = 192
IN_THE_FOREGROUND = "worker run"
BLANKS_AND_YES = 5 * "\n" + "y\n"
"""The proposed answers to what `init` asks, and the yes."""


def commands_of(role):
    block = re.search(rf"^### {role}\n[^#]*?```sh\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    return block[1].strip().splitlines()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder in which the README's relative paths lead to this checkout, and var/ is its own."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (".venv", "examples", "programs", "contracts", "node_modules", "brownie-config.yaml"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope="module")
def play(checkout):
    cast = make_cast(False)
    small = replace(cast, verifiers=cast.verifiers[:2], devices=cast.devices[:2])
    with LocalNetwork(LOCAL, checkout / "var") as network:
        running = Play(network, small, Console(width=120, file=io.StringIO()), time.monotonic())
        running.raise_market()
        running.raise_others()
        yield running


@pytest.fixture(scope="module")
def shell(checkout, tmp_path_factory):
    """Runs a line in the checkout; `export` lines count for the later ones."""
    environment = dict(os.environ) | {"WORKER_STATE_DIR": str(tmp_path_factory.mktemp("state"))}

    def run(line, text=None):
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            environment[name] = value.strip('"')
            return ""
        done = subprocess.run(
            ["bash", "-c", line],
            check=False,
            cwd=checkout,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    run.environment = environment
    return run


def test_run_prints_an_address_where_the_app_is(play):
    said = play.console.file.getvalue()
    (address,) = re.findall(r"the market is ready: (\S+)", said)
    page = urllib.request.urlopen(address, timeout=10)
    assert page.status == 200
    assert "<title>Multitude" in page.read().decode()
    assert json.loads((play.network.run_directory / "network.json").read_text())["web"] == address


@pytest.mark.parametrize("role", ["Buy", "Earn", "Audit"])
def test_readme_role_takes_at_most_six_commands(role):
    lines = commands_of(role)
    assert lines[0].startswith("make run")
    assert len(lines) <= COMMANDS_MOST


def test_readme_buyer_gets_verified_results(play, shell, checkout):
    said = [shell(line) for line in commands_of("Buy")[1:]]
    assert {path.name for path in (checkout / "outputs").iterdir()} >= {"000000", "000001"}
    assert "digits" in said[1] or "WU" in said[1]
    assert "outputs equal plain Python's" in said[-1]
    assert conserved(play.client)


def test_readme_contributor_earns(play, shell, checkout):
    lines = commands_of("Earn")[1:]
    before, after = lines[:-3], lines[-2:]
    assert IN_THE_FOREGROUND in lines[-3]
    for line in before:
        shell(line, BLANKS_AND_YES)
    agent = subprocess.Popen(lines[-3].split(), cwd=checkout, env=shell.environment, stdin=subprocess.DEVNULL)
    try:
        paid = work_until_paid(play, shell, after)
    finally:
        agent.send_signal(signal.SIGINT)
        assert agent.wait(60) == 0
    assert paid["adds_up"]
    assert conserved(play.client)


def work_until_paid(play, shell, lines):
    """Jobs until the new device was paid for one of its leases; what `earnings` says then."""
    for _ in range(4):
        job = play.submit(play.work.inputs[:WORK_TASKS])
        play.wait_until_paid(job)
        for line in lines:
            shell(line)
        earned = json.loads(shell(f"{lines[-1]} --json"))
        if int(earned["totals"]["bonded_wei"]):
            return earned
    raise AssertionError("the new device was paid nothing")


def test_readme_auditor_agrees(play, shell):
    said = [shell(line) for line in commands_of("Audit")[1:]]
    assert len(said) == 3
