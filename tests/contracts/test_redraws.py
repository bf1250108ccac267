"""Attestations: redraws of leaves that their first seats left open."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from protocol.merkle import ReceiptTree
from protocol.money import leaf_money, shares_of
from protocol.sampling import ballot_seats, ballot_seed, redraw_subject
from protocol.verdicts import Verdict, ballot_commitment
from tests.contracts.actors import FEE_PPM, Epoch, VerifierActor, Work
from tests.contracts.chain import advance, mine, reverts
from tests.contracts.verdict_stories import HUNG, PENDING, RIGHT, UNAVAILABLE, WRONG, committed
from tests.contracts.world import PARAMETERS, SETTLER_BOND, P

pytest_plugins = ("tests.contracts.stories", "tests.contracts.verdict_stories")


# --- redraws: refused


def redraw(epoch: Epoch, work: Work, verdicts: Any = None) -> bytes:
    """Opens a redraw; returns its subject."""
    shown = epoch.verdicts(work) if verdicts is None else verdicts
    transaction = epoch.world.attestations.redraw(epoch.ref(work), shown, {"from": epoch.world.deployer})
    return bytes(transaction.events["RedrawOpened"]["subject"])


def settle(epoch: Epoch, work: Work) -> Any:
    """Settles the redraw."""
    return epoch.world.attestations.settleRedraw(epoch.ref(work), {"from": epoch.world.deployer})


def test_redraw_of_an_attested_leaf_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    epoch.attest()
    with reverts("Attestations_LeafAttested"):
        redraw(epoch, work)


def test_redraw_hiding_a_verdict_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    epoch.attest()
    with reverts("Attestations_VerdictMissing"):
        redraw(epoch, work, [])


def test_redraw_before_the_reveals_are_over_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    committed(market, epoch)
    with reverts("Attestations_WrongState"):
        redraw(epoch, work, [])


def test_redraw_twice_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    epoch.attest(silent=market.verifiers)
    redraw(epoch, work)
    with reverts("Attestations_AlreadyRedrawn"):
        redraw(epoch, work)


def test_redraw_of_a_settled_leaf_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    epoch.attest(silent=market.verifiers).end_window()
    advance(PARAMETERS.claim_s)
    market.world.ledger.returnUnclaimed(epoch.id, epoch.head, 0, {"from": market.stranger})
    with reverts("Attestations_LeafSettled"):
        redraw(epoch, work)


def test_settleRedraw_without_redraw_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    epoch.attest()
    with reverts("Attestations_NoRedraw"):
        settle(epoch, work)


# --- redraws: the ballot


class Redraw:
    """A leaf whose first seats were silent, in its redraw."""

    def __init__(self, market: Any, epoch: Epoch, work: Work) -> None:
        self.market, self.epoch, self.work = market, epoch, work
        self.subject = redraw(epoch, work)
        market.world.mine_until(lambda: len(self.drawn) > 1)

    @property
    def seats(self) -> list[str]:
        return [str(seat) for seat in self.market.world.attestations.ballotSeats(self.subject)]

    @property
    def drawn(self) -> list[VerifierActor]:
        return [verifier for verifier in self.market.verifiers if verifier.address in self.seats]

    def vote(self, vote: Verdict, but: dict[str, Verdict] | None = None) -> Redraw:
        chosen = {verifier: (but or {}).get(verifier.address, vote) for verifier in self.drawn}
        for verifier, value in chosen.items():
            verifier.commit_vote(self.subject, value, self.market.world.attestations)
        for verifier, value in chosen.items():
            verifier.reveal_vote(self.subject, value, self.market.world.attestations)
        return self

    def next_round(self) -> Redraw:
        """After a hung first ballot."""
        transaction = settle(self.epoch, self.work)
        self.subject = bytes(transaction.events["RedrawOpened"]["subject"])
        mine(PARAMETERS.beacon_delay_blocks + 1)
        return self


@pytest.fixture
def ballot(market: Any, epoch: Epoch, work: Work) -> Redraw:
    """The redraw of the silent leaf, its round there."""
    epoch.attest(silent=market.verifiers)
    return Redraw(market, epoch, work)


def test_commitBallot_before_the_round_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    epoch.attest(silent=market.verifiers)
    subject = redraw(epoch, work)
    with reverts("Ballot_NoRandomness"):
        market.verifiers[0].commit_vote(subject, Verdict.RIGHT, market.world.attestations)


def test_commitBallot_of_no_ballot_reverts(market: Any) -> None:
    with reverts("Ballot_WrongPhase"):
        market.verifiers[0].commit_vote(b"\x09" * 32, Verdict.RIGHT, market.world.attestations)


def test_commitBallot_by_a_seat_not_drawn_reverts(market: Any, ballot: Redraw) -> None:
    outsider = next(verifier for verifier in market.verifiers if verifier.address not in ballot.seats)
    with reverts("Ballot_NotDrawn"):
        outsider.commit_vote(ballot.subject, Verdict.RIGHT, market.world.attestations)


def test_commitBallot_zero_reverts(market: Any, ballot: Redraw) -> None:
    with reverts("Ballot_CommitmentZero"):
        arguments = (ballot.subject, bytes(32), {"from": ballot.drawn[0].account})
        market.world.attestations.commitBallot(*arguments)


def test_commitBallot_twice_reverts(market: Any, ballot: Redraw) -> None:
    ballot.drawn[0].commit_vote(ballot.subject, Verdict.RIGHT, market.world.attestations)
    with reverts("Ballot_AlreadyActed"):
        ballot.drawn[0].commit_vote(ballot.subject, Verdict.RIGHT, market.world.attestations)


def test_revealBallot_while_others_may_commit_reverts(market: Any, ballot: Redraw) -> None:
    ballot.drawn[0].commit_vote(ballot.subject, Verdict.RIGHT, market.world.attestations)
    with reverts("Ballot_WrongPhase"):
        ballot.drawn[0].reveal_vote(ballot.subject, Verdict.RIGHT, market.world.attestations)


def test_revealBallot_copied_commitment_reverts(market: Any, ballot: Redraw) -> None:
    worker, copier = ballot.drawn[0], ballot.drawn[-1]
    salt = b"\x05" * 32
    commitment = ballot_commitment(salt, worker.address, ballot.subject, Verdict.RIGHT)
    market.world.attestations.commitBallot(ballot.subject, commitment, {"from": copier.account})
    advance(PARAMETERS.commit_s)
    with reverts("Ballot_CommitmentMismatch"):
        market.world.attestations.revealBallot(ballot.subject, salt, 1, {"from": copier.account})


@pytest.mark.parametrize("vote", [0, 4])
def test_revealBallot_unknown_vote_reverts(market: Any, ballot: Redraw, vote: int) -> None:
    ballot.drawn[0].commit_vote(ballot.subject, Verdict.RIGHT, market.world.attestations)
    advance(PARAMETERS.commit_s)
    with reverts("Ballot_VoteUnknown"):
        market.world.attestations.revealBallot(ballot.subject, bytes(32), vote, {"from": ballot.drawn[0].account})


def test_settleRedraw_while_voting_reverts(market: Any, epoch: Epoch, work: Work, ballot: Redraw) -> None:
    with reverts("Attestations_RedrawPending"):
        settle(epoch, work)


def test_ballotSeats_same_as_python(market: Any, epoch: Epoch, work: Work, ballot: Redraw) -> None:
    assert ballot.subject == redraw_subject(epoch.id, epoch.leaf_hash(work), 1)
    seats = market.world.seat_list(epoch.snapshot)
    event_round = market.world.attestations.redrawOf(epoch.id, epoch.leaf_hash(work))
    assert (event_round[0], bytes(event_round[1]), event_round[2]) == (1, ballot.subject, PENDING)
    found = ballot.seats
    ballot.vote(Verdict.RIGHT)
    seed = ballot_seed(randomness_of(market, ballot), ballot.subject)
    chosen = ballot_seats(seed, ballot.subject, seats, 3, (work.device.owner.address,))
    assert [seats[index].verifier for index in chosen] == found == ballot.seats


def randomness_of(market: Any, ballot: Redraw) -> bytes:
    """The beacon's randomness at the ballot's round, from the event."""
    events = brownie.web3.eth.contract(
        address=market.world.attestations.address, abi=market.world.attestations.abi
    ).events.RedrawOpened.get_logs(from_block=0)
    (event,) = [event for event in events if bytes(event["args"]["subject"]) == ballot.subject]
    return bytes(market.world.beacon.randomness(event["args"]["beaconRound"]))


# --- redraws: the outcome


def test_settleRedraw_right_attests_and_pays_its_voters(market: Any, epoch: Epoch, work: Work, ballot: Redraw) -> None:
    ballot.vote(Verdict.RIGHT)
    assert settle(epoch, work).events["RedrawSettled"]["outcome"] == RIGHT
    with reverts("Attestations_AlreadyRedrawn"):
        settle(epoch, work)
    money = leaf_money(work.receipt, work.job.bid, FEE_PPM, 30 * P, 30 * P)
    epoch.end_window().claim()
    wanted = dict.fromkeys(ballot.seats, 0)
    for seat, share in zip(ballot.seats, shares_of(money.verification, 3), strict=True):
        wanted[seat] += share
    assert {seat: int(market.world.escrow.balanceOf(seat)) for seat in ballot.seats} == wanted


def test_settleRedraw_wrong_voids_and_the_settler_pays(market: Any, epoch: Epoch, work: Work, ballot: Redraw) -> None:
    """The path of devices below S_min too: nobody is slashed, the replay is paid from the settler's bond."""
    ballot.vote(Verdict.WRONG)
    stake = work.device.state["stake"]
    assert settle(epoch, work).events["RedrawSettled"]["outcome"] == WRONG
    with reverts("EpochLedger_LeafSettled"):
        epoch.end_window().claim()
    assert work.device.state["stake"] == stake
    assert work.device.received == 0
    assert work.job.state["available"] == work.job.bid.budget
    money = leaf_money(work.receipt, work.job.bid, FEE_PPM, 30 * P, 30 * P)
    assert money.rule_ppm > work.job.bid.rate_floor_ppm
    paid = SETTLER_BOND - market.settler.bond
    assert paid == money.deduction // 3 * 3 > 0
    assert sum(int(market.world.seats.earned(seat)) for seat in set(ballot.seats)) == paid
    assert all(verifier.stake == verifier.seats for verifier in market.verifiers)


