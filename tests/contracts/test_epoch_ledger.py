"""EpochLedger: posting and claims, each attacked straight at the contract with the market bypassed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import brownie
import pytest

from protocol.claims import packed_leaf
from protocol.money import leaf_money
from protocol.spans import SpanSet
from protocol.verdicts import Verdict
from tests.contracts.actors import FEE_PPM, Device, Epoch, Work
from tests.contracts.chain import Signer, advance, reverts
from tests.contracts.conftest import struct
from tests.contracts.ledger_stories import final_right, money_of
from tests.contracts.world import EPOCH_BOND, MAX_REPLAY_WU, PARAMETERS, PRICE_WEI_PER_GWU, TASK_LIMIT_WU, TASK_WU, P

pytest_plugins = ("tests.contracts.stories", "tests.contracts.ledger_stories")


# --- postEpoch


def post_raw(market: Any, entries: list[Any], sender: Any = None) -> Any:
    return market.world.ledger.postEpoch(entries, bytes(32), {"from": sender or market.settler.account})


def test_postEpoch_no_entries_reverts(market: Any) -> None:
    with reverts("EpochLedger_EntryCount"):
        post_raw(market, [])


def test_postEpoch_too_many_entries_reverts(market: Any) -> None:
    with reverts("EpochLedger_EntryCount"):
        post_raw(market, [(bytes([i]) * 32, bytes(32), 1, 0) for i in range(33)])


@pytest.mark.parametrize("counts", [(0,), (129,), (1, 0), (64, 65)])
def test_postEpoch_leaves_outside_reverts(market: Any, counts: tuple[int, ...]) -> None:
    with reverts("EpochLedger_LeafCount"):
        post_raw(market, [(bytes([i]) * 32, bytes(32), count, 0) for i, count in enumerate(counts)])


def test_postEpoch_job_twice_reverts(market: Any, job: Any) -> None:
    with reverts("EpochLedger_JobTwice"):
        post_raw(market, [(job.id, bytes(32), 1, 1), (job.id, bytes(32), 1, 1)])


def test_postEpoch_unknown_job_reverts(market: Any) -> None:
    with reverts("JobEscrow_MayNotPost"):
        post_raw(market, [(b"\x07" * 32, bytes(32), 1, 1)])


def test_postEpoch_above_budget_reverts(market: Any, job: Any) -> None:
    with reverts("JobEscrow_BudgetTooLow"):
        post_raw(market, [(job.id, bytes(32), 1, 200 * P + 1)])


def test_postEpoch_other_settler_reverts(market: Any, job: Any) -> None:
    with reverts("JobEscrow_MayNotPost"):
        post_raw(market, [(job.id, bytes(32), 1, 1)], market.rival.account)


def test_postEpoch_unbonded_stranger_after_grace_reverts(market: Any, job: Any) -> None:
    advance(PARAMETERS.posting_grace_s + 1)
    with reverts("Seats_BondTooLow"):
        post_raw(market, [(job.id, bytes(32), 1, 1)], market.stranger)


def test_postEpoch_bond_taken_out_reverts(market: Any, job: Any) -> None:
    market.world.seats.requestBondBack(market.settler.bond, {"from": market.settler.account})
    with reverts("Seats_BondTooLow"):
        post_raw(market, [(job.id, bytes(32), 1, 1)])


def test_postEpoch_locks_bond_and_debits(market: Any, job: Any, works: list[Work]) -> None:
    epoch = market.settler.post(*works)
    assert market.world.seats.settlerOf(market.settler.address)["locked"] == EPOCH_BOND
    assert job.state["debited"] == sum(work.debit for work in works)
    assert market.world.ledger.outstanding(epoch.id, 0) == (sum(work.debit for work in works), 0)
    assert job.state["period"] == 1


# --- claim: when


def test_claim_before_seed_reverts(market: Any, works: list[Work]) -> None:
    epoch = market.settler.post(*works)
    leaves = tuple(epoch.claimed_leaves(works[0]).values())
    with reverts("EpochLedger_WrongState"):
        market.world.ledger.claim(epoch.id, epoch.head, 0, struct(works[0].job.bid), leaves, [])


def test_claim_before_window_ends_reverts(market: Any, works: list[Work]) -> None:
    epoch = market.settler.post(*works).attest()
    with reverts("EpochLedger_WrongState"):
        epoch.claim()


def test_claim_nothing_reverts(market: Any, final: Epoch, job: Any) -> None:
    with reverts("EpochLedger_NoLeaves"):
        market.world.ledger.claim(final.id, final.head, 0, struct(job.bid), (b"", [], [], []), [])


def test_claim_more_leaves_than_an_epoch_has_reverts(market: Any, final: Epoch, works: list[Work]) -> None:
    leaves = final.claimed_leaves(works[0])
    with reverts("EpochLedger_LeafCount", 129):
        final.claim_with(works[:1], leaves | {"packed": leaves["packed"] * 129})


def test_claim_other_head_reverts(market: Any, final: Epoch) -> None:
    final.head = (market.rival.address, *final.head[1:])
    with reverts("EpochLedger_HeadMismatch"):
        final.claim()


def test_claim_entry_outside_reverts(market: Any, final: Epoch, job: Any, works: list[Work]) -> None:
    leaves = tuple(final.claimed_leaves(works[0]).values())
    with reverts("EpochLedger_NoEntry"):
        market.world.ledger.claim(final.id, final.head, 1, struct(job.bid), leaves, final.verdicts())


def test_claim_other_bid_reverts(market: Any, final: Epoch, job: Any, works: list[Work]) -> None:
    dearer = replace(job.bid, max_price_wei_per_gwu=2 * PRICE_WEI_PER_GWU)
    leaves = tuple(final.claimed_leaves(works[0]).values())
    with reverts("EpochLedger_BidMismatch"):
        market.world.ledger.claim(final.id, final.head, 0, struct(dearer), leaves, final.verdicts())


# --- claim: what a device signs, a settler posts and seats call right, and yet is not paid


def test_claim_price_above_bid_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0])
    work = work.signed_again(amount=work.receipt.amount + 1)
    with reverts("EpochLedger_PriceExceeded"):
        final_right(market, work).claim()


def test_claim_wu_above_limit_reverts(market: Any, job: Any) -> None:
    most = 4 * TASK_LIMIT_WU
    work = market.rich.work(job, [0], wu=dict.fromkeys(range(4), TASK_LIMIT_WU))
    work = work.signed_again(total_wu=most + 1, total_squared_wu=work.receipt.total_squared_wu + most)
    with reverts("EpochLedger_WorkOutside"):
        final_right(market, work).claim()


def test_claim_no_wu_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0]).signed_again(total_wu=0, total_squared_wu=0, amount=0)
    with reverts("EpochLedger_WorkOutside"):
        final_right(market, work).claim()


def test_claim_squares_understated_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0])
    work = work.signed_again(total_squared_wu=work.receipt.total_squared_wu - 1)
    with reverts("EpochLedger_SquaresOutside"):
        final_right(market, work).claim()


def test_claim_squares_overstated_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0])
    work = work.signed_again(total_squared_wu=work.receipt.total_wu * TASK_LIMIT_WU + 1)
    with reverts("EpochLedger_SquaresOutside"):
        final_right(market, work).claim()


@pytest.mark.parametrize("count", [3, 5])
def test_claim_count_other_than_spans_reverts(market: Any, job: Any, count: int) -> None:
    work = market.rich.work(job, [0], wu={0: TASK_WU + 1000})
    work = work.signed_again(count=count, total_squared_wu=work.receipt.total_squared_wu * 2)
    with reverts("EpochLedger_CountMismatch"):
        final_right(market, work).claim()


def test_claim_span_outside_job_reverts(market: Any, job: Any) -> None:
    spans = SpanSet.of([16])
    work = replace(market.rich.work(job, [0]).signed_again(spans_hash=spans.hash), spans=spans)
    with reverts("Spans_OutsideJob"):
        final_right(market, work).claim()


def test_claim_posted_after_postBy_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0])
    late = work.signed_again(post_by=work.receipt.post_by - 50_000)
    advance(10)
    with reverts("EpochLedger_PostedLate"):
        final_right(market, late).claim()


def test_claim_period_ahead_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0], period=1)
    with reverts("EpochLedger_PeriodAhead"):
        final_right(market, work).claim()


def test_claim_stake_below_minimum_reverts(market: Any) -> None:
    job = market.buyer.open_job(market.settler, min_stake=30 * P + 1)
    work = market.poor.work(job, [0])
    with reverts("EpochLedger_StakeTooLow"):
        final_right(market, work).claim()


def test_claim_stake_brought_after_posting_reverts(market: Any) -> None:
    job = market.buyer.open_job(market.settler, min_stake=100 * P)
    epoch = market.settler.post(market.poor.work(job, [0]))
    market.world.token.approve(market.world.vault, 100 * P, {"from": market.world.deployer})
    market.world.vault.stake(market.poor.address, 100 * P, {"from": market.world.deployer})
    epoch.attest().end_window()
    with reverts("EpochLedger_StakeTooLow"):
        epoch.claim()


def test_claim_unbound_device_reverts(market: Any, job: Any) -> None:
    loose = Device.__new__(Device)
    loose.world, loose.signer = market.world, Signer("loose")
    loose.address, loose.owner = loose.signer.address, Signer("nobody")
    with reverts("EpochLedger_DeviceUnbound"):
        final_right(market, loose.work(job, [0])).claim()


def test_claim_replay_too_long_reverts(market: Any) -> None:
    tasks = MAX_REPLAY_WU // TASK_LIMIT_WU + 1
    job = market.buyer.open_job(
        market.settler, task_count=tasks, span_tasks=256, max_price_wei_per_gwu=P, budget=100 * P
    )
    wu = dict.fromkeys(range(tasks), TASK_LIMIT_WU)
    work = market.bare.work(job, range(-(-tasks // 256)), wu=wu, price=P)
    with reverts("EpochLedger_ReplayTooLong"):
        final_right(market, work).claim()


def test_claim_other_jobs_leaf_reverts(market: Any, job: Any) -> None:
    """A settler puts one buyer's receipt into another job's entry."""
    other = market.buyer.open_job(market.settler)
    work, foreign = market.rich.work(job, [0]), market.rich.work(other, [1])
    epoch = market.settler.post_groups([[work, foreign]])
    epoch.all_say(work, Verdict.RIGHT).all_say(foreign, Verdict.RIGHT).attest().end_window()
    with reverts("EpochLedger_SignatureInvalid"):
        epoch.claim_with([work], epoch.claimed_leaves(foreign))
    assert other.state["available"] == other.bid.budget


def test_claim_unattested_reverts(market: Any, works: list[Work]) -> None:
    epoch = market.settler.post(*works).attest(silent=market.verifiers).end_window()
    with reverts("Attestations_LeafNotAttested"):
        epoch.claim()


def test_claim_wrong_verdict_reverts(market: Any, works: list[Work]) -> None:
    epoch = market.settler.post(*works).all_say(works[1], Verdict.WRONG).attest().end_window()
    with reverts("Attestations_LeafNotAttested"):
        epoch.claim()
    epoch.claim(works[0], works[2])


# --- claim: paid once


def test_claim_same_leaf_twice_in_one_claim_reverts(final: Epoch, works: list[Work]) -> None:
    with reverts("EpochLedger_LeafOrder"):
        final.claim(works[0], works[0])


def test_claim_leaves_out_of_order_reverts(final: Epoch, works: list[Work]) -> None:
    with reverts("EpochLedger_LeafOrder"):
        final.claim(works[1], works[0])


def test_claim_again_reverts(final: Epoch, works: list[Work]) -> None:
    final.claim(works[0])
    with reverts("EpochLedger_LeafSettled"):
        final.claim(works[0])


def test_claim_span_in_two_leaves_of_one_claim_reverts(market: Any, job: Any) -> None:
    works = [market.rich.work(job, [0, 1]), market.poor.work(job, [1, 2])]
    epoch = market.settler.post(*works).attest().end_window()
    with reverts("EpochLedger_SpanTwice"):
        epoch.claim()


def test_claim_span_in_two_leaves_of_two_claims_reverts(market: Any, job: Any) -> None:
    works = [market.rich.work(job, [0, 1]), market.poor.work(job, [1, 2])]
    epoch = market.settler.post(*works).attest().end_window()
    epoch.claim(works[0])
    with reverts("JobEscrow_SpanPaid"):
        epoch.claim(works[1])


def test_claim_receipt_in_two_epochs_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0])
    first, second = market.settler.post(work), market.settler.post(work)
    first.attest()
    second.attest().end_window()
    first.claim()
    with reverts("JobEscrow_SpanPaid"):
        second.claim()


def test_claim_same_receipt_as_two_leaves_pays_once(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0])
    twin = replace(work)
    epoch = market.settler.post_groups([[work, twin]]).attest().end_window()
    epoch.claim(work)
    packed = packed_leaf(1, work.receipt, work.spans, work.signature)
    with reverts("JobEscrow_SpanPaid"):
        epoch.claim_with([work], epoch.claimed_leaves(work) | {"packed": packed})


def test_claim_wider_receipt_of_same_period_reverts(market: Any, job: Any) -> None:
    """The cumulative receipt after the older one was posted: its spans are paid, so the rest needs a new period."""
    older = market.rich.work(job, [0])
    newer = market.rich.work(job, [0, 1], period=0)
    market.settler.post(older).attest().end_window().claim()
    epoch = market.settler.post(newer).attest().end_window()
    with reverts("JobEscrow_SpanPaid"):
        epoch.claim()
    rest = market.rich.work(job, [1])
    market.settler.post(rest).attest().end_window().claim()


# --- claim: who posted


def rescue(market: Any, work: Work) -> Epoch:
    """The rival posts after the settler's silence."""
    advance(PARAMETERS.posting_grace_s + 1)
    epoch: Epoch = market.rival.post(work)
    return epoch.attest().end_window()


