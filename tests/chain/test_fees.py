from datetime import timedelta

import pytest

from chain.errors import (
    AlreadyKnown,
    FeeTooLow,
    InsufficientFunds,
    NodeRefused,
    NonceTooHigh,
    NonceTooLow,
    ReplacementUnderpriced,
    SendRefused,
    refusal,
)
from chain.fees import USUAL_FEES, FeePolicy, Fees
from chain.reorg import count_gone


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("already known", AlreadyKnown),
        ("transaction already imported", AlreadyKnown),
        ("replacement transaction underpriced", ReplacementUnderpriced),
        ("transaction underpriced: tip needed 1, tip permitted 0", FeeTooLow),
        ("max fee per gas less than block base fee: address 0x1, maxFeePerGas: 5, baseFee: 9", FeeTooLow),
        ("nonce too low: next nonce 7, tx nonce 5", NonceTooLow),
        ("OldNonce", NonceTooLow),
        ("nonce too high", NonceTooHigh),
        ("Insufficient funds for gas * price + value", InsufficientFunds),
        ("insufficient funds for transfer", InsufficientFunds),
        ("txpool is full", SendRefused),
    ],
)
def test_refusal_of_a_transaction_is_named(message, kind):
    assert type(refusal("eth_sendRawTransaction", message)) is kind


def test_refusal_of_a_read_is_about_no_transaction():
    assert type(refusal("eth_call", "nonce too low")) is NodeRefused


@pytest.mark.parametrize("wei", [0, 1, 7, 8, 9, 10**9, 10**18 + 1])
def test_raised_is_an_eighth_more_and_never_nothing(wei):
    more = Fees(wei, wei).raised()
    assert more.tip == more.most > wei
    assert 8 * more.most >= 9 * wei
    assert more.most <= wei + wei // 8 + 1


def test_market_above_the_ceiling_is_none_and_never_offers_more_than_it():
    policy = FeePolicy(ceiling=100)
    assert policy.market(101, 1) is None
    assert policy.market(60, 1) == Fees(100, 1)
    assert policy.market(10, 500) == Fees(100, 100)
    assert policy.market(10, 1) == Fees(21, 1)


def test_bumped_stops_at_ceiling_and_count_and_follows_the_market():
    policy = FeePolicy(ceiling=1_000, bump_after=timedelta(0), bumps_most=2)
    assert policy.bumped(Fees(80, 8), None, 0) == Fees(90, 9)
    assert policy.bumped(Fees(80, 8), Fees(500, 3), 1) == Fees(500, 9)
    assert policy.bumped(Fees(80, 8), None, 2) is None
    assert policy.bumped(Fees(889, 1), None, 0) is None
    assert policy.bumped(Fees(888, 1), None, 0) == Fees(999, 2)
    assert USUAL_FEES.bumps_most > 0


@pytest.mark.parametrize("gone", range(12))
def test_count_gone_finds_the_first_that_is_there_in_few_questions(gone):
    asked = []

    def is_there(block):
        asked.append(block)
        return block >= gone

    blocks = list(range(11))
    assert count_gone(blocks, is_there) == min(gone, 11)
    assert len(asked) <= (1 if gone == 0 else 5)
    assert count_gone([], is_there) == 0
