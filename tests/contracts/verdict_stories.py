"""What the tests of verdicts share: one leaf, its seats, and seats that act."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.actors import Epoch, VerifierActor, Work
from tests.contracts.chain import advance
from tests.contracts.world import PARAMETERS

NONE, POSTED, SEEDED, COMMITTING, REVEALING, WINDOW, FINAL, VOID = range(8)
PENDING, RIGHT, WRONG, UNAVAILABLE, HUNG = range(5)


@pytest.fixture
def work(market: Any) -> Work:
    """One leaf of `poor`."""
    return market.poor.work(market.buyer.open_job(market.settler), range(4))


@pytest.fixture
def epoch(market: Any, work: Work) -> Epoch:
    """Posted with that leaf."""
    return market.settler.post(work)


def one_seat(epoch: Epoch, work: Work) -> Any:
    """Of a seed: the leaf goes to one seat."""
    return lambda seed: len(epoch.seats_of(work, seed)) == 1


def two_seats(epoch: Epoch, work: Work) -> Any:
    """Of a seed: the leaf goes to two seats."""
    return lambda seed: len(epoch.seats_of(work, seed)) == 2


def state(epoch: Epoch) -> int:
    return int(epoch.world.attestations.stateOf(epoch.id))


def is_seat(market: Any, epoch: Epoch, work: Work) -> list[VerifierActor]:
    """The verifiers drawn for the leaf, in drawing order."""
    by_address = {verifier.address: verifier for verifier in market.verifiers}
    return [by_address[address] for address in epoch.seats_of(work)]


def committed(market: Any, epoch: Epoch) -> Epoch:
    """All committed."""
    epoch.draw_seed()
    for verifier in market.verifiers:
        verifier.commit(epoch)
    return epoch


def act(market: Any, epoch: Epoch, silent: list[VerifierActor] | None = None) -> None:
    """Commitments and reveals after the seed."""
    acting = [verifier for verifier in market.verifiers if verifier not in (silent or [])]
    for verifier in acting:
        verifier.commit(epoch)
    if silent:
        advance(PARAMETERS.commit_s)
    for verifier in acting:
        verifier.reveal(epoch)
