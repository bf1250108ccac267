"""Panel: challenges of honest and dishonest parties, the vote, and challenges that fail."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from protocol.sampling import ballot_seats, ballot_seed, panel_subject
from protocol.verdicts import Verdict, ballot_commitment
from tests.contracts.actors import Epoch, GameActor, Work
from tests.contracts.chain import advance, reverts
from tests.contracts.disputes import (
    COMMITTING,
    DECIDED,
    DRAWING,
    HUNG,
    REJECTED,
    REVEALING,
    STANDS,
    UNAVAILABLE,
    UPHELD,
    WRONG,
    conviction,
    epoch_of,
    seats_of,
)
from tests.contracts.world import CHALLENGE_BOND, PARAMETERS, SEAT_STAKE, SETTLER_BOND, P

pytest_plugins = ("tests.contracts.stories", "tests.contracts.disputes")


# --- open: refused


def test_open_before_the_window_reverts(market: Any, lie: Work) -> None:
    epoch = market.settler.post(lie).draw_seed()
    with reverts("Panel_OutsideWindow"):
        GameActor(epoch, lie, 0, market.stranger, verdicts=[])


def test_open_after_the_window_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    caught.end_window()
    with reverts("Panel_OutsideWindow"):
        GameActor(caught, lie, 0, market.stranger)


def test_open_below_minimum_stake_reverts(market: Any, job: Any) -> None:
    work = market.bare.work(job, [0], lies=[0])
    epoch = epoch_of(market, work)
    with reverts("Panel_StakeTooLow"):
        GameActor(epoch, work, 0, market.stranger)


def test_open_task_outside_receipt_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    with reverts("Panel_TaskOutside"):
        GameActor(caught, lie, 16, market.stranger)


def test_open_without_the_devices_signature_reverts(market: Any, lie: Work, truth: Work) -> None:
    """A settler that posts what a device never signed can't have it convicted."""
    framed = Work(lie.job, lie.device, lie.spans, lie.results, lie.receipt, truth.signature, lie.lies)
    epoch = epoch_of(market, framed)
    with reverts("Panel_SignatureInvalid"):
        GameActor(epoch, framed, 0, market.stranger)


def test_open_forged_leaf_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    ref = list(caught.ref(lie))
    ref[6] = [b"\x01" * 32]
    with reverts("EpochLedger_PathInvalid"):
        market.world.panel.open(
            ref, lie.signature, 0, caught.verdicts(lie), {"from": market.stranger, "value": CHALLENGE_BOND}
        )


@pytest.mark.parametrize("value", [1, CHALLENGE_BOND - 1, CHALLENGE_BOND + 1])
def test_open_other_bond_reverts(market: Any, lie: Work, caught: Epoch, value: int) -> None:
    with reverts("Panel_BondMismatch"):
        GameActor(caught, lie, 0, market.stranger, value=value)


def test_open_seat_bond_of_a_stranger_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    with reverts("Panel_NotAccuser"):
        GameActor(caught, lie, 0, market.stranger, value=0)


def test_open_seat_bond_of_a_seat_not_drawn_reverts(market: Any, truth: Work) -> None:
    """No seat accuses, so the opener would win; its seat is no bond all the same."""
    epoch = epoch_of(market, truth)
    other = next(verifier for verifier in market.verifiers if verifier.address not in epoch.seats_of(truth))
    with reverts("Panel_NotAccuser"):
        GameActor(epoch, truth, 0, other, value=0)


def test_open_leaving_the_accusing_seat_out_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    """Whoever copies a seat's accusation from the mempool can't take its winner's share."""
    with reverts("Panel_VerdictMissing"):
        GameActor(caught, lie, 0, market.stranger, verdicts=[])


def test_open_forged_verdict_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    (seat,) = seats_of(market, caught, lie)
    with reverts("Attestations_VerdictMismatch"):
        GameActor(caught, lie, 0, market.stranger, verdicts=[(seat.address, 1, [b"\x01" * 32])])


def test_open_twice_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    GameActor(caught, lie, 0, market.stranger)
    with reverts("Panel_GameExists"):
        GameActor(caught, lie, 0, market.stranger)


def test_open_more_games_than_seats_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    (seat,) = seats_of(market, caught, lie)
    for task in range(seat.seats):
        GameActor(caught, lie, task, seat, value=0)
    with reverts("Panel_SeatsEngaged"):
        GameActor(caught, lie, seat.seats, seat, value=0)


def test_open_void_leaf_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    game = GameActor(caught, lie, 0, market.stranger).draw().vote(UNAVAILABLE)
    assert game.state == DECIDED
    advance(PARAMETERS.panel_appeal_s)
    game.resolve_now()
    with reverts("Panel_OutsideWindow"):
        GameActor(caught, lie, 1, market.stranger)


