"""StakeVault: binding, stake for each device alone, unbonding, history by block, convictions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import brownie
import pytest

from protocol.messages import Binding, Domain
from tests.contracts.chain import ZERO, Signer, advance, height, mine, one_block, reverts, set_next_time
from tests.contracts.conftest import CONVICTION_PATH_S, UNBONDING_S, P

DEVICE = Signer("device")
OTHER = Signer("another device")
OWNER = Signer("owner")
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def bind(desk: SimpleNamespace, device: Signer, owner: Any, owner_key: bytes, sender: Any) -> Any:
    """Binds a device with both signatures."""
    message = Binding(device.address, str(owner))
    signatures = (message.sign(desk.domain, device.key), message.sign(desk.domain, owner_key))
    return desk.vault.bind(device.address, str(owner), *signatures, {"from": sender})


@pytest.fixture(scope="module")
def owner(accounts: Any) -> Any:
    """OWNER as an account of the node, with coin."""
    account = accounts.add(OWNER.key.hex())
    accounts[0].transfer(account, 10**18)
    return account


@pytest.fixture
def vault(desk: SimpleNamespace, accounts: Any, owner: Any) -> Any:
    """The vault with DEVICE bound to OWNER and staked with 300 P by account 4."""
    bind(desk, DEVICE, owner, OWNER.key, accounts[4])
    desk.vault.stake(DEVICE.address, 300 * P, {"from": accounts[4]})
    return desk.vault


def field(vault: Any, name: str, device: Signer = DEVICE) -> Any:
    """One field of a device's record."""
    return vault.deviceOf(device.address).dict()[name]


# --- deployment


def test_deployment_with_unbonding_not_past_the_conviction_path_reverts(desk: SimpleNamespace, accounts: Any) -> None:
    terms = (10 * P, CONVICTION_PATH_S, CONVICTION_PATH_S)
    with reverts("StakeVault_UnbondingTooShort", CONVICTION_PATH_S, CONVICTION_PATH_S):
        accounts[0].deploy(brownie.StakeVault, desk.token, desk.escrow, accounts[1], accounts[3], terms)


# --- bind


def test_bind_without_the_owners_signature_reverts(desk: SimpleNamespace, accounts: Any) -> None:
    message = Binding(DEVICE.address, OWNER.address)
    signature = message.sign(desk.domain, DEVICE.key)
    with reverts("StakeVault_BadSignature", OWNER.address):
        desk.vault.bind(DEVICE.address, OWNER.address, signature, signature, {"from": accounts[4]})


def test_bind_without_the_devices_signature_reverts(desk: SimpleNamespace, accounts: Any) -> None:
    message = Binding(DEVICE.address, OWNER.address)
    signature = message.sign(desk.domain, OWNER.key)
    with reverts("StakeVault_BadSignature", DEVICE.address):
        desk.vault.bind(DEVICE.address, OWNER.address, signature, signature, {"from": accounts[4]})


def test_bind_with_signatures_for_another_owner_reverts(desk: SimpleNamespace, accounts: Any) -> None:
    message = Binding(DEVICE.address, OWNER.address)
    signatures = (message.sign(desk.domain, DEVICE.key), message.sign(desk.domain, OWNER.key))
    with reverts("StakeVault_BadSignature", DEVICE.address):
        desk.vault.bind(DEVICE.address, accounts[4], *signatures, {"from": accounts[4]})


@pytest.mark.parametrize("elsewhere", ["chain", "contract"])
def test_bind_with_signatures_of_another_domain_reverts(desk: SimpleNamespace, accounts: Any, elsewhere: str) -> None:
    address = desk.escrow.address if elsewhere == "chain" else desk.vault.address
    domain = Domain(desk.domain.chain_id + (elsewhere == "chain"), address)
    message = Binding(DEVICE.address, OWNER.address)
    signatures = (message.sign(domain, DEVICE.key), message.sign(domain, OWNER.key))
    with reverts("StakeVault_BadSignature", DEVICE.address):
        desk.vault.bind(DEVICE.address, OWNER.address, *signatures, {"from": accounts[4]})


@pytest.mark.parametrize("party", [0, 1])
def test_bind_with_malleable_signature_reverts(desk: SimpleNamespace, accounts: Any, party: int) -> None:
    message = Binding(DEVICE.address, OWNER.address)
    signatures = [message.sign(desk.domain, DEVICE.key), message.sign(desk.domain, OWNER.key)]
    good = signatures[party]
    high = ORDER - int.from_bytes(good[32:64], "big")
    signatures[party] = good[:32] + high.to_bytes(32, "big") + bytes([55 - good[64]])
    with reverts("StakeVault_BadSignature"):
        desk.vault.bind(DEVICE.address, OWNER.address, *signatures, {"from": accounts[4]})


