"""Attacks on the money of jobs, told whole: who posts for a silent settler, what a buyer that leaves gets back, and
that nothing stays stuck when everybody stops acting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import brownie

from protocol.verdicts import Verdict
from tests.contracts.actors import Epoch, Job, Work
from tests.contracts.chain import advance, now, reverts, set_next_time
from tests.contracts.conftest import struct
from tests.contracts.ledger_stories import money_of
from tests.contracts.world import PARAMETERS, SETTLER_BOND, P

pytest_plugins = ("tests.contracts.stories", "tests.contracts.ledger_stories")

CLOSED = 3
LONGEST_FREEZE_S = (
    PARAMETERS.seed_timeout_s + PARAMETERS.commit_s + PARAMETERS.reveal_s + PARAMETERS.window_s + PARAMETERS.claim_s
)
"""The bound of docs/invariants.md, 17: from a posting to the return of what was not claimed, whoever is silent."""


def close_now(market: Any, job: Job) -> None:
    """Closes the job by anybody's call."""
    market.world.escrow.closeJob(job.id, struct(job.bid), {"from": market.stranger})
    assert job.state["phase"] == CLOSED


def close(market: Any, job: Job) -> None:
    """Closes the job in the first second after its posting grace."""
    set_next_time(int(job.state["closesAt"]) + 1)
    close_now(market, job)


def balance(market: Any, account: Any) -> int:
    return int(market.world.escrow.balanceOf(account.address))


def spent_of(money: dict[str, int]) -> int:
    """What a leaf took from its job."""
    return money["amount"] + money["fee"] + money["surcharge"]


# --- one settler for each job


def test_open_job_by_a_bonded_stranger_leaves_the_settler_that_the_bid_names(market: Any, job: Job) -> None:
    """Else whoever sends a buyer's signature first would take the job and its fees."""
    bid = replace(job.bid, salt=b"\x77" * 32)
    signature = bid.sign(market.world.domain, market.buyer.signer.key)
    market.world.escrow.openJob(struct(bid), signature, {"from": market.rival.account})
    market.world.jobs.append(bid.job_id)
    assert market.world.escrow.jobOf(bid.job_id)["settler"] == market.settler.address


def test_postEpoch_by_another_settler_in_the_last_second_of_the_grace_reverts(market: Any, job: Job) -> None:
    work = market.rich.work(job, [0])
    ends = int(job.state["lastPostedAt"]) + PARAMETERS.posting_grace_s
    set_next_time(ends)
    with reverts("JobEscrow_MayNotPost"):
        market.rival.post(work)
    set_next_time(ends + 1)
    market.rival.post(work)


