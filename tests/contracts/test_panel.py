"""Panel: challenges of honest and dishonest parties, appeals, convictions and what follows from them."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from protocol.money import amount_of
from protocol.sampling import ballot_seats, ballot_seed, panel_subject
from protocol.verdicts import Verdict, ballot_commitment
from tests.contracts.actors import Device, Epoch, GameActor, VerifierActor, Work
from tests.contracts.chain import advance, reverts
from tests.contracts.conftest import struct
from tests.contracts.world import CHALLENGE_BOND, PARAMETERS, SEAT_STAKE, SETTLER_BOND, P

pytest_plugins = "tests.contracts.stories"

NONE, DRAWING, COMMITTING, REVEALING, DECIDED, UPHELD, REJECTED, HUNG = range(8)
STANDS, WRONG, UNAVAILABLE = Verdict.RIGHT, Verdict.WRONG, Verdict.UNAVAILABLE
QUARTER = 30 * P // 4
FOR_PANEL = QUARTER // 5


@pytest.fixture
def job(market: Any) -> Any:
    """A job of the settler's."""
    return market.buyer.open_job(market.settler)


@pytest.fixture
def lie(market: Any, job: Any) -> Work:
    """Sixteen tasks of `poor`, every one a lie, so that a drawn one is."""
    return market.poor.work(job, range(4), lies=range(16))


@pytest.fixture
def truth(market: Any, job: Any) -> Work:
    """Sixteen honest tasks of `rich`."""
    return market.rich.work(job, range(4, 8))


def epoch_of(market: Any, *works: Work, seats: int = 1) -> Epoch:
    """Attested, in its window; the first leaf has so many seats, and a task of it is drawn."""
    epoch: Epoch = market.settler.post(*works)
    first = works[0]
    epoch.attest(lambda seed: len(epoch.seats_of(first, seed)) == seats and bool(epoch.drawn(first, seed)))
    return epoch


@pytest.fixture
def caught(market: Any, lie: Work, truth: Work) -> Epoch:
    """The lie was found by the one seat drawn for it."""
    return epoch_of(market, lie, truth)


def seats_of(market: Any, epoch: Epoch, work: Work) -> list[VerifierActor]:
    """The verifiers drawn for the leaf."""
    return [verifier for verifier in market.verifiers if verifier.address in epoch.seats_of(work)]


def conviction(epoch: Epoch, work: Work, opener: Any = None) -> GameActor:
    """A game that the panel upheld and that was resolved."""
    game = GameActor(epoch, work, epoch.drawn(work)[0], opener or epoch.world.deployer)
    game.draw().vote(WRONG).resolve()
    return game


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


@pytest.fixture
def game(market: Any, lie: Work, caught: Epoch) -> GameActor:
    """A stranger's challenge, its panel drawn: two or three verifiers."""
    found = GameActor(caught, lie, caught.drawn(lie)[0], market.stranger)
    market.world.mine_until(lambda: len(found.panel()) > 1)
    return found


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


# --- upheld