def test_claim_second_settler_without_lease_reverts(market: Any, job: Any) -> None:
    with reverts("EpochLedger_SpanNotLeased"):
        rescue(market, market.rich.work(job, [0], leased=False)).claim()


def test_claim_second_settler_own_lease_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0], leased=False)
    lease = market.rival.lease(job, market.rich, work.spans, PRICE_WEI_PER_GWU)
    with reverts("EpochLedger_SignatureInvalid"):
        rescue(market, replace(work, leases=(lease,))).claim()


def test_claim_second_settler_partly_leased_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0, 1, 2], leased=False)
    lease = market.settler.lease(job, market.rich, SpanSet.of([0, 2, 9]), PRICE_WEI_PER_GWU)
    with reverts("EpochLedger_SpanNotLeased"):
        rescue(market, replace(work, leases=(lease,))).claim()


def test_claim_second_settler_other_devices_lease_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0], leased=False)
    lease = market.settler.lease(job, market.poor, work.spans, PRICE_WEI_PER_GWU)
    with reverts("EpochLedger_LeaseMismatch"):
        rescue(market, replace(work, leases=(lease,))).claim()


def test_claim_second_settler_other_jobs_lease_reverts(market: Any, job: Any) -> None:
    other = market.buyer.open_job(market.settler)
    work = market.rich.work(job, [0], leased=False)
    lease = market.settler.lease(other, market.rich, work.spans, PRICE_WEI_PER_GWU)
    with reverts("EpochLedger_JobMismatch"):
        rescue(market, replace(work, leases=(lease,))).claim()


