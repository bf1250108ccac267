"""Seats: joining and leaving by period, snapshots, bonds, earnings, slashes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import brownie
import pytest

from tests.contracts.chain import ZERO, advance, reverts, set_next_time
from tests.contracts.conftest import CONVICTION_PATH_S, SEAT_PERIOD_S, UNBONDING_S, P, deploy_desk

SEAT = 1_000 * P
BOND = 1_000 * P
CAUSE = b"\x07" * 32


@pytest.fixture
def seats(desk: SimpleNamespace, accounts: Any) -> Any:
    """Three verifiers (accounts 4, 5, 6; owner 14, 15, 16) with three seats each, past the first period."""
    for i in (4, 5, 6):
        desk.seats.join(3, accounts[i + 10], {"from": accounts[i]})
    desk.seats.snapshot({"from": accounts[9]})
    advance(SEAT_PERIOD_S)
    return desk.seats


def latest(seats: Any, accounts: Any) -> int:
    """The snapshot that a draw of this moment uses."""
    return int(seats.snapshot({"from": accounts[9]}).return_value)


def verifiers_in(seats: Any, snapshot: int) -> list[str]:
    return [seat[0] for seat in seats.seatsIn(snapshot)]


# --- deployment


@pytest.mark.parametrize("parameters", [(0, BOND, 100), (SEAT, 0, 100), (SEAT, BOND, 0)])
def test_deployment_with_a_zero_reverts(desk: SimpleNamespace, accounts: Any, parameters: tuple[int, ...]) -> None:
    terms = (*parameters, UNBONDING_S, CONVICTION_PATH_S)
    with reverts("Seats_ZeroParameter"):
        accounts[0].deploy(brownie.Seats, desk.token, accounts[1], accounts[2], accounts[3], terms)


def test_deployment_with_unbonding_not_past_period_and_path_reverts(desk: SimpleNamespace, accounts: Any) -> None:
    needed = CONVICTION_PATH_S + SEAT_PERIOD_S
    with reverts("Seats_UnbondingTooShort", needed, needed):
        terms = (SEAT, BOND, SEAT_PERIOD_S, needed, CONVICTION_PATH_S)
        accounts[0].deploy(brownie.Seats, desk.token, accounts[1], accounts[2], accounts[3], terms)


# --- joining, leaving, snapshots


def test_join_of_nothing_reverts(desk: SimpleNamespace, accounts: Any) -> None:
    for count, owner in ((0, accounts[14]), (1, ZERO)):
        with reverts("Seats_NothingGiven"):
            desk.seats.join(count, owner, {"from": accounts[4]})


def test_join_under_another_owner_reverts(seats: Any, accounts: Any) -> None:
    with reverts("Seats_OtherOwner", accounts[15], accounts[14]):
        seats.join(1, accounts[15], {"from": accounts[4]})


def test_join_past_the_most_seats_reverts(seats: Any, accounts: Any) -> None:
    with reverts("Seats_TooMany", 1_025, 1_024):
        seats.join(1_016, accounts[14], {"from": accounts[4]})


def test_join_without_the_stake_reverts(desk: SimpleNamespace, accounts: Any) -> None:
    with reverts("ERC20InsufficientAllowance"):
        desk.seats.join(1, accounts[14], {"from": accounts[0]})
    with reverts("ERC20InsufficientBalance"):
        desk.seats.join(1_001, accounts[14], {"from": accounts[4]})


def test_leave_of_more_than_held_reverts(seats: Any, accounts: Any) -> None:
    with reverts("Seats_TooFew", 3, 4):
        seats.leave(4, {"from": accounts[4]})
    with reverts("Seats_TooFew", 0, 1):
        seats.leave(1, {"from": accounts[9]})
    with reverts("Seats_NothingGiven"):
        seats.leave(0, {"from": accounts[4]})


def test_unknown_snapshot_and_seat_revert(seats: Any, accounts: Any) -> None:
    snapshot = latest(seats, accounts)
    for view in (seats.seatCount, seats.verifierCount, seats.seatsIn):
        with reverts("Seats_Unknown"):
            view(snapshot + 1)
    with reverts("Seats_Unknown"):
        seats.seatAt(snapshot, 9)


def test_seats_at_deployment_count_at_once(desk: SimpleNamespace, accounts: Any) -> None:
    desk.seats.join(2, accounts[14], {"from": accounts[4]})
    first = latest(desk.seats, accounts)
    desk.seats.join(1, accounts[15], {"from": accounts[5]})
    second = latest(desk.seats, accounts)
    assert verifiers_in(desk.seats, first) == [accounts[4]] * 2
    assert verifiers_in(desk.seats, second) == [accounts[4], accounts[4], accounts[5]]
    assert latest(desk.seats, accounts) == second


def test_seats_joined_later_count_from_the_next_period_only(seats: Any, accounts: Any) -> None:
    before = latest(seats, accounts)
    seats.join(5, accounts[17], {"from": accounts[7]})
    assert latest(seats, accounts) == before
    assert seats.seatsOf(before, accounts[7]) == 0
    advance(SEAT_PERIOD_S)
    after = latest(seats, accounts)
    assert after == before + 1
    assert (seats.seatsOf(after, accounts[7]), seats.seatCount(after), seats.verifierCount(after)) == (5, 14, 4)


def test_seats_left_stay_drawn_until_the_period_ends(seats: Any, accounts: Any) -> None:
    before = latest(seats, accounts)
    seats.leave(3, {"from": accounts[4]})
    assert latest(seats, accounts) == before
    advance(SEAT_PERIOD_S)
    after = latest(seats, accounts)
    assert sorted(verifiers_in(seats, after)) == sorted([accounts[5].address] * 3 + [accounts[6].address] * 3)
    assert (seats.seatCount(before), seats.seatCount(after), seats.verifierCount(after)) == (9, 6, 2)


def test_changes_of_a_past_period_are_not_mixed_with_this_ones(seats: Any, accounts: Any) -> None:
    seats.join(1, accounts[14], {"from": accounts[4]})
    advance(SEAT_PERIOD_S)
    seats.leave(3, {"from": accounts[5]})
    now_drawn = latest(seats, accounts)
    assert (seats.seatsOf(now_drawn, accounts[4]), seats.seatsOf(now_drawn, accounts[5])) == (4, 3)
    advance(SEAT_PERIOD_S)
    assert seats.seatsOf(latest(seats, accounts), accounts[5]) == 0


def test_seat_at_and_seats_in_agree(seats: Any, accounts: Any) -> None:
    snapshot = latest(seats, accounts)
    listed = seats.seatsIn(snapshot)
    assert [seats.seatAt(snapshot, i) for i in range(9)] == list(listed)
    assert listed[0] == (accounts[4], accounts[14])


def test_leave_and_join_again_keeps_the_list_whole(seats: Any, accounts: Any) -> None:
    for i in (4, 6, 5):
        seats.leave(3, {"from": accounts[i]})
    for i in (6, 4):
        seats.join(1, accounts[i + 10], {"from": accounts[i]})
    advance(SEAT_PERIOD_S)
    snapshot = latest(seats, accounts)
    assert verifiers_in(seats, snapshot) == [accounts[6], accounts[4]]
    assert seats.seatsOf(snapshot, accounts[5]) == 0


def test_withdraw_seat_stake_before_its_time_reverts(seats: Any, accounts: Any) -> None:
    with reverts("Seats_NothingUnbonding", accounts[4]):
        seats.withdrawSeatStake({"from": accounts[4]})
    seats.leave(2, {"from": accounts[4]})
    set_next_time(seats.verifierOf(accounts[4]).dict()["unbondsAt"] - 1)
    with reverts("Seats_TooSoon"):
        seats.withdrawSeatStake({"from": accounts[4]})


def test_withdraw_seat_stake_after_unbonding_pays(seats: Any, desk: SimpleNamespace, accounts: Any) -> None:
    before = desk.token.balanceOf(accounts[4])
    seats.leave(2, {"from": accounts[4]})
    advance(UNBONDING_S)
    seats.withdrawSeatStake({"from": accounts[4]})
    assert desk.token.balanceOf(accounts[4]) == before + 2 * SEAT
    assert seats.verifierOf(accounts[4]).dict()["unbonding"] == 0


# --- slashes


def test_slash_seat_by_anyone_reverts(seats: Any, accounts: Any) -> None:
    with reverts("Seats_NotAllowed", accounts[4]):
        seats.slashSeat(accounts[5], accounts[4], CAUSE, {"from": accounts[4]})


def test_slash_seat_gives_a_quarter_and_burns_the_rest(seats: Any, desk: SimpleNamespace, accounts: Any) -> None:
    supply = desk.token.totalSupply()
    for judge in (desk.ledger, desk.attestations, desk.panel):
        seats.slashSeat(accounts[4], accounts[12], CAUSE, {"from": judge})
    assert seats.earned(accounts[12]) == 3 * SEAT // 4
    assert desk.token.totalSupply() == supply - 3 * (SEAT - SEAT // 4)
    assert seats.verifierOf(accounts[4]).dict()["seats"] == 0
    assert desk.token.balanceOf(seats) == 6 * SEAT + 3 * SEAT // 4


def test_slash_seat_without_a_winner_burns_all(seats: Any, desk: SimpleNamespace, accounts: Any) -> None:
    supply = desk.token.totalSupply()
    tx = seats.slashSeat(accounts[4], ZERO, CAUSE, {"from": desk.panel})
    assert desk.token.totalSupply() == supply - SEAT
    assert tx.events["SeatSlashed"].values() == [accounts[4], SEAT, "0x" + CAUSE.hex()]


def test_slash_seat_reaches_stake_that_unbonds(seats: Any, desk: SimpleNamespace, accounts: Any) -> None:
    seats.leave(3, {"from": accounts[4]})
    seats.slashSeat(accounts[4], ZERO, CAUSE, {"from": desk.panel})
    assert seats.verifierOf(accounts[4]).dict()["unbonding"] == 2 * SEAT


def test_slash_seat_of_one_that_has_nothing_takes_nothing(seats: Any, desk: SimpleNamespace, accounts: Any) -> None:
    held = desk.token.balanceOf(seats)
    tx = seats.slashSeat(accounts[9], accounts[12], CAUSE, {"from": desk.panel})
    assert tx.events["SeatSlashed"]["amount"] == 0
    assert seats.earned(accounts[12]) == 0
    assert desk.token.balanceOf(seats) == held


def test_slashed_seat_is_not_drawn_in_the_next_period(seats: Any, desk: SimpleNamespace, accounts: Any) -> None:
    seats.slashSeat(accounts[4], ZERO, CAUSE, {"from": desk.panel})
    assert seats.seatsOf(latest(seats, accounts), accounts[4]) == 3
    advance(SEAT_PERIOD_S)
    assert seats.seatsOf(latest(seats, accounts), accounts[4]) == 2


# --- bonds


@pytest.fixture
def settler(seats: Any, accounts: Any) -> Any:
    """Account 8, with a bond of two and a half epochs and a fee of 2 %."""
    seats.depositBond(2 * BOND + BOND // 2, 20_000, {"from": accounts[8]})
    return accounts[8]


def settler_field(seats: Any, settler: Any, name: str) -> int:
    return int(seats.settlerOf(settler).dict()[name])


def test_deposit_bond_with_fee_above_three_per_cent_reverts(seats: Any, accounts: Any) -> None:
    with reverts("Seats_FeeTooHigh", 30_001, 30_000):
        seats.depositBond(BOND, 30_001, {"from": accounts[8]})


def test_bond_functions_of_the_ledger_called_by_anyone_revert(seats: Any, desk: SimpleNamespace, settler: Any) -> None:
    for sender in (settler, desk.panel, desk.attestations):
        for call in (seats.lockEpochBond, seats.releaseEpochBond, seats.burnEpochBond):
            with reverts("Seats_NotAllowed", sender):
                call(settler, {"from": sender})
    with reverts("Seats_NotAllowed", settler):
        seats.payFromBond(settler, [settler], 1, {"from": settler})


def test_lock_past_the_free_bond_reverts(seats: Any, desk: SimpleNamespace, settler: Any) -> None:
    for _ in range(2):
        assert seats.isBonded(settler)
        seats.lockEpochBond(settler, {"from": desk.ledger})
    assert not seats.isBonded(settler)
    with reverts("Seats_BondTooLow", BOND // 2, BOND):
        seats.lockEpochBond(settler, {"from": desk.ledger})


def test_release_and_burn_of_what_is_not_locked_revert(seats: Any, desk: SimpleNamespace, settler: Any) -> None:
    for call in (seats.releaseEpochBond, seats.burnEpochBond):
        with reverts("Seats_NotLocked", settler):
            call(settler, {"from": desk.ledger})


def test_locked_bond_cannot_be_requested_back(seats: Any, desk: SimpleNamespace, settler: Any) -> None:
    seats.lockEpochBond(settler, {"from": desk.ledger})
    with reverts("Seats_BondTooLow", 3 * BOND // 2, 3 * BOND // 2 + 1):
        seats.requestBondBack(3 * BOND // 2 + 1, {"from": settler})
    with reverts("Seats_NothingGiven"):
        seats.requestBondBack(0, {"from": settler})


def test_bond_requested_back_counts_for_nothing_at_once(seats: Any, settler: Any) -> None:
    seats.requestBondBack(2 * BOND, {"from": settler})
    assert not seats.isBonded(settler)


def test_withdraw_bond_before_its_time_reverts(seats: Any, settler: Any) -> None:
    with reverts("Seats_NothingUnbonding", settler):
        seats.withdrawBond({"from": settler})
    seats.requestBondBack(BOND, {"from": settler})
    set_next_time(settler_field(seats, settler, "unbondsAt") - 1)
    with reverts("Seats_TooSoon"):
        seats.withdrawBond({"from": settler})


def test_withdraw_bond_after_unbonding_pays(seats: Any, desk: SimpleNamespace, settler: Any) -> None:
    before = desk.token.balanceOf(settler)
    seats.requestBondBack(BOND, {"from": settler})
    advance(UNBONDING_S)
    seats.withdrawBond({"from": settler})
    assert desk.token.balanceOf(settler) == before + BOND
    assert settler_field(seats, settler, "bond") == 3 * BOND // 2


def test_release_frees_and_burn_takes_one_epoch_bond(seats: Any, desk: SimpleNamespace, settler: Any) -> None:
    supply = desk.token.totalSupply()
    for _ in range(2):
        seats.lockEpochBond(settler, {"from": desk.ledger})
    seats.burnEpochBond(settler, {"from": desk.ledger})
    seats.releaseEpochBond(settler, {"from": desk.ledger})
    assert desk.token.totalSupply() == supply - BOND
    assert settler_field(seats, settler, "locked") == 0
    assert settler_field(seats, settler, "bond") == 3 * BOND // 2


def test_pay_from_bond_goes_as_far_as_the_bond_unbonding_too(
    seats: Any, desk: SimpleNamespace, settler: Any, accounts: Any
) -> None:
    seats.requestBondBack(BOND, {"from": settler})
    seats.payFromBond(settler, list(accounts[10:13]), 100 * BOND, {"from": desk.panel})
    whole = 5 * BOND // 2
    share = whole // 3
    assert [seats.earned(account) for account in accounts[10:13]] == [share] * 3
    left = settler_field(seats, settler, "bond") + settler_field(seats, settler, "unbonding")
    assert left == whole - 3 * share
    assert desk.token.balanceOf(seats) == 9 * SEAT + whole


def test_pay_from_bond_pays_equal_parts(seats: Any, desk: SimpleNamespace, settler: Any, accounts: Any) -> None:
    seats.payFromBond(settler, [accounts[10], accounts[11]], 7, {"from": desk.attestations})
    seats.payFromBond(settler, [], 7, {"from": desk.attestations})
    assert [seats.earned(account) for account in accounts[10:12]] == [3, 3]
    assert settler_field(seats, settler, "bond") == 5 * BOND // 2 - 6


def test_burn_of_a_bond_that_was_paid_out_burns_what_is_left(
    seats: Any, desk: SimpleNamespace, settler: Any, accounts: Any
) -> None:
    seats.lockEpochBond(settler, {"from": desk.ledger})
    seats.payFromBond(settler, [accounts[10]], 5 * BOND // 2 - 5, {"from": desk.panel})
    tx = seats.burnEpochBond(settler, {"from": desk.ledger})
    assert tx.events["BondBurned"]["amount"] == 5
    assert settler_field(seats, settler, "bond") == settler_field(seats, settler, "locked") == 0


# --- earnings


def test_withdraw_earned_pays_the_account_once(seats: Any, desk: SimpleNamespace, settler: Any, accounts: Any) -> None:
    seats.payFromBond(settler, [accounts[10], accounts[10], accounts[11]], 30, {"from": desk.ledger})
    before = desk.token.balanceOf(accounts[10])
    for _ in range(2):
        seats.withdrawEarned(accounts[10], {"from": accounts[9]})
    assert desk.token.balanceOf(accounts[10]) == before + 20
    assert seats.earned(accounts[11]) == 10


# --- a hostile token


@pytest.mark.parametrize("way", ["withdrawEarned", "withdrawSeatStake", "withdrawBond"])
def test_withdrawals_reentered_pay_once(accounts: Any, way: str) -> None:
    token = accounts[0].deploy(brownie.HostileToken)
    hostile = deploy_desk(accounts, token)
    seats = hostile.seats
    token.transfer(token, 10 * SEAT, {"from": accounts[0]})
    token.act(token, token.approve.encode_input(seats, 2**256 - 1), {"from": accounts[0]})
    token.approve(seats, 2**256 - 1, {"from": accounts[0]})
    seats.join(5, accounts[14], {"from": accounts[0]})
    for data in (seats.join.encode_input(2, accounts[14]), seats.depositBond.encode_input(2 * BOND, 0)):
        token.act(seats, data, {"from": accounts[0]})
    for data in (seats.leave.encode_input(2), seats.requestBondBack.encode_input(2 * BOND)):
        token.act(seats, data, {"from": accounts[0]})
    seats.depositBond(2 * SEAT, 0, {"from": accounts[0]})
    seats.payFromBond(accounts[0], [token], 2 * SEAT, {"from": hostile.ledger})
    advance(UNBONDING_S)
    arguments = (token,) if way == "withdrawEarned" else ()
    data = getattr(seats, way).encode_input(*arguments)
    before = token.balanceOf(token)
    token.arm(seats, data, {"from": accounts[0]})
    token.act(seats, data, {"from": accounts[0]})
    assert token.attempts() == 1
    assert token.balanceOf(token) == before + 2 * SEAT
