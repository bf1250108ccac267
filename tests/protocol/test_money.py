import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.encoding import UINT128_MAX
from protocol.errors import EncodingInvalid, MoneyInvalid
from protocol.money import (
    PPM,
    amount_of,
    check_receipt,
    check_replay,
    debit_of,
    leaf_money,
    rule_ppm,
    shares_of,
)
from tests.vectors.samples import bid_of, receipt_of

PRICE = 5 * 10**14


def _receipt(count=16, amount=16 * PRICE, wu=1_600_000, squared=None):
    squared = -(-wu * wu // count) if squared is None else squared
    return receipt_of(count=count, amount=amount, total_wu=wu, total_squared_wu=squared)


def test_amount_and_debit_past_uint128_are_refused():
    with pytest.raises(MoneyInvalid):
        amount_of(10**10, UINT128_MAX)
    with pytest.raises(MoneyInvalid):
        debit_of(UINT128_MAX, 0, 10_000)


@pytest.mark.parametrize("changes", [{"count": 0}, {"total_wu": 0}])
def test_leaf_money_without_work_is_refused(changes):
    with pytest.raises(MoneyInvalid):
        leaf_money(dataclasses.replace(_receipt(), **changes), bid_of(), 0, 0, 0)


@pytest.mark.parametrize("seats", [0, -1])
def test_shares_of_no_seats_is_refused(seats):
    with pytest.raises(MoneyInvalid):
        shares_of(5, seats)
    with pytest.raises(EncodingInvalid):
        shares_of(-1, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"count": 0}, "count"),
        ({"amount": 8_000_000_000_000_001}, "price"),
        ({"total_wu": 16 * 1_000_000 + 1, "total_squared_wu": 2**127}, "limit"),
        ({"total_squared_wu": 160_000_000_000 - 1}, "totalSquaredWU"),
        ({"total_squared_wu": 1_600_000 * 1_000_000 + 1}, "totalSquaredWU"),
        ({"total_wu": 0, "amount": 0}, "totalSquaredWU"),
    ],
)
def test_check_receipt_past_one_bound_is_refused(changes, reason):
    with pytest.raises(MoneyInvalid, match=reason):
        check_receipt(receipt_of(**changes), bid_of())


@pytest.mark.parametrize("changes", [{}, {"total_squared_wu": 1_600_000 * 1_000_000}, {"amount": 0}])
def test_check_receipt_at_its_bounds_is_accepted(changes):
    check_receipt(receipt_of(**changes), bid_of())


def test_check_replay_above_the_most_is_refused():
    receipt = _receipt()
    check_replay(receipt, bid_of(rate_floor_ppm=100_000), 300 * PRICE, 160_000)
    with pytest.raises(MoneyInvalid):
        check_replay(receipt, bid_of(rate_floor_ppm=100_000), 300 * PRICE, 159_999)
    with pytest.raises(MoneyInvalid):
        check_replay(receipt, bid_of(rate_floor_ppm=100_000), 0, 1_599_999)


def test_rule_of_even_tasks_is_that_of_the_design():
    # 300x the task's price gives 1.5 %, 100x 4.4 %, 20x 22 %, under 4.5x everything
    found = [rule_ppm(16 * PRICE, 1_600_000, 160_000_000_000, stake * PRICE) for stake in (300, 100, 20, 4, 0)]
    assert found == [14_815, 44_445, 222_223, PPM, PPM]


def test_rule_of_uneven_tasks_grows_with_their_squares():
    even = rule_ppm(16 * PRICE, 1_600_000, 160_000_000_000, 300 * PRICE)
    assert abs(rule_ppm(16 * PRICE, 1_600_000, 8 * 160_000_000_000, 300 * PRICE) - 8 * even) <= 8


def test_leaf_money_at_300_times_the_price_takes_under_one_per_cent():
    found = leaf_money(_receipt(), bid_of(rate_floor_ppm=10_000), 20_000, 300 * PRICE, 300 * PRICE)
    assert 0 < found.deduction < found.amount // 100
    assert (found.surcharge, found.bonded) == (0, 0)


def test_leaf_money_without_stake_takes_half_and_bonds_the_rest():
    found = leaf_money(_receipt(), bid_of(), 20_000, 0, 0)
    assert found.deduction == found.bonded == found.amount // 2
    assert (found.paid, found.surcharge) == (0, 0)


@pytest.mark.parametrize(("stake_now", "bonded"), [(300 * PRICE, 0), (300 * PRICE - 1, 1), (299 * PRICE, PRICE)])
def test_leaf_money_bonds_up_to_the_target_stake(stake_now, bonded):
    assert leaf_money(_receipt(), bid_of(), 0, 300 * PRICE, stake_now).bonded == bonded


def test_leaf_money_with_a_floor_above_the_rule_charges_the_buyer():
    found = leaf_money(_receipt(), bid_of(rate_floor_ppm=1_000_000), 0, 300 * PRICE, 300 * PRICE)
    assert found.surcharge == found.amount * (PPM - 14_815) // (2 * PPM)
    assert found.verification == found.amount // 2


WEI = st.integers(0, 2**100)
LEAVES = {
    "count": st.integers(1, 2**32 - 1),
    "amount": WEI,
    "wu": st.integers(1, 2**64 - 1),
    "spread": st.integers(1, 2**20),
    "fee": st.integers(0, 30_000),
    "floor": st.integers(10_000, 1_000_000),
    "then": WEI,
    "now": WEI,
}


@given(**LEAVES)
def test_leaf_money_never_spends_more_than_its_debit(count, amount, wu, spread, fee, floor, then, now):
    squared = min(UINT128_MAX, spread * wu * wu // count + 1)
    receipt = _receipt(count=count, amount=amount, wu=wu, squared=squared)
    found = leaf_money(receipt, bid_of(rate_floor_ppm=floor), fee, then, now)
    parts = found.paid + found.bonded + found.verification + found.fee
    assert parts == found.spent <= found.debit
    assert parts + found.returned == found.debit
    assert min(found.paid, found.bonded, found.deduction, found.surcharge, found.returned) >= 0
    assert found.debit == leaf_money(receipt, bid_of(rate_floor_ppm=floor), fee, then + 1, now).debit


@given(st.integers(0, UINT128_MAX), st.integers(1, 10))
def test_shares_differ_by_one_wei_at_most_and_sum_to_the_whole(amount, seats):
    shares = shares_of(amount, seats)
    assert (sum(shares), len(shares)) == (amount, seats)
    assert list(shares) == sorted(shares, reverse=True)
    assert shares[0] - shares[-1] <= 1