def test_claim_second_settler_cheaper_lease_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0], leased=False)
    lease = market.settler.lease(job, market.rich, work.spans, PRICE_WEI_PER_GWU - 1)
    with reverts("EpochLedger_PriceExceeded"):
        rescue(market, replace(work, leases=(lease,))).claim()


def test_claim_second_settler_lease_ends_before_receipt_reverts(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0])
    late = work.signed_again(post_by=work.leases[0][0].post_by + 1)
    with reverts("EpochLedger_LeaseMismatch"):
        rescue(market, late).claim()


def test_claim_second_settler_with_both_signatures_pays(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0, 1, 2], leased=False)
    leases = tuple(
        market.settler.lease(job, market.rich, SpanSet.of(spans), PRICE_WEI_PER_GWU) for spans in ([0, 2], [1, 5])
    )
    before = market.rich.received
    money = money_of(rescue(market, replace(work, leases=leases)).claim(sender=market.stranger))[0]
    assert market.rich.received - before == money["paid"] > 0
    assert (market.rival.earned, market.settler.earned) == (money["fee"], 0)


# --- claim: the money


@pytest.mark.parametrize("count", [1, 2, 3])
def test_claim_pays_what_the_protocol_says(market: Any, job: Any, works: list[Work], count: int) -> None:
    epoch = market.settler.post(*works[:count]).attest()
    stakes = [
        (int(market.world.vault.stakeAt(w.device.address, epoch.post_block)), int(w.device.state["stake"]))
        for w in works
    ]
    before = [work.device.received for work in works]
    found = money_of(epoch.end_window().claim(*works[:count]))
    spent = 0
    for work, money, (then, now_), had in zip(works[:count], found, stakes[:count], before[:count], strict=True):
        wanted = leaf_money(work.receipt, job.bid, FEE_PPM, then, now_)
        assert money == {name: getattr(wanted, name) for name in money}
        assert work.device.received - had == wanted.paid
        assert work.device.state["stake"] - now_ == wanted.bonded
        spent += wanted.spent
    assert job.state["available"] == job.bid.budget - spent
    assert job.state["spansUnpaid"] == 16 - 4 * count
    assert market.settler.earned == sum(money["fee"] for money in found)
    verification = sum(money["deduction"] + money["surcharge"] for money in found)
    assert sum(verifier.earned for verifier in market.verifiers) == verification


