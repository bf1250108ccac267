"""Design section 5 [!]: the winner's share goes to seats, else to the first opener: copies earn nothing."""

from __future__ import annotations

from typing import Any

from protocol.verdicts import Verdict
from tests.contracts.actors import GameActor, Work
from tests.contracts.disputes import FOR_PANEL, QUARTER, STANDS, WRONG

pytest_plugins = ("tests.contracts.stories", "tests.contracts.disputes")


def test_second_opener_whose_panel_is_quicker_does_not_take_the_first_ones_share(market: Any, lie: Work) -> None:
    """No drawn seat accused. Whoever copies the challenge a block later, even for another task, must not have
    the quarter because its panel happened to vote first."""
    epoch = market.settler.post(lie).all_say(lie, Verdict.RIGHT).attest()
    finder, copier = market.stranger, market.rival.account
    first = GameActor(epoch, lie, 0, finder)
    second = GameActor(epoch, lie, 1, copier)
    had = [int(market.world.token.balanceOf(who)) for who in (finder, copier)]
    second.draw().vote(WRONG)
    second.resolve()
    first.resolve_now()
    got = [int(market.world.token.balanceOf(who)) - before for who, before in zip((finder, copier), had, strict=True)]
    assert got == [QUARTER - FOR_PANEL, 0]


def test_first_opener_who_lost_leaves_the_share_to_who_was_right(market: Any, lie: Work) -> None:
    """Squatting: a first game that is rejected keeps nothing from whoever found the lie."""
    epoch = market.settler.post(lie).all_say(lie, Verdict.RIGHT).attest()
    squatter, finder = market.rival.account, market.stranger
    first = GameActor(epoch, lie, 1, squatter)
    second = GameActor(epoch, lie, 0, finder)
    before = int(market.world.token.balanceOf(finder))
    first.draw().vote(STANDS)
    first.resolve()
    second.draw().vote(WRONG)
    second.resolve()
    assert int(market.world.token.balanceOf(finder)) - before == QUARTER - FOR_PANEL
