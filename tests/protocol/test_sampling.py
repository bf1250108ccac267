from math import isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import DrawInvalid, EncodingInvalid
from protocol.money import PPM, rule_ppm
from protocol.sampling import (
    Seat,
    ballot_seats,
    ballot_seed,
    drawn_tasks,
    epoch_seed,
    is_drawn,
    miss_probability,
    p_ppm,
    price_of_task,
    redraw_subject,
    seats_of_leaf,
    wanted_seats,
)
from tests.vectors.samples import OWNER, receipt_of, seats, word_of

SEED = word_of("seed")
SEATS = seats()


def _receipt(wus, amount=10**18):
    return receipt_of(count=len(wus), total_wu=sum(wus), total_squared_wu=sum(wu * wu for wu in wus), amount=amount)


def test_drawn_tasks_with_wu_that_are_not_the_receipts_is_refused():
    receipt = _receipt([5, 6])
    for wus in ([5], [5, 6, 0], [5, 7]):
        with pytest.raises(DrawInvalid):
            drawn_tasks(SEED, receipt, wus, 1, 10_000)
    with pytest.raises(EncodingInvalid):
        drawn_tasks(SEED[:31], receipt, [5, 6], 1, 10_000)


@pytest.mark.parametrize(
    "call",
    [
        lambda: epoch_seed(SEED, -1),
        lambda: epoch_seed(SEED, 2**64),
        lambda: epoch_seed(SEED[:31], 1),
        lambda: ballot_seed(SEED, b""),
        lambda: redraw_subject(1, SEED, 256),
    ],
)
def test_seeds_of_values_outside_their_types_are_refused(call):
    with pytest.raises(EncodingInvalid):
        call()


def test_seats_of_no_snapshot_are_none():
    assert seats_of_leaf(SEED, word_of("leaf"), [], OWNER) == ()
    assert ballot_seats(SEED, word_of("subject"), [], 3) == ()


def test_seats_of_leaf_never_are_of_the_devices_owner_or_twice_one_verifier():
    drawn = [seats_of_leaf(SEED, word_of("leaf", i), SEATS, OWNER) for i in range(400)]
    assert all(SEATS[seat].owner != OWNER for found in drawn for seat in found)
    assert all(len({SEATS[seat].verifier for seat in found}) == len(found) for found in drawn)
    assert all(len(found) == wanted_seats(SEED, word_of("leaf", i)) for i, found in enumerate(drawn))
    assert 20 <= sum(len(found) == 2 for found in drawn) <= 60
    assert {seat for found in drawn for seat in found} == {0, 1, 2, 3, 4, 7, 8}


def test_seats_of_leaf_where_all_are_the_owners_are_none():
    assert seats_of_leaf(SEED, word_of("leaf"), [Seat(OWNER, OWNER)] * 5, OWNER) == ()


def test_ballot_seats_are_distinct_and_never_of_the_excluded():
    for i in range(100):
        drawn = ballot_seats(SEED, word_of("subject", i), SEATS, 6, (SEATS[3].verifier,))
        assert len(set(drawn)) == len(drawn) == 6
        assert not set(drawn) & {3, 4, 8}
    assert len(ballot_seats(SEED, word_of("subject"), SEATS, 3, (OWNER,))) == 3
    assert not {5, 6} & set(ballot_seats(SEED, word_of("subject"), SEATS, 7, (OWNER,)))
    assert len(ballot_seats(SEED, word_of("subject"), SEATS, 100)) == len(SEATS)


@pytest.mark.parametrize(("stake", "chance"), [(0, PPM), (4, PPM), (20, 222_223), (100, 44_445), (300, 14_815)])
def test_p_ppm_is_that_of_the_design(stake, chance):
    assert p_ppm(10**15, stake * 10**15, 10_000) == chance


def test_p_ppm_is_never_below_the_floor_nor_above_all():
    assert p_ppm(1, 10**30, 10_000) == 10_000
    assert p_ppm(10**30, 1, 10_000) == PPM
    assert p_ppm(0, 1, 1_000_000) == PPM
    assert p_ppm(0, 0, 10_000) == PPM


def test_is_drawn_at_the_ends_is_always_and_never():
    assert all(is_drawn(SEED, word_of("r"), k, PPM) for k in range(200))
    assert not any(is_drawn(SEED, word_of("r"), k, 0) for k in range(200))


def test_drawn_tasks_under_other_seeds_and_receipts_differ():
    wus = [1000] * 300
    receipt, other = _receipt(wus), _receipt(wus, amount=10**18 + 1)
    base = drawn_tasks(SEED, receipt, wus, 3 * 10**17, 10_000)
    assert drawn_tasks(word_of("seed", 1), receipt, wus, 3 * 10**17, 10_000) != base
    assert drawn_tasks(SEED, other, wus, 3 * 10**17, 10_000) != base
    assert drawn_tasks(SEED, receipt, wus, 0, 10_000) == tuple(range(300))


def test_drawn_tasks_come_as_often_as_their_chance():
    wus = [1000] * 5000
    receipt = _receipt(wus)
    stake = 100 * receipt.amount // 5000
    drawn = drawn_tasks(SEED, receipt, wus, stake, 10_000)
    assert 180 <= len(drawn) <= 265  # 4.4445 % of 5000, three sigma


@settings(max_examples=50)
@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=40), st.integers(1, 10**20), st.integers(0, 10**19))
def test_rule_is_the_expected_share_of_replayed_work(wus, amount, stake):
    total, squared = sum(wus), sum(wu * wu for wu in wus)
    chances = [p_ppm(price_of_task(wu, amount, total), stake, 0) for wu in wus]
    expected = sum(chance * wu for chance, wu in zip(chances, wus, strict=True)) / total
    rule = rule_ppm(amount, total, squared, stake)
    if max(chances) < PPM:
        assert abs(rule - expected) <= 2 + 2 * 40 * PPM / (9 * stake)
    else:
        assert rule >= expected - 2 or rule == PPM


def test_miss_probability_is_the_product_of_misses():
    assert miss_probability([]) == 1.0
    assert miss_probability([0, 0]) == 1.0
    assert miss_probability([100_000, PPM]) == 0.0
    assert isclose(miss_probability([100_000] * 150), 0.9**150, rel_tol=1e-9)
    assert isclose(miss_probability([10_000, 500_000]), 0.99 * 0.5, rel_tol=1e-12)
