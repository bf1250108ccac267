"""EpochLedger: the epoch's bond, voids and returns, attacked straight at the contract."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.merkle import ReceiptTree
from protocol.sampling import is_drawn, p_ppm, price_of_task
from tests.contracts.actors import Epoch, Work
from tests.contracts.chain import advance, mine, reverts
from tests.contracts.conftest import struct
from tests.contracts.world import EPOCH_BOND, PARAMETERS, TASK_WU, P

pytest_plugins = ("tests.contracts.stories", "tests.contracts.ledger_stories")


# --- the epoch's bond


def test_claim_last_leaf_releases_bond(market: Any, final: Epoch, works: list[Work]) -> None:
    locked = lambda: market.world.seats.settlerOf(market.settler.address)["locked"]  # noqa: E731
    final.claim(works[0], works[1])
    assert locked() == EPOCH_BOND
    transaction = final.claim(works[2])
    assert locked() == 0
    assert "EpochFinished" in transaction.events


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_claim_two_jobs_finish_only_together(market: Any, job: Any, order: tuple[int, int]) -> None:
    other = market.buyer.open_job(market.settler)
    works = [market.rich.work(job, [0]), market.poor.work(other, [3])]
    epoch = market.settler.post(*works).attest().end_window()
    assert "EpochFinished" not in epoch.claim(works[order[0]]).events
    assert "EpochFinished" in epoch.claim(works[order[1]]).events


def test_claim_beside_padding_with_a_sum_reverts_and_all_goes_back_to_the_job(market: Any, job: Any) -> None:
    """A settler hides a debit behind its tree's padding: what stands beside it is not paid, the buyer gets all back."""
    works = [market.rich.work(job, [i]) for i in range(3)]
    tree = ReceiptTree([(work.receipt, work.debit) for work in works] + [(works[0].receipt, 7 * P)])
    entry = (job.id, tree.root, 3, tree.sum)
    transaction = market.world.ledger.postEpoch([entry], bytes(32), {"from": market.settler.account})
    forged = Epoch(market.world, market.settler, [works], [entry], transaction)
    forged.head = (forged.head[0], bytes(32), *forged.head[2:])
    market.world.epochs.append(forged)
    forged.attest().end_window()
    with reverts("EpochLedger_TreeInvalid"):
        forged.claim()
    (node,) = tree.shared_proof([0, 1])
    path = {"siblings": [node.hash], "siblingSums": [node.sums[0]]}
    forged.claim_with(works[:2], forged.claimed_leaves(*works[:2]) | path)
    advance(PARAMETERS.claim_s)
    transaction = market.world.ledger.returnUnclaimed(forged.id, forged.head, 0, {"from": market.stranger})
    assert transaction.events["JobRestored"]["amount"] == works[2].debit + 7 * P
    assert job.state["debited"] == 0
    assert "EpochFinished" in transaction.events


# --- voidLeaf


def test_voidLeaf_of_honest_device_reverts(market: Any, final: Epoch, works: list[Work]) -> None:
    with reverts("EpochLedger_MayNotVoid"):
        market.world.ledger.voidLeaf(final.ref(works[0]), {"from": market.settler.account})


def test_voidLeaf_claimed_reverts(market: Any, final: Epoch, works: list[Work]) -> None:
    final.claim()
    with reverts("EpochLedger_LeafSettled"):
        market.world.ledger.voidLeaf(final.ref(works[0]), {"from": market.stranger})


def test_verifyLeaf_forged_debit_reverts(market: Any, final: Epoch, works: list[Work]) -> None:
    ref = list(final.ref(works[0]))
    ref[5] += 1
    with reverts("EpochLedger_PathInvalid"):
        market.world.ledger.verifyLeaf(ref)


def test_verifyLeaf_numbers_leaves_through_all_entries(market: Any, job: Any) -> None:
    other = market.buyer.open_job(market.settler)
    works = [market.rich.work(job, [0]), market.poor.work(job, [1]), market.bare.work(other, [2])]
    epoch = market.settler.post(*works)
    for number, work in enumerate(works):
        found = market.world.ledger.verifyLeaf(epoch.ref(work))
        assert (bytes(found[0]), found[1], found[2]) == (epoch.leaf_hash(work), number, False)


