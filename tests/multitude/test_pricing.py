"""Quotes, bids, receipts: numbers in, numbers out, and nothing that a market writes becomes markup or a formula."""

import csv
import io

import pytest

from multitude import ApiHostile, JobReceipt, Quote, Terms
from multitude.buyer.display import tokens
from multitude.buyer.pricing import budget_for, build_bid
from multitude.buyer.status import JobStatus, pages_of, ranges_of
from multitude.buyer.wallet import Permit
from protocol.encoding import to_hex
from protocol.errors import EncodingInvalid
from protocol.manifest import Manifest
from protocol.money import amount_of, debit_of
from tests.multitude.fake_market import PROGRAM, FakeJob, FakeMarket, doubled, receipt_of

BUYER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MANIFEST = Manifest.of([b"a", b"b" * 2_000])


@pytest.fixture(scope="module")
def quoted():
    """A quote's JSON over two inputs."""
    with FakeMarket() as market:
        market.blobs[to_hex(MANIFEST.blob_id)] = MANIFEST.blob
        return market.quote({"manifest": to_hex(MANIFEST.blob_id), "rateFloorPpm": 10_000})


def bid_of(quote, **terms):
    return build_bid(BUYER, PROGRAM, MANIFEST, quote, Terms(**terms), 1_000, b"\2" * 32)


@pytest.mark.parametrize(
    "change",
    [
        {"cap": "-1"},
        {"cap": "1" * 40},
        {"cap": None},
        {"cap": True},
        {"spanTasks": 1.5},
        {"wuPerTask": []},
        {"expectedSeconds": float("nan")},
        {"expectedSeconds": "1"},
        {"drivers": ["x"] * 21},
        {"capacity": {}},
    ],
)
def test_quote_that_does_not_fit_is_hostile(quoted, change):
    with pytest.raises(ApiHostile):
        Quote.from_json(quoted | change)


def test_quote_and_receipt_are_escaped_in_notebooks(quoted):
    quote = Quote.from_json(quoted)
    assert "<b>these" in quote.drivers[0]
    assert "<b>these" not in quote._repr_html_()
    assert "&lt;b&gt;these" in quote._repr_html_()
    status = JobStatus("0x", "refused", 1, {}, None, "<script>")
    assert "<script>" not in status._repr_html_()


def test_build_bid_takes_the_quote_where_terms_are_silent(quoted):
    quote = Quote.from_json(quoted)
    bid = bid_of(quote)
    assert (bid.max_price_wei_per_gwu, bid.span_tasks, bid.task_limit_wu) == (10**15, 4, 3_000)
    assert (bid.budget, bid.max_fee_ppm) == (quote.cap, 10_000)
    assert (bid.task_count, bid.inputs_root, bid.manifest) == (2, MANIFEST.inputs_root, MANIFEST.blob_id)
    assert bid.deadline == 1_000 + 3_600


def test_build_bid_takes_the_terms_and_works_the_budget_out_again(quoted):
    quote = Quote.from_json(quoted)
    bid = bid_of(quote, max_price_wei_per_gwu=7 * 10**12, span_tasks=16, rate_floor_ppm=100_000, min_stake_wei=3)
    assert (bid.max_price_wei_per_gwu, bid.span_tasks, bid.min_stake) == (7 * 10**12, 16, 3)
    assert bid.budget == budget_for(2, 3_000, 7 * 10**12, 10_000, 100_000) < quote.cap
    assert bid_of(quote, budget_wei=11).budget == 11
    with pytest.raises(EncodingInvalid, match="spanTasks"):
        bid_of(quote, span_tasks=257)


def test_budget_for_covers_every_task_at_its_limit():
    leaf = debit_of(amount_of(10 * 200_000, 10**18), 30_000, 100_000)
    assert budget_for(10, 200_000, 10**18, 30_000, 100_000) >= leaf


def test_permit_has_the_type_hash_of_eip_2612():
    assert Permit.type_hash.hex() == "6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9"


@pytest.mark.parametrize(
    ("wei", "text"),
    [
        (0, "0 MANY"),
        (1, "0.000000000000000001 MANY"),
        (1500 * 10**18, "1,500 MANY"),
        (665697073979709, "0.000665697 MANY"),
    ],
)
def test_tokens_are_shown_to_six_digits(wei, text):
    assert tokens(wei) == text


def a_receipt(quoted, **changes):
    job = FakeJob(bid_of(Quote.from_json(quoted)), [b"a", b"b"], doubled)
    value = receipt_of(job)
    value["items"][0] |= changes
    return value


@pytest.mark.parametrize("change", [{"amount": "x"}, {"device": 1}, {"device": "0x" + "1" * 100}, {"postTx": 5}])
def test_receipt_that_does_not_fit_is_hostile(quoted, change):
    with pytest.raises(ApiHostile):
        JobReceipt.from_json(a_receipt(quoted, **change))


def test_receipt_csv_has_every_item_and_no_formulas(quoted):
    receipt = JobReceipt.from_json(a_receipt(quoted, state="=1+1"))
    (row,) = csv.DictReader(io.StringIO(receipt.to_csv()))
    assert (row["amount"], row["claim_tx"], row["state"]) == ("100", "", "'=1+1")


def test_receipt_json_has_amounts_as_decimal_strings(quoted):
    value = JobReceipt.from_json(a_receipt(quoted)).to_json()
    assert (value["spent"], value["items"][0]["fee"], value["transactions"][0]["block"]) == ("104", "1", 9)


@pytest.mark.parametrize("tasks", [[[0, 11]], [[3, 3]], [[-1, 2]], [[0]], [0], "x", [[0, True]], [[0, 1]] * 1_001])
def test_ranges_that_do_not_fit_are_hostile(tasks):
    with pytest.raises(ApiHostile):
        ranges_of({"tasks": tasks}, 10)


def test_pages_cover_the_tasks_with_as_few_as_possible():
    assert pages_of([], 4) == []
    assert pages_of([0, 1, 5, 9, 10], 4) == [(0, 2), (5, 1), (9, 2)]
    assert pages_of([0, 3, 4], 4) == [(0, 4), (4, 1)]