def test_bind_of_nobody_reverts(desk: SimpleNamespace, accounts: Any) -> None:
    garbage = b"\x01" * 64 + b"\x1b"
    with reverts("StakeVault_BadSignature"):
        desk.vault.bind(ZERO, ZERO, garbage, garbage, {"from": accounts[4]})


def test_bind_again_reverts_for_the_same_and_for_another_owner(
    vault: Any, desk: SimpleNamespace, accounts: Any
) -> None:
    thief = Signer("thief")
    for next_owner in (OWNER, thief):
        with reverts("StakeVault_AlreadyBound", DEVICE.address, OWNER.address):
            bind(desk, DEVICE, next_owner, next_owner.key, accounts[4])
    assert field(vault, "owner") == OWNER.address


def test_bind_by_both_signatures_binds(desk: SimpleNamespace, accounts: Any) -> None:
    tx = bind(desk, DEVICE, OWNER, OWNER.key, accounts[7])
    assert tx.events["Bound"].values() == [DEVICE.address, OWNER.address]
    assert field(desk.vault, "owner") == OWNER.address


def test_bind_to_a_contract_that_agrees_binds(desk: SimpleNamespace, accounts: Any) -> None:
    wallet = accounts[4].deploy(brownie.ContractBuyer)
    message = Binding(DEVICE.address, wallet.address)
    signature = message.sign(desk.domain, DEVICE.key)
    with reverts("StakeVault_BadSignature", wallet.address):
        desk.vault.bind(DEVICE.address, wallet, signature, b"", {"from": accounts[4]})
    wallet.approve(message.digest(desk.domain), {"from": accounts[4]})
    desk.vault.bind(DEVICE.address, wallet, signature, b"", {"from": accounts[4]})
    assert field(desk.vault, "owner") == wallet.address


# --- stake


def test_stake_of_an_unbound_device_reverts(desk: SimpleNamespace, accounts: Any) -> None:
    with reverts("StakeVault_NotBound", DEVICE.address):
        desk.vault.stake(DEVICE.address, P, {"from": accounts[4]})


def test_stake_without_allowance_reverts(vault: Any, accounts: Any) -> None:
    with reverts("ERC20InsufficientAllowance"):
        vault.stake(DEVICE.address, P, {"from": accounts[0]})


def test_stake_backs_one_device_only(vault: Any, desk: SimpleNamespace, accounts: Any, owner: Any) -> None:
    bind(desk, OTHER, owner, OWNER.key, accounts[4])
    assert field(vault, "stake") == 300 * P
    assert field(vault, "stake", OTHER) == 0
    vault.convict(OTHER.address, [], [], {"from": desk.panel})
    assert field(vault, "stake") == 300 * P
    with reverts("StakeVault_Convicted", OTHER.address):
        vault.stake(OTHER.address, P, {"from": accounts[4]})


# --- unbonding


def test_request_unstake_by_another_reverts(vault: Any, accounts: Any) -> None:
    with reverts("StakeVault_NotOwner", accounts[4], OWNER.address):
        vault.requestUnstake(DEVICE.address, P, {"from": accounts[4]})


def test_request_unstake_above_the_stake_reverts(vault: Any, owner: Any) -> None:
    with reverts("StakeVault_StakeTooLow", 300 * P, 300 * P + 1):
        vault.requestUnstake(DEVICE.address, 300 * P + 1, {"from": owner})


def test_withdraw_stake_before_its_time_reverts(vault: Any, owner: Any) -> None:
    vault.requestUnstake(DEVICE.address, 100 * P, {"from": owner})
    set_next_time(field(vault, "unbondsAt") - 1)
    with reverts("StakeVault_TooSoon"):
        vault.withdrawStake(DEVICE.address, {"from": owner})


def test_withdraw_stake_with_nothing_unbonding_reverts(vault: Any, owner: Any) -> None:
    with reverts("StakeVault_NothingUnbonding", DEVICE.address):
        vault.withdrawStake(DEVICE.address, {"from": owner})


def test_withdraw_stake_with_an_open_game_reverts(vault: Any, desk: SimpleNamespace, owner: Any) -> None:
    vault.requestUnstake(DEVICE.address, 100 * P, {"from": owner})
    vault.gameOpened(DEVICE.address, {"from": desk.panel})
    advance(UNBONDING_S + 1)
    with reverts("StakeVault_GameOpen", DEVICE.address, 1):
        vault.withdrawStake(DEVICE.address, {"from": owner})
    vault.gameClosed(DEVICE.address, {"from": desk.panel})
    vault.withdrawStake(DEVICE.address, {"from": owner})


