"""Attacks on devices' stakes, told whole: from nothing to the target and out again, below the least stake that a game
can take, and what a conviction reaches."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from protocol.verdicts import Verdict
from tests.contracts.actors import Device, Epoch, GameActor, Job, Work
from tests.contracts.chain import advance, mine, reverts
from tests.contracts.disputes import FOR_PANEL, QUARTER, WRONG, conviction, epoch_of, seats_of
from tests.contracts.ledger_stories import money_of
from tests.contracts.world import PARAMETERS, SETTLER_BOND, P

pytest_plugins = ("tests.contracts.stories", "tests.contracts.disputes")

TARGET = 300 * P


def paid(market: Any, work: Work) -> dict[str, int]:
    """Posts, attests and claims one leaf; its money."""
    return money_of(market.settler.post(work).attest().end_window().claim())[0]


# --- earn your stake


def test_stake_is_earned_from_nothing_to_the_target_and_taken_out(market: Any) -> None:
    """The first pay is halved by verification and wholly bonded; at 300 task prices all of it is paid out, and what was
    bonded comes out after unbonding, when it no longer backs anything."""
    job = market.buyer.open_job(market.settler, task_count=1_024, span_tasks=128, budget=5_000 * P)
    device = market.bare
    first = paid(market, device.work(job, [0]))
    assert (first["deduction"], first["bonded"], first["paid"]) == (first["amount"] // 2, first["amount"] // 2, 0)
    assert device.state["stake"] == 64 * P
    story = [paid(market, device.work(job, [span])) for span in (1, 2)]
    assert [money["paid"] > 0 for money in story] == [False, True]
    deductions = [first["deduction"], *(money["deduction"] for money in story)]
    assert deductions == sorted(deductions, reverse=True)
    assert device.state["stake"] == TARGET == 64 * P + sum(money["bonded"] for money in story)
    last = paid(market, device.work(job, [3]))
    assert (last["bonded"], last["paid"]) == (0, last["amount"] - last["deduction"])
    owner = brownie.accounts.add(device.owner.key.hex())
    market.world.deployer.transfer(owner, 10**17)
    market.world.vault.requestUnstake(device.address, TARGET, {"from": owner})
    mine()
    assert market.world.vault.stakeAt(device.address, brownie.web3.eth.block_number - 1) == 0
    advance(PARAMETERS.unbonding_s)
    market.world.vault.withdrawStake(device.address, {"from": market.stranger})
    market.world.escrow.withdraw(device.received, {"from": owner})
    assert market.world.token.balanceOf(owner) == TARGET + story[1]["paid"] + last["paid"]


def test_bonded_pay_lowers_no_rate_of_work_that_was_posted_before_it(market: Any) -> None:
    """Two epochs at once: the second was posted without stake and is deducted as such, though the first has bonded."""
    job = market.buyer.open_job(market.settler, span_tasks=16)
    works = [market.bare.work(job, [span]) for span in (0, 1)]
    first, second = (market.settler.post(work) for work in works)
    first.attest()
    second.attest().end_window()
    assert money_of(first.claim())[0]["bonded"] > 0
    money = money_of(second.claim())[0]
    assert money["deduction"] == money["amount"] // 2


# --- below the least stake


@pytest.fixture
def small(market: Any) -> Device:
    """A device a wei below the stake that a game needs."""
    return Device(market.world, "small", PARAMETERS.minimum_stake_wei - 1)


def test_device_below_the_minimum_is_replayed_whole(market: Any, small: Device, job: Job) -> None:
    work = small.work(job, range(4))
    epoch = market.settler.post(work).draw_seed()
    assert epoch.drawn(work) == tuple(range(16))


def test_device_below_the_minimum_that_lies_is_voided_unpaid_and_not_slashed(
    market: Any, small: Device, job: Job
) -> None:
    """No game can take its stake: a quorum voids the leaf, the settler's bond pays the seats, others do the work."""
    work = small.work(job, range(4), lies=[7])
    epoch = epoch_of(market, work)
    with reverts("Panel_StakeTooLow"):
        GameActor(epoch, work, 7, market.stranger)
    with reverts("Attestations_LeafNotAttested"):
        epoch.end_window().claim()
    transaction = market.world.attestations.redraw(epoch.ref(work), epoch.verdicts(work), {"from": market.stranger})
    subject = bytes(transaction.events["RedrawOpened"]["subject"])
    mine(PARAMETERS.beacon_delay_blocks + 1)
    drawn = {str(seat) for seat in market.world.attestations.ballotSeats(subject)}
    voters = [seat for seat in market.verifiers if seat.address in drawn]
    for voter in voters:
        voter.commit_vote(subject, Verdict.WRONG, market.world.attestations)
    for voter in voters:
        voter.reveal_vote(subject, Verdict.WRONG, market.world.attestations)
    market.world.attestations.settleRedraw(epoch.ref(work), {"from": market.stranger})
    assert (small.state["stake"], small.state["convicted"]) == (PARAMETERS.minimum_stake_wei - 1, False)
    assert small.received == 0
    assert market.settler.bond < SETTLER_BOND
    assert all(seat.stake == seat.seats for seat in market.verifiers)
    assert paid(market, market.rich.work(job, range(4)))["paid"] > 0