def test_claim_two_leaves_of_one_device_bond_in_turn(market: Any, job: Any) -> None:
    """The second leaf counts what the first one bonds."""
    device = Device(market.world, "growing", 290 * P)
    works = [device.work(job, range(4)), device.work(job, range(4, 8))]
    found = money_of(market.settler.post(*works).attest().end_window().claim())
    stake = 290 * P
    for work, money in zip(works, found, strict=True):
        assert money["bonded"] == leaf_money(work.receipt, job.bid, FEE_PPM, 290 * P, stake).bonded
        stake += money["bonded"]
    assert found[0]["bonded"] == 10 * P
    assert found[1]["bonded"] == 0
    assert device.state["stake"] == stake


def test_claim_pays_an_owner_of_two_devices_for_both(market: Any, job: Any) -> None:
    """Credited where it may take it out, without a transfer."""
    owner = Signer("owner of two")
    devices = [Device(market.world, f"device {i}", 300 * P, owner=None if i == 1 else owner) for i in range(3)]
    works = [device.work(job, [i]) for i, device in enumerate(devices)]
    epoch = market.settler.post(*works).attest().end_window()
    claimed = epoch.claim()
    paid = [money["paid"] for money in money_of(claimed)]
    assert devices[0].received == devices[2].received == paid[0] + paid[2]
    assert devices[1].received == paid[1]
    assert "Transfer" not in claimed.events
    had = market.world.token.balanceOf(owner.address)
    market.world.escrow.withdraw(paid[0] + paid[2], {"from": owner_account(market, devices[0])})
    assert market.world.token.balanceOf(owner.address) - had == paid[0] + paid[2]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_claim_any_leaves_of_an_entry_in_two_claims(market: Any, job: Any, count: int) -> None:
    """Every other leaf first, with siblings, then the others; the entry is settled whole."""
    works = [market.rich.work(job, [i]) for i in range(count)]
    epoch = market.settler.post(*works).attest().end_window()
    for part in (works[::2], works[1::2]):
        if part:
            found = epoch.claim(*part)
            assert [bytes(event["receiptDigest"]) for event in found.events["Claimed"]] == [
                work.receipt.struct_hash for work in part
            ]
    assert (job.state["debited"], job.state["spansUnpaid"]) == (0, 16 - count)


