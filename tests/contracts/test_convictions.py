"""Panel: what follows from a challenge that was upheld."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from protocol.money import amount_of
from protocol.verdicts import Verdict
from tests.contracts.actors import Device, Epoch, GameActor, VerifierActor, Work
from tests.contracts.chain import advance, reverts
from tests.contracts.conftest import struct
from tests.contracts.disputes import FOR_PANEL, HUNG, QUARTER, STANDS, UPHELD, WRONG, conviction, epoch_of, seats_of
from tests.contracts.world import CHALLENGE_BOND, PARAMETERS, SETTLER_BOND, P

pytest_plugins = ("tests.contracts.stories", "tests.contracts.disputes")


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