# --- what a conviction reaches


def test_conviction_takes_every_unclaimed_leaf_of_the_device(market: Any, lie: Work, caught: Epoch) -> None:
    """In every epoch and job: what was attested and final but not claimed, and what is posted afterwards."""
    other = market.buyer.open_job(market.settler)
    final = market.settler.post(market.poor.work(other, range(2))).attest()
    later = market.settler.post(market.poor.work(other, range(2, 4)))
    conviction(caught, lie)
    later.attest().end_window()
    final.end_window()
    for epoch in (final, later, market.settler.post(market.poor.work(other, [5])).attest().end_window()):
        with reverts("EpochLedger_DeviceConvicted"):
            epoch.claim()
        market.world.ledger.voidLeaf(epoch.ref(epoch.works[0]), {"from": market.stranger})
    assert (other.state["available"], other.state["debited"]) == (other.bid.budget, 0)
    assert market.poor.received == 0


def test_conviction_reaches_stake_that_the_liar_asked_back_before_it_was_drawn(market: Any, lie: Work) -> None:
    owner = brownie.accounts.add(market.poor.owner.key.hex())
    market.world.deployer.transfer(owner, 10**17)
    epoch = market.settler.post(lie)  # one block before the beacon's may be spent, and no more
    market.world.vault.requestUnstake(market.poor.address, 30 * P, {"from": owner})
    epoch.attest(lambda seed: len(epoch.seats_of(lie, seed)) == 1 and bool(epoch.drawn(lie, seed)))
    supply = int(market.world.token.totalSupply())
    conviction(epoch, lie)
    assert supply - market.world.token.totalSupply() == 30 * P - QUARTER
    advance(PARAMETERS.unbonding_s)
    with reverts("StakeVault_Convicted"):
        market.world.vault.withdrawStake(market.poor.address, {"from": owner})


def test_device_that_says_nothing_in_its_game_is_not_convicted_by_silence(market: Any, truth: Work) -> None:
    """Its case goes to the panel, which needs no move of the device."""
    epoch = epoch_of(market, truth)
    game = GameActor(epoch, truth, 0, market.stranger)
    advance(PARAMETERS.panel_draw_s)  # nor does a panel that is silent convict
    game.resolve()
    assert not market.rich.state["convicted"]
    assert market.rich.state["stake"] == 1_000 * P


def test_copied_accusation_of_the_same_task_earns_nothing(market: Any, lie: Work, caught: Epoch) -> None:
    """A copier opens first, on the seat's own finding, which it read in the mempool: the seat wins in its game too."""
    (seat,) = seats_of(market, caught, lie)
    task = caught.drawn(lie)[0]
    copier = market.rival.account
    copied = GameActor(caught, lie, task, copier)
    own = GameActor(caught, lie, task, seat, value=0)
    had, of_seat = (int(market.world.token.balanceOf(who.address)) for who in (copier, seat))
    copied.draw().vote(WRONG)
    own.vote(WRONG)
    copied.resolve()
    own.resolve_now()
    judged = [str(judge) for judge in market.world.panel.panelSeats(copied.id)].count(seat.address) * (FOR_PANEL // 3)
    assert market.world.token.balanceOf(copier) == had
    assert market.world.token.balanceOf(seat.address) - of_seat == QUARTER - FOR_PANEL + judged
    assert seat.stake == seat.seats
