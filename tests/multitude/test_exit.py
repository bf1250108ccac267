"""A program ends, also one that never closed its client."""

import subprocess
import sys

import pytest

SCRIPT = """
from multitude.buyer.blocking import MarketApi
from multitude.errors import ApiUnreachable

api = MarketApi("http://127.0.0.1:9")
try:
    api.network()
except ApiUnreachable:
    print("asked")
"""


@pytest.mark.slow
def test_script_that_leaves_its_client_open_ends():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "asked\n", "")
