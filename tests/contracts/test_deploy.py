"""The deployment: parameters, computed addresses, every reference, contract sizes, and the ABIs that are committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import brownie
import pytest

from deploy.contracts.deploy import ORDER, REFERENCES, WiringError, check_references, deploy_market
from deploy.contracts.export_abi import abi_text
from deploy.contracts.parameters import Parameters, ParametersInvalidError
from deploy.local.profiles import PROFILES, UnknownProfileError, profile_named

ABI_FOLDER = Path(__file__).resolve().parents[2] / "chain" / "abi"
MAX_CODE_BYTES = 24_576


@pytest.fixture
def market(isolate: Any, accounts: Any) -> Any:
    """The whole market, with the local profile's parameters."""
    return deploy_market(accounts[0], Parameters.from_environment({}))


# --- parameters


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"nonsense": 1}', '{"commit_s": 0}', '{"commit_s": -5}', '{"commit_s": 1.5}']
)
def test_parameters_that_are_malformed_are_refused(text: str) -> None:
    with pytest.raises(ParametersInvalidError):
        Parameters.from_environment({"MULTITUDE_PARAMETERS": text})


def test_unknown_profile_is_refused() -> None:
    with pytest.raises(UnknownProfileError):
        Parameters.from_environment({"MULTITUDE_PROFILE": "mainnet"})


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_profile_unbonds_later_than_the_last_conviction(name: str) -> None:
    given = Parameters.of_profile(profile_named(name))
    assert given.unbonding_s > given.conviction_path_s + given.seat_period_s


def test_amounts_follow_from_the_expected_price() -> None:
    given = Parameters.from_environment({"MULTITUDE_PARAMETERS": '{"expected_price_wei": "7"}'})
    amounts = given.amounts()
    assert (amounts["minimum_stake_wei"], amounts["seat_stake_wei"]) == ("70", "7000")
    assert (amounts["settler_bond_wei"], amounts["epoch_bond_wei"]) == ("70000", "7000")


# --- wiring


def test_deployment_whose_parameters_contradict_reverts(accounts: Any) -> None:
    given = Parameters.from_environment({"MULTITUDE_PARAMETERS": '{"unbonding_s": 100}'})
    with pytest.raises(brownie.exceptions.VirtualMachineError):
        deploy_market(accounts[0], given)


def test_wrong_reference_is_found(market: Any, accounts: Any) -> None:
    other = accounts[0].deploy(brownie.BlockBeacon, 2)
    with pytest.raises(WiringError, match="beacon"):
        check_references({**market.contracts, "BlockBeacon": other})


def test_every_reference_leads_to_its_contract(market: Any) -> None:
    check_references(market.contracts)
    checked = {
        getter
        for contract in market.contracts.values()
        for getter in REFERENCES
        if any(item.get("name") == getter for item in contract.abi)
    }
    assert checked == set(REFERENCES)


def test_deployment_is_what_off_chain_readers_expect(market: Any) -> None:
    document = json.loads(json.dumps(market.to_json()))
    assert set(document) == {"chain_id", "deploy_block", "contracts", "clocks", "parameters"}
    assert set(document["contracts"]) == set(ORDER)
    assert document["deploy_block"] == market.token.tx.block_number
    assert document["clocks"]["unbonding"] == market.vault.unbonding_s()
    assert int(document["parameters"]["seat_stake_wei"]) == market.seats.seatStake()
    assert int(document["parameters"]["epoch_bond_wei"]) == market.seats.epochBond()
    assert int(document["parameters"]["minimum_stake_wei"]) == market.vault.minimumStake()


def test_faucet_holds_a_tenth_and_nobody_else_but_the_deployer_anything(market: Any, accounts: Any) -> None:
    supply = market.token.totalSupply()
    assert market.token.balanceOf(market.contracts["Faucet"]) == supply // 10
    assert market.token.balanceOf(accounts[0]) == supply - supply // 10


@pytest.mark.parametrize("name", ORDER)
def test_contract_fits_into_the_size_limit(market: Any, name: str) -> None:
    code = brownie.web3.eth.get_code(market.contracts[name].address)
    assert 0 < len(code) <= MAX_CODE_BYTES


def test_nothing_has_an_owner_or_a_setter(market: Any) -> None:
    forbidden = ("set", "owner", "pause", "upgrade", "initialize", "transferownership", "grantrole")
    own = {"ownerOf"}
    for name, contract in market.contracts.items():
        for item in contract.abi:
            if item["type"] != "function" or item["name"] in own or item["name"].startswith("settle"):
                continue
            assert not item["name"].lower().startswith(forbidden), f"{name}.{item['name']}"


# --- ABIs


@pytest.mark.parametrize("name", ORDER)
def test_committed_abi_equals_the_compiled_one(name: str) -> None:
    assert (ABI_FOLDER / f"{name}.json").read_text(encoding="utf-8") == abi_text(name), "run: brownie run export_abi"


def test_no_other_abi_is_committed() -> None:
    assert {path.stem for path in ABI_FOLDER.glob("*.json")} == set(ORDER)