def test_open_claimed_leaf_of_other_epoch_reverts(market: Any, lie: Work, truth: Work) -> None:
    """A device convicted in one epoch has its leaf of another voided: no second game on it."""
    first, second = epoch_of(market, lie), market.settler.post(market.poor.work(lie.job, [9]))
    conviction(first, lie)
    second.attest()
    market.world.ledger.voidLeaf(second.ref(second.works[0]), {"from": market.stranger})
    with reverts("Panel_LeafSettled"):
        GameActor(second, second.works[0], 0, market.stranger)


def test_open_unbonding_stake_is_no_way_out(market: Any, lie: Work) -> None:
    """The liar asks for its stake back right after the posting; the game counts what is unbonding."""
    epoch = market.settler.post(lie)
    owner = brownie.accounts.add(market.poor.owner.key.hex())
    market.world.vault.requestUnstake(market.poor.address, 30 * P, {"from": owner})
    epoch.attest(lambda seed: bool(epoch.drawn(lie, seed)))
    supply = market.world.token.totalSupply()
    conviction(epoch, lie)
    assert supply - market.world.token.totalSupply() == 30 * P * 3 // 4
    with reverts("StakeVault_Convicted"):
        market.world.vault.withdrawStake(market.poor.address, {"from": owner})


# --- the vote


def test_commitVote_before_the_round_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    game = GameActor(caught, lie, 0, market.stranger)
    assert game.state == DRAWING
    with reverts("Ballot_NoRandomness"):
        market.verifiers[0].commit_vote(game.subject, WRONG, market.world.panel, game.id)


def test_commitVote_of_no_game_reverts(market: Any) -> None:
    with reverts("Panel_WrongState"):
        market.world.panel.commitVote(b"\x01" * 32, b"\x01" * 32, {"from": market.verifiers[0].account})


def test_commitVote_by_a_seat_not_drawn_reverts(market: Any, game: GameActor) -> None:
    outsider = next(verifier for verifier in market.verifiers if verifier not in game.panel())
    with reverts("Ballot_NotDrawn"):
        outsider.commit_vote(game.subject, STANDS, market.world.panel, game.id)


def test_commitVote_by_the_opener_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    (seat,) = seats_of(market, caught, lie)
    game = GameActor(caught, lie, 0, seat, value=0).draw()
    assert seat not in game.panel()
    with reverts("Ballot_NotDrawn"):
        seat.commit_vote(game.subject, WRONG, market.world.panel, game.id)


def test_revealVote_copied_commitment_reverts(market: Any, game: GameActor) -> None:
    worker, copier = game.panel()[:2]
    commitment = ballot_commitment(bytes(32), worker.address, game.subject, WRONG)
    for verifier in (worker, copier):
        market.world.panel.commitVote(game.id, commitment, {"from": verifier.account})
    if game.state == COMMITTING:
        advance(PARAMETERS.panel_commit_s)
    market.world.panel.revealVote(game.id, bytes(32), 2, {"from": worker.account})
    with reverts("Ballot_CommitmentMismatch"):
        market.world.panel.revealVote(game.id, bytes(32), 2, {"from": copier.account})


def test_revealVote_while_others_may_commit_reverts(market: Any, game: GameActor) -> None:
    voter = game.panel()[0]
    voter.commit_vote(game.subject, WRONG, market.world.panel, game.id)
    assert game.state == COMMITTING
    with reverts("Ballot_WrongPhase"):
        voter.reveal_vote(game.subject, WRONG, market.world.panel, game.id)


def test_vote_ends_when_all_acted(market: Any, game: GameActor) -> None:
    for verifier in game.panel():
        verifier.commit_vote(game.subject, WRONG, market.world.panel, game.id)
    assert game.state == REVEALING
    for verifier in game.panel():
        assert game.state == REVEALING
        verifier.reveal_vote(game.subject, WRONG, market.world.panel, game.id)
    assert game.state == DECIDED


def test_panelSeats_same_as_python(market: Any, game: GameActor) -> None:
    facts = market.world.panel.gameOf(game.id)
    assert game.subject == panel_subject(game.id, 0)
    seed = ballot_seed(bytes(market.world.beacon.randomness(facts["beaconRound"])), game.subject)
    seats = market.world.seat_list(facts["snapshot"])
    chosen = ballot_seats(seed, game.subject, seats, 3, (market.stranger.address,))
    assert [seats[i].verifier for i in chosen] == [str(seat) for seat in market.world.panel.panelSeats(game.id)]


# --- resolve: refused


