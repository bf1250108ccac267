"""The fixtures of the money path: the deployed market with its people. A test module takes them by
`pytest_plugins = "tests.contracts.stories"`. After every test that uses them each contract holds what it owes."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import brownie
import pytest

from tests.contracts.actors import Buyer, Device, SettlerActor, VerifierActor
from tests.contracts.world import P, World

VERIFIERS = 5


@pytest.fixture(scope="module")
def cast(module_isolation: Any) -> Iterator[SimpleNamespace]:
    """The market and everybody in it: devices `rich` (1,000 P of stake), `poor` (30 P) and `bare` (none)."""
    known = len(brownie.accounts)
    world = World()
    verifiers = [VerifierActor(world, f"verifier {i}") for i in range(VERIFIERS)]
    yield SimpleNamespace(
        world=world,
        verifiers=verifiers,
        settler=SettlerActor(world, "settler"),
        rival=SettlerActor(world, "rival"),
        buyer=Buyer(world, "buyer"),
        rich=Device(world, "rich", 1_000 * P),
        poor=Device(world, "poor", 30 * P),
        bare=Device(world, "bare", 0),
        stranger=brownie.accounts[9],
    )
    for account in list(brownie.accounts)[known:]:
        brownie.accounts.remove(account)


@pytest.fixture
def market(cast: SimpleNamespace, isolate: Any) -> Iterator[SimpleNamespace]:
    """The cast as it was at the start, and conserved at the end."""
    world = cast.world
    lists = (world.jobs, world.devices, world.games, world.epochs, world.verifiers, world.settlers)
    lengths = [len(items) for items in lists]
    known = [dict(verifier.revealed) for verifier in cast.verifiers]
    yield cast
    world.check_conserved()
    for items, length in zip(lists, lengths, strict=True):
        del items[length:]
    for verifier, revealed in zip(cast.verifiers, known, strict=True):
        verifier.opinions.clear()
        verifier.revealed = revealed
        verifier.digest_salt = b""