def test_withdraw_stake_while_convicted_reverts(vault: Any, desk: SimpleNamespace, owner: Any) -> None:
    vault.requestUnstake(DEVICE.address, 100 * P, {"from": owner})
    vault.convict(DEVICE.address, [], [], {"from": desk.panel})
    advance(UNBONDING_S + 1)
    with reverts("StakeVault_Convicted", DEVICE.address):
        vault.withdrawStake(DEVICE.address, {"from": owner})


def test_second_request_restarts_the_clock_for_the_whole(vault: Any, owner: Any) -> None:
    vault.requestUnstake(DEVICE.address, 100 * P, {"from": owner})
    advance(UNBONDING_S - 10)
    vault.requestUnstake(DEVICE.address, 1, {"from": owner})
    advance(20)
    with reverts("StakeVault_TooSoon"):
        vault.withdrawStake(DEVICE.address, {"from": owner})


def test_withdraw_stake_after_unbonding_pays_the_owner(
    vault: Any, desk: SimpleNamespace, owner: Any, accounts: Any
) -> None:
    vault.requestUnstake(DEVICE.address, 100 * P, {"from": owner})
    advance(UNBONDING_S)
    vault.withdrawStake(DEVICE.address, {"from": accounts[9]})
    assert desk.token.balanceOf(OWNER.address) == 100 * P
    assert desk.token.balanceOf(vault) == 200 * P == field(vault, "stake")
    assert field(vault, "unbonding") == 0


# --- history


def test_stake_at_of_the_running_block_reverts(vault: Any) -> None:
    with reverts("StakeVault_BlockNotOver"):
        vault.stakeAt(DEVICE.address, height() + 1)


def test_stake_at_is_the_stake_at_the_end_of_the_block(vault: Any, accounts: Any, owner: Any) -> None:
    first = height()
    mine()
    vault.requestUnstake(DEVICE.address, 100 * P, {"from": owner})
    second = height()
    vault.stake(DEVICE.address, 50 * P, {"from": accounts[4]})
    third = height()
    mine()
    assert vault.stakeAt(DEVICE.address, first - 1) == 0
    assert [vault.stakeAt(DEVICE.address, block) for block in (first, first + 1)] == [300 * P, 300 * P]
    assert [vault.stakeAt(DEVICE.address, block) for block in (second, third)] == [200 * P, 250 * P]


def test_stake_at_counts_unbonding_as_zero_though_it_stays_slashable(
    vault: Any, desk: SimpleNamespace, owner: Any
) -> None:
    vault.requestUnstake(DEVICE.address, 300 * P, {"from": owner})
    asked = height()
    mine()
    assert vault.stakeAt(DEVICE.address, asked) == 0
    tx = vault.convict(DEVICE.address, [], [], {"from": desk.panel})
    assert tx.return_value == 300 * P


def test_stake_at_below_the_minimum_counts_as_zero(vault: Any, owner: Any) -> None:
    vault.requestUnstake(DEVICE.address, 290 * P, {"from": owner})
    enough = height()
    vault.requestUnstake(DEVICE.address, 1, {"from": owner})
    too_little = height()
    mine()
    assert [vault.stakeAt(DEVICE.address, block) for block in (enough, too_little)] == [10 * P, 0]


def test_stake_moved_within_one_block_leaves_one_value(vault: Any, accounts: Any, owner: Any) -> None:
    options = {"required_confs": 0, "gas_limit": 300_000, "silent": True}
    with one_block():
        vault.stake(DEVICE.address, 500 * P, {"from": accounts[4], **options})
        vault.requestUnstake(DEVICE.address, 700 * P, {"from": owner, **options})
    block = height()
    mine()
    assert len(brownie.web3.eth.get_block(block)["transactions"]) == 2
    assert vault.stakeAt(DEVICE.address, block) == 100 * P
    assert vault.stakeAt(DEVICE.address, block - 1) == 300 * P


# --- only the ledger, only the panel


def test_functions_of_others_called_by_anyone_revert(
    vault: Any, desk: SimpleNamespace, accounts: Any, owner: Any
) -> None:
    for sender in (accounts[4], owner, desk.panel, desk.attestations):
        with reverts("StakeVault_NotAllowed", sender):
            vault.bondPay(DEVICE.address, P, {"from": sender})
    for sender in (accounts[4], owner, desk.ledger, desk.attestations):
        for call in (vault.gameOpened, vault.gameClosed):
            with reverts("StakeVault_NotAllowed", sender):
                call(DEVICE.address, {"from": sender})
        with reverts("StakeVault_NotAllowed", sender):
            vault.convict(DEVICE.address, [sender], [], {"from": sender})


def test_game_closed_that_was_not_opened_reverts(vault: Any, desk: SimpleNamespace) -> None:
    with reverts("Integer overflow"):
        vault.gameClosed(DEVICE.address, {"from": desk.panel})


