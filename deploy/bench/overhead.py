"""What verification costs: the WU that all seats replay over the WU that is paid, while everybody is honest."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from protocol.hashing import keccak256
from protocol.messages import Receipt
from protocol.money import PPM, amount_of
from protocol.sampling import TWO_SEATS_ONE_IN, drawn_tasks, p_ppm, price_of_task, wanted_seats

TARGET = 0.02
"""For a stake of 300 task prices (design section 8)."""
TARGET_STAKE = 300
STAKES = (100, 300, 1_000)
SIGMAS = (0.0, 0.5, 1.0, 1.5)
RATE_FLOOR_PPM = 10_000
LEAF_TASKS = 1_000
LEAVES = 40
TASK_WU = 1_000_000
PRICE_WEI_PER_GWU = 10**18
SEATS_OF_A_LEAF = 1 + 1 / TWO_SEATS_ONE_IN
"""In expectation: a tenth of the leaves go to two seats."""


@dataclass(frozen=True)
class OverheadFigure:
    """`expected` by the rule and `drawn` by real draws, of leaves of LEAF_TASKS tasks with this stake.

    `sigma` is that of the lognormal WU of the tasks, 0 for even ones; the stake is in average task prices.
    """

    stake_tasks: int
    sigma: float
    leaves: int
    leaf_tasks: int
    expected: float
    drawn: float

    @property
    def target(self) -> float | None:
        """The design's, None where it names none."""
        return TARGET if self.stake_tasks == TARGET_STAKE else None

    def to_json(self) -> dict[str, Any]:
        """As var/bench/overhead.json has it."""
        return {**asdict(self), "rate_floor_ppm": RATE_FLOOR_PPM, "target": self.target}


def task_wus(sigma: float, count: int, seed: int) -> list[int]:
    """The WU of `count` tasks: even, or lognormal about TASK_WU."""
    chance = random.Random(seed)
    return [max(1, round(TASK_WU * chance.lognormvariate(0.0, sigma))) for _ in range(count)]


def expected_replay_wu(wus: Sequence[int], stake_tasks: int) -> float:
    """The WU that all seats of a leaf replay in expectation."""
    amount, total = amount_of(sum(wus), PRICE_WEI_PER_GWU), sum(wus)
    stake = stake_tasks * amount // len(wus)
    chances = (p_ppm(price_of_task(wu, amount, total), stake, RATE_FLOOR_PPM) for wu in wus)
    return SEATS_OF_A_LEAF * sum(wu * chance for wu, chance in zip(wus, chances, strict=True)) / PPM


def drawn_replay_wu(wus: Sequence[int], stake_tasks: int, number: int) -> int:
    """The WU that all seats of a leaf replay under one seed; `number` tells the leaves apart."""
    total = sum(wus)
    amount, seed = amount_of(total, PRICE_WEI_PER_GWU), keccak256(b"seed %d" % number)
    leaf = keccak256(b"leaf %d" % number)
    squares = sum(wu * wu for wu in wus)
    receipt = Receipt(leaf, "0x" + "11" * 20, 0, leaf, leaf, len(wus), total, squares, amount, 0)
    drawn = drawn_tasks(seed, receipt, wus, stake_tasks * amount // len(wus), RATE_FLOOR_PPM)
    return wanted_seats(seed, leaf) * sum(wus[k] for k in drawn)


def measure_overhead(
    stakes: Sequence[int] = STAKES, sigmas: Sequence[float] = SIGMAS, leaves: int = LEAVES
) -> list[OverheadFigure]:
    """Every stake with every shape of tasks."""
    return [_measure(stake, sigma, leaves) for sigma in sigmas for stake in stakes]


def _measure(stake_tasks: int, sigma: float, leaves: int) -> OverheadFigure:
    work = [task_wus(sigma, LEAF_TASKS, number) for number in range(leaves)]
    paid = sum(sum(wus) for wus in work)
    expected = sum(expected_replay_wu(wus, stake_tasks) for wus in work)
    drawn = sum(drawn_replay_wu(wus, stake_tasks, number) for number, wus in enumerate(work))
    return OverheadFigure(stake_tasks, sigma, leaves, LEAF_TASKS, expected / paid, drawn / paid)
