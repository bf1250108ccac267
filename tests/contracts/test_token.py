"""MultitudeToken, Faucet and BlockBeacon."""

from __future__ import annotations

import json
from typing import Any

import brownie
import pytest

from tests.contracts.chain import ZERO, advance, height, mine, now, reverts, rpc, selector_of

HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"


@pytest.fixture(scope="module")
def token(accounts: Any) -> Any:
    """MANY, all of it with account 0."""
    return accounts[0].deploy(brownie.MultitudeToken, accounts[0])


@pytest.fixture(scope="module")
def faucet(accounts: Any, token: Any) -> Any:
    """A faucet with two drips in it."""
    contract = accounts[0].deploy(brownie.Faucet, token, 50, 100)
    token.transfer(contract, 100, {"from": accounts[0]})
    return contract


# --- token


def test_token_to_nobody_reverts(accounts: Any) -> None:
    with reverts("ERC20InvalidReceiver"):
        accounts[0].deploy(brownie.MultitudeToken, ZERO)


def test_token_is_many_with_a_fixed_supply(accounts: Any, token: Any) -> None:
    assert (token.name(), token.symbol(), token.decimals()) == ("Multitude", "MANY", 18)
    assert token.totalSupply() == token.balanceOf(accounts[0]) == 10**27
    assert not [item for item in token.abi if "mint" in item.get("name", "").lower()]


def test_burn_shrinks_the_supply(accounts: Any, token: Any) -> None:
    token.burn(7, {"from": accounts[0]})
    assert token.totalSupply() == 10**27 - 7


# --- faucet


def test_drip_within_cooldown_reverts(accounts: Any, faucet: Any) -> None:
    faucet.drip(accounts[5], {"from": accounts[6]})
    with reverts("Faucet_TooSoon"):
        faucet.drip(accounts[5], {"from": accounts[7]})


def test_drip_from_an_empty_faucet_reverts(accounts: Any, faucet: Any) -> None:
    for account in accounts[5:7]:
        faucet.drip(account, {"from": account})
    with reverts("ERC20InsufficientBalance"):
        faucet.drip(accounts[7], {"from": accounts[7]})


def test_drip_after_cooldown_pays_again(accounts: Any, faucet: Any, token: Any) -> None:
    faucet.drip(accounts[5], {"from": accounts[6]})
    advance(100)
    faucet.drip(accounts[5], {"from": accounts[6]})
    assert token.balanceOf(accounts[5]) == 100
    assert faucet.nextAt(accounts[5]) == now() + 100


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [("Faucet", (ZERO, 1, 1), "Faucet_NotForMainnet"), ("BlockBeacon", (2,), "BlockBeacon_NotForMainnet")],
)
def test_deployment_on_mainnet_reverts(accounts: Any, name: str, arguments: tuple[Any, ...], error: str) -> None:
    code = getattr(brownie, name).deploy.encode_input(*arguments)
    rpc("anvil_setChainId", 1)
    try:
        answer = brownie.web3.provider.make_request("eth_call", [{"from": str(accounts[0]), "data": code}, "latest"])
    finally:
        rpc("anvil_setChainId", 31337)
    assert selector_of(error) in json.dumps(answer["error"])


# --- beacon


@pytest.fixture(scope="module")
def beacon(accounts: Any) -> Any:
    """A beacon with a delay of two blocks."""
    return accounts[0].deploy(brownie.BlockBeacon, 2)


def test_beacon_without_delay_reverts(accounts: Any) -> None:
    with reverts("BlockBeacon_NoDelay"):
        accounts[0].deploy(brownie.BlockBeacon, 0)


def test_randomness_before_its_block_is_zero(beacon: Any) -> None:
    for round_ in (height() + 1, height() + 5, 2**64 - 1):
        assert bytes(beacon.randomness(round_)) == bytes(32)


def test_randomness_is_the_hash_of_its_block(beacon: Any) -> None:
    round_ = beacon.nextRound()
    mine(3)
    assert bytes(beacon.randomness(round_)) == bytes(brownie.web3.eth.get_block(round_)["hash"])


def test_randomness_past_256_blocks_comes_from_history(beacon: Any) -> None:
    round_ = beacon.nextRound()
    mine(300)
    assert bytes(beacon.randomness(round_)) == bytes(brownie.web3.eth.get_block(round_)["hash"])


def test_randomness_that_history_does_not_hold_is_zero(beacon: Any) -> None:
    round_ = beacon.nextRound()
    mine(300)
    rpc("anvil_setCode", HISTORY, "0xfe")
    assert bytes(beacon.randomness(round_)) == bytes(32)
    rpc("anvil_setCode", HISTORY, "0x")
    assert bytes(beacon.randomness(round_)) == bytes(32)