def test_cancel_with_a_silent_settler_work_is_paid_through_another(market: Any, job: Job) -> None:
    """Both signatures are enough: the device has its pay, the stand-in the fee, the buyer what is left."""
    work = market.rich.work(job, range(4))
    market.world.escrow.cancelJob(job.id, {"from": market.buyer.account})
    with reverts("JobEscrow_MayNotPost"):
        market.rival.post(work)
    advance(PARAMETERS.posting_grace_s // 2 + 1)
    epoch, had = market.rival.post(work).attest(), balance(market, market.buyer)
    close(market, job)
    money = money_of(epoch.end_window().claim())[0]
    assert market.rich.received == money["paid"] > 0
    assert (market.settler.earned, market.rival.earned) == (0, money["fee"])
    assert balance(market, market.buyer) - had == job.bid.budget - sum(
        money[part] for part in ("amount", "fee", "surcharge")
    )


def test_stand_in_that_posts_nonsense_is_paid_nothing_and_frees_the_budget_in_time(market: Any, job: Job) -> None:
    """Invariant 18's price: the budget is held for `LONGEST_FREEZE_S` at most, and nobody gains by it."""
    sham = replace(market.rich.work(job, range(4), leased=False), signature=b"\x01" * 65)
    advance(PARAMETERS.posting_grace_s + 1)
    epoch = market.rival.post(sham.signed_again(amount=150 * P))
    assert job.state["debited"] > 150 * P
    posted = int(epoch.head[3])
    epoch.attest()
    set_next_time(posted + LONGEST_FREEZE_S)
    market.world.ledger.returnUnclaimed(epoch.id, epoch.head, 0, {"from": market.stranger})
    assert (job.state["available"], job.state["debited"]) == (job.bid.budget, 0)
    assert (market.rival.earned, market.rival.bond) == (0, SETTLER_BOND)


# --- a buyer that leaves


def test_cancel_before_the_posting_takes_nothing_from_the_device(market: Any, job: Job) -> None:
    work = market.rich.work(job, range(4))
    market.world.escrow.cancelJob(job.id, {"from": market.buyer.account})
    with reverts("JobEscrow_BalanceTooLow"):
        market.world.escrow.withdraw(10_000 * P, {"from": market.buyer.account})
    set_next_time(int(job.state["closesAt"]))  # the last second that counts
    epoch = market.settler.post(work)
    close(market, job)
    money = money_of(epoch.attest().end_window().claim())[0]
    assert market.rich.received == money["paid"] > 0


def test_cancelled_job_pays_for_no_work_after_its_grace(market: Any, job: Job) -> None:
    work = market.rich.work(job, [0])
    market.world.escrow.cancelJob(job.id, {"from": market.buyer.account})
    set_next_time(int(job.state["closesAt"]) + 1)
    with reverts("JobEscrow_MayNotPost"):
        market.settler.post(work)
    had = balance(market, market.buyer)
    close_now(market, job)
    assert balance(market, market.buyer) - had == job.bid.budget


# --- quorums that never come


def void_by_silence(market: Any, work: Work) -> Epoch:
    """No seat says anything, in the epoch and in both redraws."""
    epoch: Epoch = market.settler.post(work).attest(silent=market.verifiers)
    market.world.attestations.redraw(epoch.ref(work), [], {"from": market.stranger})
    for _ in range(2):
        advance(PARAMETERS.seed_timeout_s)
        transaction = market.world.attestations.settleRedraw(epoch.ref(work), {"from": market.stranger})
    assert transaction.events["LeafVoided"]["debit"] == work.debit
    return epoch


def test_no_quorum_voids_slashes_nobody_and_the_receipt_is_posted_again(market: Any, job: Job) -> None:
    work = market.poor.work(job, range(4))
    epoch = void_by_silence(market, work)
    with reverts("EpochLedger_LeafSettled"):
        epoch.end_window().claim(work)
    assert (job.state["available"], job.state["debited"]) == (job.bid.budget, 0)
    assert market.poor.state["stake"] == 30 * P
    assert market.settler.bond == SETTLER_BOND
    assert all(seat.stake == seat.seats for seat in market.verifiers)
    again = market.settler.post(work).attest().end_window()
    again.claim()
    assert job.state["spansUnpaid"] == 12
    with reverts("JobEscrow_SpanPaid"):
        market.settler.post(work).attest().end_window().claim()


# --- nothing is stuck


def test_everybody_falls_silent_and_every_wei_comes_out(market: Any, job: Job) -> None:
    """One epoch is half claimed, one has no seed, one has no verdict. From then on only a stranger acts, in the time of
    the bound; then every account takes out what is its own, and no contract keeps a wei."""
    world, devices = market.world, (market.rich, market.poor, market.bare)
    works = [device.work(job, [3 * i, 3 * i + 1]) for i, device in enumerate(devices)]
    market.settler.post(*works).attest().end_window().claim(works[0], works[2])
    mute = market.settler.post(market.rich.work(job, [12])).attest(silent=market.verifiers)
    seedless = market.settler.post(market.rich.work(job, [13]))
    market.world.escrow.cancelJob(job.id, {"from": market.buyer.account})
    set_next_time(now() + LONGEST_FREEZE_S)
    world.ledger.voidEpoch(seedless.id, seedless.head, {"from": market.stranger})
    for epoch in (world.epochs[0], mute):
        world.ledger.returnUnclaimed(epoch.id, epoch.head, 0, {"from": market.stranger})
    close_now(market, job)
    assert int(job.state["debited"]) == int(job.state["available"]) == 0
    take_everything_out(market)
    for contract in (world.escrow, world.vault, world.seats, world.ledger, world.attestations, world.panel):
        assert world.token.balanceOf(contract) == 0, contract
        assert contract.balance() == 0, contract


def take_everything_out(market: Any) -> None:
    """Every account of the cast withdraws stake, bonds and balances."""
    world = market.world
    owners = [(device, account_of(market, device.owner)) for device in (market.rich, market.poor, market.bare)]
    for device, owner in owners:
        world.vault.requestUnstake(device.address, device.state["stake"], {"from": owner})
    for seat in market.verifiers:
        world.seats.leave(seat.stake, {"from": seat.account})
    for settler in (market.settler, market.rival):
        world.seats.requestBondBack(settler.bond, {"from": settler.account})
    advance(PARAMETERS.unbonding_s)
    for device, _ in owners:
        if device.state["unbonding"]:
            world.vault.withdrawStake(device.address, {"from": market.stranger})
    for seat in market.verifiers:
        world.seats.withdrawSeatStake({"from": seat.account})
    for settler in (market.settler, market.rival):
        world.seats.withdrawBond({"from": settler.account})
    people = [owner for _, owner in owners] + [who.account for who in (*market.verifiers, market.settler, market.buyer)]
    for account in people:
        world.escrow.withdraw(balance(market, account), {"from": account})


def account_of(market: Any, owner: Any) -> Any:
    """The owner as an account of the node, with coin for its transactions."""
    account = brownie.accounts.add(owner.key.hex())
    market.world.deployer.transfer(account, 10**17)
    return account


def test_unavailable_with_one_voice_for_wrong_costs_the_settler_nothing(market: Any, job: Job) -> None:
    """Withheld data slashes nobody, whatever the minority says: else one seat could drain an honest settler's bond."""
    work = market.poor.work(job, [0])
    epoch = market.settler.post(work).attest(silent=market.verifiers)
    transaction = market.world.attestations.redraw(epoch.ref(work), [], {"from": market.stranger})
    subject = bytes(transaction.events["RedrawOpened"]["subject"])
    seats = market.world.attestations.ballotSeats
    market.world.mine_until(lambda: len(set(seats(subject))) == 3)
    voters = [seat for seat in market.verifiers if seat.address in seats(subject)]
    votes = dict(zip(voters, (Verdict.WRONG, Verdict.UNAVAILABLE, Verdict.UNAVAILABLE), strict=True))
    for voter, vote in votes.items():
        voter.commit_vote(subject, vote, market.world.attestations)
    for voter, vote in votes.items():
        voter.reveal_vote(subject, vote, market.world.attestations)
    market.world.attestations.settleRedraw(epoch.ref(work), {"from": market.stranger})
    assert job.state["available"] == job.bid.budget
    assert market.settler.bond == SETTLER_BOND
