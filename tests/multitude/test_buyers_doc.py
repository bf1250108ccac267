"""docs/buyers.md: its Python runs, its commands exist, and a newcomer needs at most six of them."""

import json
import re

import pytest
from typer.testing import CliRunner

from multitude.cli import app
from multitude.network import CHECKOUT
from tests.multitude.conftest import KEY
from tests.multitude.fake_market import CHAIN_ID, CONTRACTS, DEVICE, SECRET
from tests.multitude.test_signin import BODY, NOW, delivery

pytestmark = pytest.mark.slow

TEXT = (CHECKOUT / "docs" / "buyers.md").read_text()
BLOCKS = re.findall(r"(<!-- needs .* -->\n)?```python\n(.*?)```", TEXT, re.DOTALL)


def test_doc_python_runs_from_top_to_bottom(market, tmp_path, monkeypatch, capsys):
    """Against the fake market; without its node, so that nothing is verified. What needs more is only compiled."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var" / "run").mkdir(parents=True)
    accounts = [{"role": "buyer", "address": DEVICE, "key": "0x" + KEY.hex()}]
    value = {"api": market.url, "rpc": None, "chain_id": CHAIN_ID, "addresses": CONTRACTS, "accounts": accounts}
    (tmp_path / "var" / "run" / "network.json").write_text(json.dumps(value))
    names = {}
    for needs, block in BLOCKS:
        code = compile(block, "docs/buyers.md", "exec")
        if not needs:
            exec(code, names)
    assert "accepted" not in capsys.readouterr().err
    assert names["handle"]({}, BODY, SECRET) == 400
    monkeypatch.setattr("time.time", lambda: NOW)
    assert names["handle"](delivery(), BODY, SECRET) == 204
    names["client"].close()


def test_doc_newcomer_needs_at_most_six_commands_and_they_exist():
    first = TEXT.split("## Python")[0]
    shell = [line for block in re.findall(r"```\n(.*?)```", first, re.DOTALL) for line in block.splitlines()]
    assert 1 < len(shell) <= 6
    for name in re.findall(r"multitude job (\w+)", "\n".join(shell)):
        assert CliRunner().invoke(app, ["job", name, "--help"]).exit_code == 0
    documented = re.findall(r"^\| `job (\w+)", first, re.MULTILINE)
    assert sorted(documented) == ["cancel", "list", "quote", "receipt", "results", "submit", "watch"]
