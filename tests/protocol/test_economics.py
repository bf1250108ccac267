"""What a cheat can expect, under the real draw rule (design section 5).

A device of stake S has wrong results worth V in an epoch. It is caught when a drawn task of them meets a seat that
finds it (DETECTION each). Caught, it loses three quarters of its stake (a quarter may come back to a cheat that
convicts itself first) and the wrong results' pay; not caught, it has stolen that pay. The computing saved is at most
V, and stays saved.
"""

import numpy as np
import pytest

from protocol.sampling import DETECTION, drawn_tasks, is_drawn, miss_probability, p_ppm, price_of_task
from tests.vectors.samples import receipt_of, word_of

PPM = 1_000_000
FLOOR = 10_000
STAKE = 10**21
LOST_SHARE = 0.75
EXPOSURES = (0.003, 0.03, 0.1, 0.3, 1.0, 3.0)


def _prices(kind: str, tasks: int, exposure: float, seed: int) -> np.ndarray:
    """Prices in wei of one device's wrong tasks, together `exposure` stakes."""
    rng = np.random.default_rng(seed)
    weights = np.ones(tasks) if kind == "even" else rng.lognormal(0.0, 2.0, tasks)
    return np.maximum(1, weights / weights.sum() * exposure * STAKE)


def _chances(prices: np.ndarray) -> list[int]:
    return [p_ppm(int(price), STAKE, FLOOR) for price in prices]


def _caught(prices: np.ndarray) -> float:
    """Each drawn task meets a seat of its own."""
    return 1 - miss_probability(int(chance * DETECTION) for chance in _chances(prices))


def _caught_by_one_seat(prices: np.ndarray) -> float:
    """One seat has the whole leaf: if it looks away, everything escapes."""
    return DETECTION * (1 - miss_probability(_chances(prices)))


def _total(devices: int, kind: str, tasks: int, exposure: float, caught=_caught) -> tuple[float, float, float]:
    """Expected loss, expected stolen pay and pay of the wrong work, of all devices, in stakes.

    The wrong work, worth `exposure` stakes on one device, is spread evenly over them all.
    """
    loss = stolen = pay = 0.0
    for device in range(min(devices, 10)):
        prices = _prices(kind, tasks, exposure / devices, device)
        value = prices.sum() / STAKE
        probability = caught(prices)
        loss += probability * (LOST_SHARE + value)
        stolen += (1 - probability) * value
        pay += value
    return loss, stolen, pay


@pytest.mark.parametrize("devices", [1, 10, 100])
@pytest.mark.parametrize("kind", ["even", "heavy"])
@pytest.mark.parametrize("caught", [_caught, _caught_by_one_seat])
def test_expected_loss_is_three_times_the_expected_stolen_pay(devices, kind, caught):
    for exposure in EXPOSURES:
        for tasks in (1, 10, 300):
            loss, stolen, _ = _total(devices, kind, tasks, exposure, caught)
            assert loss >= 2.999 * stolen, (exposure, tasks, loss / stolen)


@pytest.mark.parametrize("devices", [1, 10, 100])
@pytest.mark.parametrize("kind", ["even", "heavy"])
def test_expected_loss_of_stake_alone_is_three_times_the_stolen_pay_below_a_fifth_of_the_stake(devices, kind):
    for exposure in (0.003, 0.03, 0.1, 0.2):
        for tasks in (1, 10, 300):
            prices = _prices(kind, tasks, exposure / devices, tasks)
            probability = _caught(prices)
            assert probability * LOST_SHARE >= 2.999 * (1 - probability) * prices.sum() / STAKE


@pytest.mark.parametrize("kind", ["even", "heavy"])
@pytest.mark.parametrize(("exposure", "ratio"), [(0.003, 2.95), (0.03, 2.8), (1.0, 1.7), (3.0, 1.249)])
def test_expected_loss_over_computing_saved_is_that_of_the_design(kind, exposure, ratio):
    for tasks in (100, 1000):
        loss, _, saved = _total(1, kind, tasks, exposure)
        assert loss >= ratio * saved, loss / saved


def test_expected_loss_over_computing_saved_is_the_design_figure_for_even_tasks():
    found = [_total(1, "even", 100, exposure) for exposure in (1.0, 3.0)]
    assert [round(loss / saved, 2) for loss, _, saved in found] == [1.72, 1.25]


@pytest.mark.parametrize("devices", [1, 10, 100])
def test_expected_loss_with_one_lazy_seat_for_a_leaf_still_exceeds_the_computing_saved(devices):
    for exposure in EXPOSURES:
        loss, _, saved = _total(devices, "even", 300, exposure, _caught_by_one_seat)
        assert loss >= 1.1 * saved, (exposure, loss / saved)


def test_drawn_tasks_catch_a_cheat_as_often_as_the_rule_says():
    rng = np.random.default_rng(7)
    wus = [int(wu) for wu in np.maximum(1, rng.lognormal(8.0, 1.5, 64))]
    total, amount = sum(wus), STAKE // 20
    receipt = receipt_of(count=64, total_wu=total, total_squared_wu=sum(wu * wu for wu in wus), amount=amount)
    wrong = set(range(0, 64, 2))
    chances = [p_ppm(price_of_task(wus[k], amount, total), STAKE, FLOOR) for k in wrong]
    epochs = 1500
    caught = sum(
        not wrong.isdisjoint(drawn_tasks(word_of("epoch", i), receipt, wus, STAKE, FLOOR)) for i in range(epochs)
    )
    expected = 1 - miss_probability(chances)
    assert abs(caught / epochs - expected) < 4 * (expected * (1 - expected) / epochs) ** 0.5


def test_draws_of_two_receipts_are_independent():
    """A hash shared by jobs would draw the same positions in all of them: here they agree no more than by chance."""
    seeds = [word_of("epoch", i) for i in range(3000)]
    first, second = (
        np.array([is_drawn(seed, word_of("receipt", r), 0, 300_000) for seed in seeds], dtype=float) for r in (0, 1)
    )
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.08


def test_chances_of_a_liar_of_the_local_network_leave_less_than_one_in_a_million():
    assert miss_probability([100_000] * 150) < 1e-6
