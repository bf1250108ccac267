"""`market settle` and `market tick` are two processes that reach for the broker of the settings."""

import os
import subprocess
import sys

import pytest

from deploy.local.ports import free_port

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("command", "says"), [("settle", "Cannot connect to redis"), ("tick", "beat: Connection error")]
)
def test_command_without_a_broker_says_so_and_tries_again(tmp_path, command, says):
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text("0x" + "11" * 32)
    settings = {
        "MARKET_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "MARKET_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "MARKET_BLOBS_URL": f"file://{tmp_path}",
        "MARKET_SETTLER_KEY_FILE": str(key),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "market", command],
        cwd=tmp_path,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert any(says in line for line in process.stdout)
    finally:
        process.kill()
        process.wait(10)
