"""Panel: appeals, and the native coin that is owed at the end."""

from __future__ import annotations

from typing import Any

import brownie

from protocol.sampling import panel_subject
from tests.contracts.actors import GameActor, Work
from tests.contracts.chain import advance, reverts
from tests.contracts.disputes import HUNG, REJECTED, STANDS, UPHELD, WRONG, epoch_of
from tests.contracts.world import CHALLENGE_BOND, PARAMETERS, SETTLER_BOND, P

pytest_plugins = ("tests.contracts.stories", "tests.contracts.disputes")


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