def test_settleRedraw_wrong_above_the_rule_pays_by_the_floor(market: Any) -> None:
    work = market.rich.work(market.buyer.open_job(market.settler), range(4))
    epoch = market.settler.post(work).attest(silent=market.verifiers)
    Redraw(market, epoch, work).vote(Verdict.WRONG)
    settle(epoch, work)
    wanted = work.receipt.amount * work.job.bid.rate_floor_ppm // 2_000_000
    assert SETTLER_BOND - market.settler.bond == wanted // 3 * 3


def test_settleRedraw_of_a_nonsense_receipt_voids(market: Any, work: Work) -> None:
    nonsense = work.signed_again(total_wu=0, total_squared_wu=2**128 - 1, amount=0)
    epoch = market.settler.post(nonsense).attest(silent=market.verifiers)
    Redraw(market, epoch, nonsense).vote(Verdict.WRONG)
    assert settle(epoch, nonsense).events["LeafVoided"]["debit"] == nonsense.debit


def test_settleRedraw_unavailable_voids_and_slashes_nobody(
    market: Any, epoch: Epoch, work: Work, ballot: Redraw
) -> None:
    """Data withheld: the settler loses its fee, the device posts again; no verifier is framed."""
    ballot.vote(Verdict.UNAVAILABLE)
    assert settle(epoch, work).events["RedrawSettled"]["outcome"] == UNAVAILABLE
    assert market.settler.bond == SETTLER_BOND
    assert all(verifier.stake == verifier.seats for verifier in market.verifiers)
    again = market.settler.post(work).attest().end_window()
    again.claim()
    assert work.job.state["spansUnpaid"] == 12


