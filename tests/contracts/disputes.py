"""What the tests of disputes share: a liar that its seat caught, the game on it, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.verdicts import Verdict
from tests.contracts.actors import Epoch, GameActor, VerifierActor, Work
from tests.contracts.world import P

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


@pytest.fixture
def game(market: Any, lie: Work, caught: Epoch) -> GameActor:
    """A stranger's challenge, its panel drawn: two or three verifiers."""
    found = GameActor(caught, lie, caught.drawn(lie)[0], market.stranger)
    market.world.mine_until(lambda: len(found.panel()) > 1)
    return found
