"""Amounts as people write them, and what stake is said to do."""

import pytest

from worker.staking import effect_of, explain, tokens, wei_of

PRICE, LEAST = 10**15, 10 * 10**15


@pytest.mark.parametrize(
    "text", ["", " ", "-1", "+1", "1,5", "1.", "0x10", "1e18", "wei", "1.0000000000000000001", "٣"]
)
def test_amount_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="amount"):
        wei_of(text)


@pytest.mark.parametrize(
    ("text", "wei"),
    [("1", 10**18), ("0.1", 10**17), (".5", 5 * 10**17), ("7wei", 7), (" 2 MANY ", 2 * 10**18), ("1 wei", 1)],
)
def test_amounts(text, wei):
    assert wei_of(text) == wei


@pytest.mark.parametrize("wei", [0, 1, 10**17, 10**18, 123 * 10**16, 2**128 - 1])
def test_tokens_are_said_exactly(wei):
    assert wei_of(tokens(wei)) == wei


@pytest.mark.parametrize(
    ("tasks", "replayed", "deducted"),
    [
        (0, 1_000_000, 500_000),
        (9, 1_000_000, 500_000),
        (20, 222_223, 111_111),
        (300, 14_815, 7_407),
        (1_000, 10_000, 2_222),
    ],
)
def test_stake_has_the_effect_that_the_design_says(tasks, replayed, deducted):
    effect = effect_of(tasks * PRICE, PRICE, LEAST)
    assert (effect.replayed_ppm, effect.deducted_ppm) == (replayed, deducted)


def test_explanation_names_both_stakes_and_warns_below_the_minimum():
    text = explain(300 * PRICE, 9 * PRICE, PRICE, LEAST)
    assert "At a stake of 0.3 MANY, 1.48 % of such tasks are replayed, and 0.74 % of the pay" in text
    assert "At a stake of 0.009 MANY, 100 % of such tasks are replayed, and 50 % of the pay" in text
    assert "counts as none" in text
    assert "not known" in explain(0, PRICE, 0, LEAST)