def test_bond_pay_of_a_convicted_device_reverts(vault: Any, desk: SimpleNamespace) -> None:
    vault.convict(DEVICE.address, [], [], {"from": desk.panel})
    with reverts("StakeVault_Convicted", DEVICE.address):
        vault.bondPay(DEVICE.address, P, {"from": desk.ledger})


def test_bond_pay_counts_from_this_block_on(vault: Any, desk: SimpleNamespace) -> None:
    desk.token.transfer(vault, P, {"from": desk.deployer})
    vault.bondPay(DEVICE.address, P, {"from": desk.ledger})
    block = height()
    mine()
    assert vault.stakeAt(DEVICE.address, block) == field(vault, "stake") == 301 * P


# --- convictions


def test_convict_of_oneself_gives_back_a_quarter_at_most(vault: Any, desk: SimpleNamespace, owner: Any) -> None:
    supply = desk.token.totalSupply()
    vault.requestUnstake(DEVICE.address, 100 * P, {"from": owner})
    tx = vault.convict(DEVICE.address, [owner], [], {"from": desk.panel})
    assert tx.return_value == 300 * P
    assert desk.token.balanceOf(owner) == 75 * P
    assert desk.token.totalSupply() == supply - 225 * P
    assert desk.token.balanceOf(vault) == 0
    assert vault.deviceOf(DEVICE.address).dict()["convicted"]


def test_convict_shares_the_quarter_and_burns_the_dust(vault: Any, desk: SimpleNamespace, accounts: Any) -> None:
    vault.stake(DEVICE.address, 7, {"from": accounts[4]})
    before = [desk.token.balanceOf(account) for account in accounts[10:13]]
    tx = vault.convict(DEVICE.address, list(accounts[10:13]), [], {"from": desk.panel})
    total = 300 * P + 7
    share = total // 4 // 3
    assert [desk.token.balanceOf(a) - b for a, b in zip(accounts[10:13], before, strict=True)] == [share] * 3
    assert tx.events["Convicted"].values() == [DEVICE.address, total, 3 * share, total - 3 * share]
    assert desk.token.balanceOf(vault) == 0


def test_convict_pays_the_judges_out_of_the_quarter(vault: Any, desk: SimpleNamespace, accounts: Any) -> None:
    supply = desk.token.totalSupply()
    before = [desk.token.balanceOf(account) for account in accounts[10:13]]
    vault.convict(DEVICE.address, [accounts[10]], [accounts[11], accounts[12]], {"from": desk.panel})
    quarter = 300 * P // 4
    gained = [desk.token.balanceOf(a) - b for a, b in zip(accounts[10:13], before, strict=True)]
    assert gained == [quarter - quarter // 5, quarter // 10, quarter // 10]
    assert desk.token.totalSupply() == supply - (300 * P - quarter)


def test_convict_again_takes_nothing(vault: Any, desk: SimpleNamespace, accounts: Any) -> None:
    vault.convict(DEVICE.address, [accounts[10]], [], {"from": desk.panel})
    before = desk.token.balanceOf(accounts[10])
    tx = vault.convict(DEVICE.address, [accounts[10]], [], {"from": desk.panel})
    assert tx.return_value == 0
    assert desk.token.balanceOf(accounts[10]) == before


def test_conviction_leaves_older_blocks_as_they_were(vault: Any, desk: SimpleNamespace) -> None:
    before = height()
    vault.convict(DEVICE.address, [], [], {"from": desk.panel})
    after = height()
    mine()
    assert (vault.stakeAt(DEVICE.address, before), vault.stakeAt(DEVICE.address, after)) == (300 * P, 0)


# --- a hostile token


def test_withdraw_stake_reentered_pays_once(accounts: Any, owner: Any) -> None:
    from tests.contracts.conftest import deploy_desk

    token = accounts[0].deploy(brownie.HostileToken)
    hostile = deploy_desk(accounts, token)
    for device in (DEVICE, OTHER):
        bind(hostile, device, owner, OWNER.key, accounts[4])
        token.approve(hostile.vault, 2**256 - 1, {"from": accounts[0]})
        hostile.vault.stake(device.address, 100 * P, {"from": accounts[0]})
    hostile.vault.requestUnstake(DEVICE.address, 100 * P, {"from": owner})
    advance(UNBONDING_S)
    again = hostile.vault.withdrawStake.encode_input(DEVICE.address)
    token.arm(hostile.vault, again, {"from": accounts[0]})
    hostile.vault.withdrawStake(DEVICE.address, {"from": owner})
    assert token.attempts() == 1
    assert not token.reentered()
    assert token.balanceOf(owner) == token.balanceOf(hostile.vault) == 100 * P


def test_minimum_stake_is_as_deployed(vault: Any) -> None:
    assert vault.minimumStake() == 10 * P