def test_resolve_upheld_slashes_voids_and_pays(
    market: Any, lie: Work, truth: Work, caught: Epoch, game: GameActor
) -> None:
    (seat,) = seats_of(market, caught, lie)
    had, supply = int(market.world.token.balanceOf(seat.address)), market.world.token.totalSupply()
    game.vote(WRONG).resolve()
    assert game.state == UPHELD
    assert market.poor.state["convicted"]
    assert market.poor.state["stake"] + market.poor.state["unbonding"] + market.poor.state["openGames"] == 0
    # the seat that committed "wrong" wins, not the stranger who opened
    drawn = [str(verifier) for verifier in market.world.panel.panelSeats(game.id)]
    own = drawn.count(seat.address) * (FOR_PANEL // 3)
    assert market.world.token.balanceOf(seat.address) - had == QUARTER - FOR_PANEL + own
    # no more than a quarter is paid in all, the panel's part out of it; the settler pays nothing
    assert supply - market.world.token.totalSupply() == 30 * P - QUARTER
    assert market.world.panel.owed(market.stranger) == CHALLENGE_BOND
    assert market.settler.bond == SETTLER_BOND
    # the liar's leaf is void and its tasks can be done again; the honest leaf is paid
    caught.end_window()
    with reverts("EpochLedger_DeviceConvicted"):
        caught.claim(lie)
    market.world.ledger.voidLeaf(caught.ref(lie), {"from": market.stranger})
    caught.claim(truth)
    redone = market.settler.post(market.rich.work(lie.job, range(4))).attest().end_window()
    redone.claim()
    assert market.poor.received == 0
    assert lie.job.state["spansUnpaid"] == 8


def test_resolve_upheld_without_accuser_pays_the_opener(market: Any, lie: Work) -> None:
    """Nobody drawn said "wrong"; whoever replayed more than the draw wins."""
    epoch = market.settler.post(lie).all_say(lie, Verdict.RIGHT).attest()
    had = int(market.world.token.balanceOf(market.stranger))
    GameActor(epoch, lie, 0, market.stranger).draw().vote(WRONG).resolve()
    assert market.world.token.balanceOf(market.stranger) - had == QUARTER - FOR_PANEL


def test_resolve_upheld_two_accusers_share(market: Any, lie: Work) -> None:
    epoch = epoch_of(market, lie, seats=2)
    accusers = seats_of(market, epoch, lie)
    had = [int(market.world.token.balanceOf(seat.address)) for seat in accusers]
    game = conviction(epoch, lie, accusers[0])
    drawn = [str(verifier) for verifier in market.world.panel.panelSeats(game.id)]
    for seat, before in zip(accusers, had, strict=True):
        judged = drawn.count(seat.address) * (FOR_PANEL // 3)
        assert market.world.token.balanceOf(seat.address) - before == (QUARTER - FOR_PANEL) // 2 + judged


def test_resolve_upheld_seat_bond_comes_back(market: Any, lie: Work, caught: Epoch) -> None:
    (seat,) = seats_of(market, caught, lie)
    GameActor(caught, lie, caught.drawn(lie)[0], seat, value=0).draw().vote(WRONG).resolve()
    assert seat.stake == seat.seats
    assert market.world.panel.owed(seat.address) == 0


def test_self_conviction_costs_three_quarters(market: Any, job: Any) -> None:
    """The liar has a friend convict it before others do: the most that comes back is a quarter."""
    liar = Device(market.world, "liar", 400 * P)
    work = liar.work(job, [9], lies=range(4))
    epoch = market.settler.post(work).all_say(work, Verdict.RIGHT).attest()
    had = int(market.world.token.balanceOf(market.stranger))
    GameActor(epoch, work, 0, market.stranger).draw().vote(WRONG).resolve()
    assert market.world.token.balanceOf(market.stranger) - had == 80 * P  # the panel's fifth is out of the same quarter


def test_voidLeaf_of_convicted_device_in_any_state(market: Any, lie: Work, caught: Epoch) -> None:
    later = market.settler.post(market.poor.work(lie.job, [9]))
    conviction(caught, lie)
    available = lie.job.state["available"]
    market.world.ledger.voidLeaf(later.ref(later.works[0]), {"from": market.stranger})
    assert lie.job.state["available"] - available == later.works[0].debit


def test_claim_during_a_game_reverts(market: Any, truth: Work) -> None:
    epoch = epoch_of(market, truth)
    game = GameActor(epoch, truth, 0, market.stranger)
    epoch.end_window()
    with reverts("EpochLedger_GameOpen"):
        epoch.claim()
    game.draw().vote(STANDS).resolve()
    epoch.claim()


def test_withdrawStake_during_a_game_reverts(market: Any, truth: Work) -> None:
    owner = brownie.accounts.add(market.rich.owner.key.hex())
    market.world.vault.requestUnstake(market.rich.address, 1_000 * P, {"from": owner})
    advance(PARAMETERS.unbonding_s - 1_200)
    epoch = market.settler.post(truth)
    epoch.attest()
    GameActor(epoch, truth, 0, market.stranger)
    advance(2_000)
    with reverts("StakeVault_GameOpen"):
        market.world.vault.withdrawStake(market.rich.address, {"from": owner})


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


# --- appeals


def test_appeal_before_decision_reverts(market: Any, game: GameActor) -> None:
    with reverts("Panel_WrongState"):
        game.appeal(market.stranger)


def test_appeal_other_bond_reverts(market: Any, game: GameActor) -> None:
    game.vote(WRONG)
    with reverts("Panel_BondMismatch"):
        market.world.panel.appeal(game.id, {"from": market.stranger, "value": CHALLENGE_BOND})


def test_appeal_late_reverts(market: Any, game: GameActor) -> None:
    game.vote(WRONG)
    advance(PARAMETERS.panel_appeal_s)
    with reverts("Panel_WrongState"):
        game.appeal(market.stranger)


def test_appeal_twice_reverts(market: Any, game: GameActor) -> None:
    game.vote(WRONG).appeal(market.stranger)
    with reverts("Panel_AlreadyAppealed"):
        game.appeal(market.stranger)


def test_appeal_with_too_few_seats_reverts(market: Any, lie: Work) -> None:
    """An appeal that can only hang would free whom the panel convicted."""
    everybody = list(market.world.verifiers)
    for verifier in everybody[:3]:
        market.world.seats.leave(verifier.seats, {"from": verifier.account})
    advance(PARAMETERS.seat_period_s)
    market.world.verifiers[:] = everybody[3:]
    epoch = epoch_of(market, lie)
    game = GameActor(epoch, lie, epoch.drawn(lie)[0], market.stranger).draw().vote(WRONG)
    with reverts("Panel_TooFewSeats"):
        game.appeal(market.stranger)
    game.resolve()
    market.world.verifiers[:] = everybody


def test_appeal_overturns_a_false_conviction(market: Any, truth: Work) -> None:
    """Two corrupt seats of three convict an honest device; its owner appeals and six seats clear it."""
    epoch = epoch_of(market, truth)
    helper = market.rival.account
    game = GameActor(epoch, truth, 0, market.stranger).draw().vote(WRONG).appeal(helper).draw()
    assert game.subject == panel_subject(game.id, 1)
    assert len(market.world.panel.panelSeats(game.id)) == 6
    game.vote(STANDS).resolve_now()
    assert game.state == REJECTED
    assert market.rich.state["stake"] == 1_000 * P
    assert market.world.panel.owed(helper) == 2 * CHALLENGE_BOND
    assert market.world.panel.owed(market.stranger) == 0


def test_appeal_of_a_liar_costs_twice_the_bond(market: Any, game: GameActor) -> None:
    liar = market.rival.account
    game.vote(WRONG).appeal(liar).draw().vote(WRONG).resolve_now()
    assert game.state == UPHELD
    assert market.world.panel.owed(liar) == 0
    owed = sum(int(market.world.panel.owed(verifier.address)) for verifier in market.verifiers)
    assert owed == 2 * CHALLENGE_BOND
    assert market.world.panel.owed(market.stranger) == CHALLENGE_BOND
    assert market.settler.bond == SETTLER_BOND


def test_appeal_hung_gives_every_bond_back(market: Any, game: GameActor) -> None:
    game.vote(WRONG).appeal(market.rival.account)
    advance(PARAMETERS.panel_draw_s)
    game.resolve_now()
    assert game.state == HUNG
    assert not market.poor.state["convicted"]
    assert market.world.panel.owed(market.rival.account) == 2 * CHALLENGE_BOND
    assert market.world.panel.owed(market.stranger) == CHALLENGE_BOND


def test_appeal_three_of_six_hang(market: Any, game: GameActor) -> None:
    game.vote(WRONG).appeal(market.stranger)
    market.world.mine_until(lambda: half_of(game) is not None)
    half = half_of(game) or set()
    votes = {verifier.address: WRONG if verifier.address in half else STANDS for verifier in game.panel()}
    game.vote(votes)
    game.resolve_now()
    assert game.state == HUNG


def half_of(game: GameActor) -> set[str] | None:
    """Verifiers that hold exactly three of the six drawn seats."""
    seats = [str(seat) for seat in game.world.panel.panelSeats(game.id)]
    counts = {address: seats.count(address) for address in seats}
    single = [address for address, count in counts.items() if count == 1]
    double = [address for address, count in counts.items() if count == 2]
    return {single[0], double[0]} if single and double else None


# --- other games of a convicted device


def test_resolve_after_another_conviction_gives_the_bond_back(
    market: Any, lie: Work, caught: Epoch, game: GameActor
) -> None:
    second = GameActor(caught, lie, 1, market.rival)
    game.vote(WRONG).resolve()
    second.resolve_now()
    assert second.state == HUNG
    assert market.world.panel.owed(market.rival.account) == CHALLENGE_BOND
    assert market.poor.state["openGames"] == 0
    assert market.settler.bond == SETTLER_BOND


def test_open_on_a_convicted_device_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    later = market.settler.post(market.poor.work(lie.job, [9], lies=[0]))
    conviction(caught, lie)
    later.attest()
    with reverts("Panel_DeviceConvicted"):
        GameActor(later, later.works[0], 0, market.stranger)


# --- attestors of what was convicted


@pytest.fixture
def false_right(market: Any, lie: Work) -> tuple[Epoch, GameActor, VerifierActor]:
    """A seat called the lie right; somebody else had it convicted, on a drawn task."""
    epoch = market.settler.post(lie).all_say(lie, Verdict.RIGHT)
    epoch.attest(lambda seed: len(epoch.seats_of(lie, seed)) == 1 and bool(epoch.drawn(lie, seed)))
    return epoch, conviction(epoch, lie, market.stranger), seats_of(market, epoch, lie)[0]


def slash(market: Any, epoch: Epoch, game: GameActor, seat: VerifierActor, **changes: Any) -> Any:
    """Slashes with the proof of the convicted task, or what the test changes."""
    work = game.work
    given = {
        "game": game.id,
        "leaf": epoch.ref(work),
        "bid": struct(work.job.bid),
        "result": work.result_proof(game.task),
        "verdict": seat.seat_verdict(epoch),
    }
    return market.world.panel.slashAttestor(*(given | changes).values(), {"from": market.rival.account})


def test_slashAttestor_takes_the_seat(market: Any, false_right: Any) -> None:
    epoch, game, seat = false_right
    slash(market, epoch, game, seat)
    assert seat.stake == seat.seats - 1
    with reverts("Panel_AlreadySlashed"):
        slash(market, epoch, game, seat)
    assert market.world.seats.earned(market.rival.address) == 0
    market.world.seats.withdrawEarned(market.stranger, {"from": market.rival.account})
    assert market.world.seats.earned(market.stranger) == 0


def test_slashAttestor_of_a_seat_not_drawn_reverts(market: Any, false_right: Any) -> None:
    """It said "right" too, of a leaf that was not its own: nothing rested on it."""
    epoch, game, seat = false_right
    bystander = next(verifier for verifier in market.verifiers if verifier is not seat)
    with reverts("Panel_AttestorInnocent"):
        slash(market, epoch, game, bystander)


def test_slashAttestor_other_verdict_reverts(market: Any, false_right: Any) -> None:
    epoch, game, seat = false_right
    with reverts("Attestations_VerdictMismatch"):
        slash(market, epoch, game, seat, verdict=(seat.address, 1, [bytes(32)]))


def test_slashAttestor_other_task_reverts(market: Any, false_right: Any) -> None:
    epoch, game, seat = false_right
    with reverts("Panel_NotOfGame"):
        slash(market, epoch, game, seat, result=game.work.result_proof((game.task + 1) % 16))


def test_slashAttestor_forged_wu_reverts(market: Any, false_right: Any) -> None:
    """A dearer task would have been drawn more surely."""
    epoch, game, seat = false_right
    proof = list(game.work.result_proof(game.task))
    proof[3] *= 3
    with reverts("Panel_NotOfGame"):
        slash(market, epoch, game, seat, result=proof)


def test_slashAttestor_other_bid_reverts(market: Any, false_right: Any) -> None:
    epoch, game, seat = false_right
    other = market.buyer.open_job(market.settler, rate_floor_ppm=1_000_000)
    with reverts("EpochLedger_JobMismatch"):
        slash(market, epoch, game, seat, bid=struct(other.bid))


def test_slashAttestor_undrawn_task_reverts(market: Any, lie: Work) -> None:
    """The seat replayed all that was drawn and found it right; the convicted task was not among it."""
    epoch = market.settler.post(lie).all_say(lie, Verdict.RIGHT)
    epoch.attest(lambda seed: len(epoch.seats_of(lie, seed)) == 1 and len(epoch.drawn(lie, seed)) < 16)
    task = next(k for k in range(16) if k not in epoch.drawn(lie))
    game = GameActor(epoch, lie, task, market.stranger).draw().vote(WRONG)
    game.resolve()
    with reverts("Panel_AttestorInnocent"):
        slash(market, epoch, game, seats_of(market, epoch, lie)[0])


def test_slashAttestor_before_conviction_reverts(market: Any, lie: Work) -> None:
    epoch = market.settler.post(lie).all_say(lie, Verdict.RIGHT).attest()
    game = GameActor(epoch, lie, 0, market.stranger).draw().vote(WRONG)
    with reverts("Panel_WrongState"):
        slash(market, epoch, game, seats_of(market, epoch, lie)[0])


def test_slashAttestor_accuser_reverts(market: Any, lie: Work, caught: Epoch) -> None:
    game = conviction(caught, lie, market.stranger)
    with reverts("Panel_AttestorInnocent"):
        slash(market, caught, game, seats_of(market, caught, lie)[0])


def test_slashAttestor_other_leaf_reverts(market: Any, truth: Work, lie: Work) -> None:
    epoch = epoch_of(market, lie, truth)
    game = conviction(epoch, lie, market.stranger)
    with reverts("Panel_NotOfGame"):
        slash(market, epoch, game, seats_of(market, epoch, truth)[0], leaf=epoch.ref(truth))


# --- a result tree that does not hold what its receipt says


def test_inflated_wu_is_a_challenge_and_not_a_claim_check(market: Any, job: Any) -> None:
    """Sums above what the results hold: seats find it, and slashAttestor can't be fed the false tree."""
    work = market.poor.work(job, range(4))
    total = work.receipt.total_wu * 2
    inflated = work.signed_again(
        total_wu=total, total_squared_wu=work.receipt.total_squared_wu * 4, amount=amount_of(total, 1_000 * P)
    )
    epoch = market.settler.post(inflated).all_say(inflated, Verdict.RIGHT).attest()
    game = GameActor(epoch, inflated, 0, market.stranger).draw().vote(WRONG)
    game.resolve()
    assert market.poor.state["convicted"]
    with reverts("Panel_NotOfGame"):
        slash(market, epoch, game, seats_of(market, epoch, inflated)[0])


# --- native coin


def test_withdraw_nothing_owed_reverts(market: Any) -> None:
    with reverts("Panel_NothingPaid"):
        market.world.panel.withdraw(market.stranger, {"from": market.rival.account})


def test_withdraw_pays_the_account_whoever_asks(market: Any, game: GameActor) -> None:
    game.vote(WRONG).resolve()
    had = market.stranger.balance()
    market.world.panel.withdraw(market.stranger, {"from": market.rival.account})
    assert market.stranger.balance() - had == CHALLENGE_BOND
    with reverts("Panel_NothingPaid"):
        market.world.panel.withdraw(market.stranger, {"from": market.rival.account})


def test_withdraw_by_an_account_that_takes_nothing_reverts(market: Any, lie: Work) -> None:
    """An opener that is a contract without a receiving function keeps its bond in the panel, and stops nobody."""
    epoch = epoch_of(market, lie)
    closed = market.world.ledger.address
    brownie.web3.provider.make_request("anvil_impersonateAccount", [closed])
    brownie.web3.provider.make_request("anvil_setBalance", [closed, hex(10**18)])
    account = brownie.accounts.at(closed, force=True)
    game = GameActor(epoch, lie, 0, account).draw().vote(WRONG)
    game.resolve()
    with reverts("Panel_NothingPaid"):
        market.world.panel.withdraw(closed, {"from": market.stranger})
    assert market.world.panel.owed(closed) == CHALLENGE_BOND