def test_resolve_unknown_game_reverts(market: Any) -> None:
    with reverts("Panel_WrongState"):
        market.world.panel.resolve(b"\x01" * 32, {"from": market.stranger})


def test_resolve_while_voting_reverts(market: Any, game: GameActor) -> None:
    with reverts("Panel_WrongState"):
        game.resolve_now()


def test_resolve_before_appeal_time_reverts(market: Any, game: GameActor) -> None:
    game.vote(WRONG)
    with reverts("Panel_WrongState"):
        game.resolve_now()


def test_resolve_twice_reverts(market: Any, game: GameActor) -> None:
    game.vote(WRONG).resolve()
    with reverts("Panel_WrongState"):
        game.resolve_now()


# --- rejected


def test_resolve_rejected_pays_the_panel_with_the_bond(market: Any, truth: Work) -> None:
    epoch = epoch_of(market, truth)
    game = GameActor(epoch, truth, 0, market.stranger).draw().vote(STANDS)
    game.resolve()
    assert game.state == REJECTED
    seats = [str(verifier) for verifier in market.world.panel.panelSeats(game.id)]
    owed = {verifier.address: int(market.world.panel.owed(verifier.address)) for verifier in market.verifiers}
    assert sum(owed.values()) == CHALLENGE_BOND
    assert market.world.panel.owed(market.stranger) == 0
    for address, amount in owed.items():
        assert abs(amount - CHALLENGE_BOND * seats.count(address) // 3) <= 2
    assert market.rich.state["stake"] == 1_000 * P
    epoch.end_window().claim()


def test_resolve_rejected_false_wrong_loses_the_seat(market: Any, truth: Work) -> None:
    epoch = market.settler.post(truth).all_say(truth, Verdict.WRONG).attest()
    accuser = seats_of(market, epoch, truth)[0]
    supply = market.world.token.totalSupply()
    game = GameActor(epoch, truth, 0, accuser, value=0).draw().vote(STANDS)
    game.resolve()
    assert accuser.stake == accuser.seats - 1
    winner = str(market.world.panel.panelSeats(game.id)[0])
    assert market.world.seats.earned(winner) == SEAT_STAKE // 4
    assert supply - market.world.token.totalSupply() == SEAT_STAKE * 3 // 4
    assert market.rich.state["stake"] == 1_000 * P
    assert not market.rich.state["convicted"]


def test_resolve_rejected_other_games_go_on(market: Any, lie: Work, caught: Epoch) -> None:
    """Losing a game on purpose does not clear a receipt."""
    sham = GameActor(caught, lie, 0, market.rival).draw().vote(STANDS)
    real = GameActor(caught, lie, 0, market.stranger).draw().vote(WRONG)
    sham.resolve()
    real.resolve()
    assert (sham.state, real.state) == (REJECTED, UPHELD)
    assert market.poor.state["convicted"]


# --- hung


def hung_by(game: GameActor, how: str) -> None:
    """Ends the vote without a decision."""
    if how == "silence":
        advance(PARAMETERS.panel_draw_s)
    elif how == "no reveals":
        for verifier in game.panel():
            verifier.commit_vote(game.subject, WRONG, game.world.panel, game.id)
        advance(PARAMETERS.panel_reveal_s)
    else:
        game.vote(UNAVAILABLE)


@pytest.mark.parametrize("how", ["silence", "no reveals", "unavailable"])
def test_resolve_hung_voids_and_slashes_nobody(
    market: Any, lie: Work, truth: Work, caught: Epoch, game: GameActor, how: str
) -> None:
    hung_by(game, how)
    game.resolve()
    assert game.state == HUNG
    assert market.world.panel.owed(market.stranger) == CHALLENGE_BOND
    assert market.poor.state["stake"] == 30 * P
    assert market.poor.state["openGames"] == 0
    assert market.settler.bond == SETTLER_BOND
    market.world.ledger.voidLeaf(caught.ref(lie), {"from": market.stranger})
    with reverts("EpochLedger_MayNotVoid"):
        market.world.ledger.voidLeaf(caught.ref(truth), {"from": market.stranger})


def test_claim_of_a_leaf_whose_game_hung_reverts(market: Any, truth: Work) -> None:
    """Also where its seats called it right and nobody has voided it yet."""
    epoch = epoch_of(market, truth)
    game = GameActor(epoch, truth, 0, market.stranger).draw()
    hung_by(game, "unavailable")
    game.resolve()
    epoch.end_window()
    with reverts("EpochLedger_LeafVoid"):
        epoch.claim()
    market.world.ledger.voidLeaf(epoch.ref(truth), {"from": market.stranger})
    again = market.settler.post(truth).attest().end_window()
    again.claim()