def test_claim_credits_are_those_of_the_event(market: Any, works: list[Work]) -> None:
    claimed = market.settler.post(*works).attest().end_window().claim()
    settled = claimed.events["JobSettled"]
    credited: dict[str, int] = {}
    for account, amount in zip(settled["accounts"], settled["amounts"], strict=True):
        credited[str(account)] = credited.get(str(account), 0) + int(amount)
    for account, amount in credited.items():
        assert market.world.escrow.balanceOf(account) == amount
    assert sum(credited.values()) + sum(money["bonded"] for money in money_of(claimed)) == settled["spent"]


def test_claim_two_seats_share_the_verification(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0], wu={0: TASK_WU + 3})
    epoch = market.settler.post(work)
    epoch.attest(lambda seed: len(epoch.seats_of(work, seed)) == 2)
    money = money_of(epoch.end_window().claim())[0]
    total = money["deduction"] + money["surcharge"]
    earned = {verifier.address: verifier.earned for verifier in market.verifiers}
    assert [earned[seat] for seat in epoch.seats_of(work)] == [total - total // 2, total // 2]


def test_claim_stake_moved_after_posting_changes_nothing(market: Any, job: Any) -> None:
    """Stake taken back after the posting counts for the draw; stake brought after it does not."""
    works = [market.rich.work(job, [0]), market.bare.work(job, [1])]
    epoch = market.settler.post(*works)
    market.world.vault.requestUnstake(market.rich.address, 1_000 * P, {"from": owner_account(market, market.rich)})
    market.world.token.approve(market.world.vault, 500 * P, {"from": market.world.deployer})
    market.world.vault.stake(market.bare.address, 500 * P, {"from": market.world.deployer})
    rich, bare = money_of(epoch.attest().end_window().claim())
    assert rich["deduction"] == leaf_money(works[0].receipt, job.bid, FEE_PPM, 1_000 * P, 0).deduction
    assert bare["deduction"] == bare["amount"] // 2


def test_claim_stake_taken_back_before_posting_counts_nothing(market: Any, job: Any) -> None:
    work = market.rich.work(job, [0])
    market.world.vault.requestUnstake(market.rich.address, 1_000 * P, {"from": owner_account(market, market.rich)})
    money = money_of(market.settler.post(work).attest().end_window().claim())[0]
    assert money["deduction"] == money["amount"] // 2


def owner_account(market: Any, device: Device) -> Any:
    """The owner as an account that sends."""
    return brownie.accounts.add(device.owner.key.hex())