# --- voidEpoch


def test_voidEpoch_before_timeout_reverts(market: Any, works: list[Work]) -> None:
    epoch = market.settler.post(*works)
    with reverts("EpochLedger_WrongState"):
        market.world.ledger.voidEpoch(epoch.id, epoch.head, {"from": market.stranger})


def test_voidEpoch_seeded_reverts(market: Any, final: Epoch) -> None:
    with reverts("EpochLedger_WrongState"):
        market.world.ledger.voidEpoch(final.id, final.head, {"from": market.stranger})


def test_voidEpoch_without_seed_burns_bond_and_receipts_are_posted_again(
    market: Any, job: Any, works: list[Work]
) -> None:
    epoch = market.settler.post(*works)
    bond, supply = market.settler.bond, market.world.token.totalSupply()
    advance(PARAMETERS.seed_timeout_s + 1)
    with reverts("Attestations_WrongState"):
        market.world.attestations.drawSeed(epoch.id, {"from": market.stranger})
    market.world.ledger.voidEpoch(epoch.id, epoch.head, {"from": market.stranger})
    assert market.settler.bond == bond - EPOCH_BOND
    assert market.world.token.totalSupply() == supply - EPOCH_BOND
    assert (job.state["debited"], job.state["available"]) == (0, job.bid.budget)
    with reverts("EpochLedger_NothingLeft"):
        market.world.ledger.voidEpoch(epoch.id, epoch.head, {"from": market.stranger})
    again = market.settler.post(*works).attest().end_window()
    again.claim()
    assert job.state["spansUnpaid"] == 4


def test_claim_of_void_epoch_reverts(market: Any, works: list[Work]) -> None:
    epoch = market.settler.post(*works)
    advance(PARAMETERS.seed_timeout_s + 1)
    arguments = (epoch.id, epoch.head, 0, struct(works[0].job.bid), tuple(epoch.claimed_leaves(works[0]).values()), [])
    with reverts("EpochLedger_WrongState"):
        market.world.ledger.claim(*arguments, {"from": market.stranger})


# --- returnUnclaimed


def test_returnUnclaimed_before_claim_time_reverts(market: Any, final: Epoch) -> None:
    with reverts("EpochLedger_TooEarly"):
        market.world.ledger.returnUnclaimed(final.id, final.head, 0, {"from": market.stranger})


def test_returnUnclaimed_gives_back_the_rest_and_releases_bond(
    market: Any, job: Any, final: Epoch, works: list[Work]
) -> None:
    final.claim(works[0])
    before = job.state["available"]
    advance(PARAMETERS.claim_s)
    transaction = market.world.ledger.returnUnclaimed(final.id, final.head, 0, {"from": market.stranger})
    assert job.state["available"] - before == works[1].debit + works[2].debit
    assert job.state["debited"] == 0
    assert "EpochFinished" in transaction.events
    with reverts("EpochLedger_LeafSettled"):
        final.claim(works[1])
    with reverts("EpochLedger_NothingLeft"):
        market.world.ledger.returnUnclaimed(final.id, final.head, 0, {"from": market.stranger})


# --- isDrawn


def test_isDrawn_before_seed_reverts(market: Any, works: list[Work]) -> None:
    epoch = market.settler.post(*works)
    mine()
    with reverts("EpochLedger_NoDraw"):
        market.world.ledger.isDrawn(
            epoch.id, epoch.head, struct(works[0].job.bid), struct(works[0].receipt), 0, TASK_WU
        )


def test_isDrawn_same_as_python(market: Any, job: Any) -> None:
    work = market.poor.work(job, range(4), wu={0: 3 * TASK_WU, 5: 7})
    epoch = market.settler.post(work).draw_seed()
    receipt, drawn = work.receipt, epoch.drawn(work)
    for k, result in enumerate(work.results):
        chance = p_ppm(price_of_task(result.wu, receipt.amount, receipt.total_wu), 30 * P, job.bid.rate_floor_ppm)
        assert is_drawn(epoch.seed, receipt.struct_hash, k, chance) == (k in drawn)
        arguments = (epoch.id, epoch.head, struct(job.bid), struct(receipt), k, result.wu)
        assert market.world.ledger.isDrawn(*arguments) == (k in drawn)
