"""docs/testnet.md: the commands deploy and stake on a chain with base fees, the configuration loads."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from eth_account import Account

from chain.client import ChainClient
from chain.deployment import Deployment
from deploy.contracts.__main__ import main as deploy
from deploy.contracts.parameters import Parameters
from deploy.local.anvil import start_anvil
from deploy.local.mainjob.cast import make_cast
from deploy.local.mainjob.services import Services
from deploy.local.network import LocalNetwork
from deploy.local.profiles import GWEI, LOCAL, PUBLIC, TESTNET
from deploy.toolchain import ROOT
from market.settings import Settings as MarketSettings
from multitude.audit.deployment import verify_deployment
from multitude.audit.findings import Outcome
from verifier.settings import Settings as VerifierSettings

PAGE = (ROOT / "docs" / "testnet.md").read_text()
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def documented(name):
    """The variables of a block of the page."""
    (block,) = re.findall(rf"```ini\n# {name}\n(.*?)```", PAGE, re.DOTALL)
    return dict(line.split("=", 1) for line in block.split())


def command(start):
    """The words of the command of the page that starts so."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith(start)]
    return line.split()[1:]


# --- without a chain


def test_deploy_key_that_others_can_read_is_refused(tmp_path, capsys):
    key = tmp_path / "deployer.key"
    key.write_text("11" * 32)
    key.chmod(0o644)
    assert deploy(["--rpc", "http://127.0.0.1:1", "--key-file", str(key)]) == 2
    assert "chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--profile", "mainnet"], ["--parameters", '{"commit_s": 0}']])
def test_deploy_wrong_options_are_refused(tmp_path, wrong):
    assert deploy(["--rpc", "http://127.0.0.1:1", "--key-file", str(tmp_path / "none"), *wrong]) == 2


def test_public_grace_is_three_epoch_intervals_and_the_seed_comes_in_time():
    given = Parameters.of_profile(PUBLIC)
    assert given.posting_grace_s >= 3 * PUBLIC.epoch_interval_s
    assert PUBLIC.beacon_delay_blocks > PUBLIC.confirmations_blocks
    assert PUBLIC.beacon_delay_blocks * PUBLIC.block_time_s < given.seed_timeout_s / 2
    assert given.unbonding_s > given.conviction_path_s + given.seat_period_s
    assert PUBLIC.post_by_after_expiry_s > given.posting_grace_s + PUBLIC.epoch_interval_s


def test_market_configuration_loads(monkeypatch):
    for name, value in documented("market.env").items():
        monkeypatch.setenv(name, value)
    settings = MarketSettings()
    assert settings.environment == "production"
    assert settings.confirmations == PUBLIC.confirmations_blocks
    assert settings.matching_tick_seconds == PUBLIC.matching_tick_s
    assert settings.fee_ceiling_wei_per_gas == 200 * GWEI
    assert len(settings.rpc_url.split(",")) == 2
    assert set(documented("market.env")) - {"MULTITUDE_DEPLOYMENT"} <= {
        f"MARKET_{name.upper()}" for name in MarketSettings.model_fields
    }


def test_verifier_configuration_loads(monkeypatch):
    for name, value in documented("verifier.env").items():
        monkeypatch.setenv(name, value)
    settings = VerifierSettings()
    assert settings.deployment == Path("deployment.json")
    assert settings.confirmations == PUBLIC.confirmations_blocks
    assert set(documented("verifier.env")) - {"MULTITUDE_DEPLOYMENT"} <= {
        f"VERIFIER_{name.upper()}" for name in VerifierSettings.model_fields
    }


def test_local_market_is_started_by_the_commands_of_the_page(tmp_path, monkeypatch):
    network = LocalNetwork(LOCAL, tmp_path)
    network.valkey = SimpleNamespace(url=lambda number: f"redis://broker/{number}")
    network.chain = SimpleNamespace(rpc_url="http://rpc")
    for folder in ("keys", "run"):
        (tmp_path / folder).mkdir()
    started = []
    monkeypatch.setattr(network, "start_python", lambda *given, **_: started.append(given[1][:3]))
    Services(network, make_cast(False), tmp_path / "deployment.json").start_market("postgresql://")
    page = re.findall(r"^\.venv/bin/multitude market (\w+)", PAGE, re.MULTILINE)
    assert [["-m", "market", name] for name in page if name != "migrate"] == started


# --- on a chain


@pytest.fixture(scope="module")
def public_chain(supervisor, tmp_path_factory):
    """A chain with base fees and another id, and the accounts of the page with coin."""
    folder = tmp_path_factory.mktemp("public")
    chain = start_anvil(supervisor, folder / "chain", chain_id=TESTNET.chain_id, base_fee_wei=GWEI, name="public-anvil")
    for number, role in enumerate(("deployer", "settler", "verifier"), 1):
        path = folder / f"{role}.key"
        path.touch(mode=0o600)
        path.write_text(f"{number:064x}\n")
        chain.rpc("anvil_setBalance", Account.from_key(f"0x{number:064x}").address, hex(10**17))
    return chain, folder


@pytest.fixture(scope="module")
def deployed(public_chain):
    """After the page's deployment command."""
    chain, folder = public_chain
    words = [
        chain.rpc_url if word == "$RPC" else word for word in command(".venv/bin/python -m deploy.contracts --rpc")
    ]
    subprocess.run([sys.executable, *words], cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    return ChainClient(chain.rpc_url, Deployment.load(folder / "deployment.json"))


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_deployment_with_public_clocks_is_what_it_says(deployed):
    findings = {finding.topic: finding.outcome for finding in verify_deployment(deployed, None)}
    assert {topic for topic, outcome in findings.items() if outcome is not Outcome.AGREES} == {"code"}
    assert len(findings) > len(deployed.deployment.contracts)
    clocks = deployed.deployment.clocks
    assert deployed.call("JobEscrow", "postingGrace_s") == clocks["posting_grace"] == 1_800
    assert clocks["epoch_interval"] == 600
    assert (clocks["commit"], clocks["reveal"], clocks["window"]) == (900, 600, 86_400)


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_settler_and_verifier_stake_what_their_role_needs(deployed, public_chain):
    chain, folder = public_chain
    for role in ("settler", "verifier"):
        words = command(f".venv/bin/python -m deploy.contracts.stand {role}")
        words = [chain.rpc_url if word == "$RPC" else word for word in words]
        subprocess.run([sys.executable, *words], cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    settler, verifier = (Account.from_key(f"0x{number:064x}").address for number in (2, 3))
    assert deployed.call("Seats", "settlerOf", settler)["feePpm"] == 10_000
    staked = int(deployed.deployment.parameters["seat_stake_wei"]) * 3
    held = int(deployed.deployment.parameters["faucet_wei"]) - staked
    assert deployed.call("MultitudeToken", "balanceOf", verifier) == held
