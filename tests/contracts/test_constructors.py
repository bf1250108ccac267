"""Relations between constructor parameters of EpochLedger, Attestations and Panel."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from tests.contracts.chain import ZERO, reverts


@pytest.mark.parametrize("limits", [(0, 1), (1, 0)])
def test_EpochLedger_zero_limit_reverts(accounts: Any, limits: tuple[int, int]) -> None:
    with reverts("EpochLedger_ParameterZero"):
        accounts[0].deploy(brownie.EpochLedger, (ZERO,) * 5, limits)


@pytest.mark.parametrize("zero", range(4))
def test_Attestations_zero_clock_reverts(accounts: Any, zero: int) -> None:
    with reverts("Attestations_ClockZero"):
        accounts[0].deploy(brownie.Attestations, (ZERO,) * 5, [0 if i == zero else 1 for i in range(4)])


@pytest.mark.parametrize("terms", [(0, 1, 1, 1, 1), (1, 0, 1, 1, 1), (1, 1, 0, 1, 1), (1, 1, 1, 1, 0)])
def test_Panel_zero_term_reverts(accounts: Any, terms: tuple[int, ...]) -> None:
    with reverts("Panel_ParameterInvalid"):
        accounts[0].deploy(brownie.Panel, (ZERO,) * 6, terms)


def test_Panel_appeal_time_below_reveal_reverts(accounts: Any) -> None:
    with reverts("Panel_ParameterInvalid"):
        accounts[0].deploy(brownie.Panel, (ZERO,) * 6, (1, 1, 2, 1, 1))