def test_settleRedraw_hung_twice_voids(market: Any, epoch: Epoch, work: Work, ballot: Redraw) -> None:
    advance(PARAMETERS.seed_timeout_s)
    ballot.next_round()
    assert ballot.subject == redraw_subject(epoch.id, epoch.leaf_hash(work), 2)
    with reverts("Attestations_RedrawPending"):
        settle(epoch, work)
    advance(PARAMETERS.seed_timeout_s)
    transaction = settle(epoch, work)
    assert transaction.events["RedrawSettled"]["outcome"] == HUNG
    assert transaction.events["LeafVoided"]["debit"] == work.debit


def test_settleRedraw_second_round_attests(market: Any, epoch: Epoch, work: Work, ballot: Redraw) -> None:
    advance(PARAMETERS.seed_timeout_s)
    ballot.next_round().vote(Verdict.RIGHT)
    settle(epoch, work)
    epoch.end_window().claim()
    assert work.job.state["spansUnpaid"] == 12


def test_settleRedraw_committed_and_not_revealed_hangs(market: Any, epoch: Epoch, work: Work, ballot: Redraw) -> None:
    for verifier in ballot.drawn:
        verifier.commit_vote(ballot.subject, Verdict.RIGHT, market.world.attestations)
    advance(PARAMETERS.reveal_s)
    assert settle(epoch, work).events["RedrawSettled"]["outcome"] == HUNG


def test_claim_during_a_redraw_reverts(market: Any, epoch: Epoch, work: Work, ballot: Redraw) -> None:
    epoch.end_window()
    with reverts("Attestations_LeafNotAttested"):
        epoch.claim()


def test_settleRedraw_after_the_return_only_records(market: Any, epoch: Epoch, work: Work, ballot: Redraw) -> None:
    ballot.vote(Verdict.UNAVAILABLE)
    advance(PARAMETERS.window_s + PARAMETERS.claim_s)
    market.world.ledger.returnUnclaimed(epoch.id, epoch.head, 0, {"from": market.stranger})
    assert "LeafVoided" not in settle(epoch, work).events


def test_redraw_of_twin_leaves_voids_both(market: Any, work: Work) -> None:
    """The same receipt as two leaves has one draw and one redraw, and each leaf is voided on its own."""
    epoch = market.settler.post_groups([[work, work]]).attest(silent=market.verifiers)
    Redraw(market, epoch, work).vote(Verdict.WRONG)
    proof = ReceiptTree([(work.receipt, work.debit)] * 2).proof(1)
    twin = list(epoch.ref(work))
    twin[3], twin[6], twin[7] = 1, [node.hash for node in proof], [node.sums[0] for node in proof]
    bonds = [market.settler.bond]
    for ref in (epoch.ref(work), twin):
        transaction = market.world.attestations.settleRedraw(ref, {"from": market.stranger})
        assert transaction.events["LeafVoided"]["debit"] == work.debit
        bonds.append(market.settler.bond)
        with reverts("Attestations_AlreadyRedrawn"):
            market.world.attestations.settleRedraw(ref, {"from": market.stranger})
    assert bonds[0] > bonds[1] == bonds[2]
