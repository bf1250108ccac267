"""What the tests of the ledger share: a job, three leaves, and the money of a claim."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.verdicts import Verdict
from tests.contracts.actors import Epoch, Work


@pytest.fixture
def job(market: Any) -> Any:
    """A job of the settler's."""
    return market.buyer.open_job(market.settler)


@pytest.fixture
def works(market: Any, job: Any) -> list[Work]:
    """Three leaves: of `rich`, `poor` and `bare`, 16 tasks each."""
    devices = (market.rich, market.poor, market.bare)
    return [device.work(job, range(4 * i, 4 * i + 4)) for i, device in enumerate(devices)]


@pytest.fixture
def final(market: Any, works: list[Work]) -> Epoch:
    """The three leaves attested, the window over."""
    return market.settler.post(*works).attest().end_window()


def final_right(market: Any, *works: Work) -> Epoch:
    """An epoch whose seats call everything right, however wrong it is."""
    epoch: Epoch = market.settler.post(*works)
    for work in works:
        epoch.all_say(work, Verdict.RIGHT)
    return epoch.attest().end_window()


def money_of(transaction: Any) -> list[dict[str, int]]:
    """The LeafMoney of each Claimed event."""
    names = ("amount", "fee", "deduction", "surcharge", "paid", "bonded")
    return [dict(zip(names, map(int, event["money"]), strict=True)) for event in transaction.events["Claimed"]]
