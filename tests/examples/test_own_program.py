"""examples/own_program/run.py on a small local network with every part real: from C source to the receipt."""

import subprocess
import sys
import time
from dataclasses import replace

import pytest
from rich.console import Console

from chain.accounting import conserved
from deploy.local.mainjob.cast import make_cast
from deploy.local.mainjob.play import Play
from deploy.local.network import LocalNetwork
from deploy.local.profiles import LOCAL
from tests.examples.conftest import EXAMPLES

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

TEXTS = 12


def test_own_program_script_ends_with_verified_results_and_the_receipt(tmp_path):
    cast = make_cast(False)
    small = replace(cast, verifiers=cast.verifiers[:1], devices=cast.devices[:2])
    with LocalNetwork(LOCAL, tmp_path / "var") as network:
        play = Play(network, small, Console(width=120), time.monotonic())
        play.raise_market()
        play.raise_others()
        command = [sys.executable, str(EXAMPLES / "own_program" / "run.py"), "--texts", str(TEXTS)]
        done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{TEXTS - 1} of {TEXTS - 1} outputs equal plain Python's" in done.stdout
        assert done.stdout.count("delivered: task") == TEXTS - 1
        assert "bytes apart" in done.stdout
        assert conserved(play.client)
