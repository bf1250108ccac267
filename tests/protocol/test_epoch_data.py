import dataclasses
import json

import pytest

from protocol.blobs import to_canonical_json
from protocol.encoding import to_hex
from protocol.epoch_data import EpochData, PostedEntry, check_entry, check_leaf, lease_signer
from protocol.errors import EpochDataInvalid, SpansInvalid
from protocol.merkle import verify
from tests.vectors.leaves import BID, EPOCH, LEAF, NOT_BACKED, PRICE, leaf_of, with_results
from tests.vectors.samples import DOMAIN, SETTLER, bid_of, word_of


@pytest.mark.parametrize("name", list(NOT_BACKED))
def test_check_leaf_that_is_not_backed_is_refused(name):
    with pytest.raises(EpochDataInvalid):
        check_leaf(BID, NOT_BACKED[name], DOMAIN)


def test_check_leaf_above_the_bids_price_is_refused():
    bid = bid_of(task_count=37, span_tasks=4, max_price_wei_per_gwu=PRICE - 1)
    with pytest.raises(EpochDataInvalid, match="maximum price"):
        check_leaf(bid, leaf_of("device", [(0, 9), (3,)], bid), DOMAIN)


def test_check_names_the_leaf_at_fault():
    entry = dataclasses.replace(EPOCH.entries[0], leaves=(LEAF, NOT_BACKED["amount"]))
    with pytest.raises(EpochDataInvalid, match="leaf 1: the amount"):
        EpochData(SETTLER, (entry,)).check(DOMAIN)


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (dataclasses.replace(EPOCH.entries[0], leaves=()),),
        (EPOCH.entries[0], dataclasses.replace(EPOCH.entries[1], leaves=())),
        (EPOCH.entries[1], EPOCH.entries[1]),
        (dataclasses.replace(EPOCH.entries[0], leaves=(LEAF,) * 129),),
    ],
)
def test_epoch_data_out_of_its_bounds_is_refused(entries):
    with pytest.raises(EpochDataInvalid):
        EpochData(SETTLER, entries)


def _json_cases():
    def leaf(value):
        return value["entries"][0]["leaves"][0]

    yield lambda v: v.pop("settler")
    yield lambda v: v.update(version=2)
    yield lambda v: v.update(version=True)
    yield lambda v: v.update(extra=1)
    yield lambda v: v.update(settler=v["settler"].lower())
    yield lambda v: v.update(settler="0x00")
    yield lambda v: v.update(entries={})
    yield lambda v: v["entries"].append(1)
    yield lambda v: v["entries"][0].pop("bid")
    yield lambda v: v["entries"][0]["bid"].update(budget=5)
    yield lambda v: v["entries"][0].update(bidSignature="0xzz")
    yield lambda v: leaf(v).pop("outputs")
    yield lambda v: leaf(v).update(signature="0x00")
    yield lambda v: leaf(v).update(words=[])
    yield lambda v: leaf(v).update(words=["0x" + "00" * 32])
    yield lambda v: leaf(v).update(words=["0x01"])
    yield lambda v: leaf(v).update(firstWord="0")
    yield lambda v: leaf(v).update(firstWord=-1)
    yield lambda v: leaf(v)["results"].append([1, "1", "0x" + "00" * 32, "1"])
    yield lambda v: leaf(v)["results"].append([1, "1", "0x" + "00" * 32, 1, 0])
    yield lambda v: leaf(v)["results"].append([1, "1", "0x" + "00" * 32, "1", 256])
    yield lambda v: leaf(v)["results"].append([1, "1", "0x" + "00" * 32, "1", 0, 0])
    yield lambda v: leaf(v)["results"].append("12345")
    yield lambda v: leaf(v)["leases"].append({})
    yield lambda v: leaf(v)["leases"][0]["lease"].update(spans=[2**32])
    yield lambda v: leaf(v)["outputs"].append("0x")


@pytest.mark.parametrize("change", list(_json_cases()))
def test_parse_of_a_malformed_blob_is_refused(change):
    value = json.loads(EPOCH.blob)
    change(value)
    with pytest.raises(EpochDataInvalid):
        EpochData.parse(to_canonical_json(value))


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"{}",
        EPOCH.blob[:-1],
        EPOCH.blob + b" ",
        EPOCH.blob.replace(
            to_hex(word_of("blob")).encode(), to_hex(word_of("blob")).upper().replace("0X", "0x").encode()
        ),
    ],
)
def test_parse_of_what_is_not_canonical_is_refused(blob):
    with pytest.raises(EpochDataInvalid):
        EpochData.parse(blob)


@pytest.mark.parametrize("change", [{"job_id": bytes(32)}, {"subroot": bytes(32)}, {"count": 3}, {"sum": 1}])
def test_check_entry_that_was_not_posted_is_refused(change):
    posted = EPOCH.entries[0].posted(20_000)
    with pytest.raises(EpochDataInvalid, match="not the one posted"):
        check_entry(EPOCH.entries[0], 20_000, dataclasses.replace(posted, **change))


def test_check_entry_under_another_fee_is_refused():
    with pytest.raises(EpochDataInvalid):
        check_entry(EPOCH.entries[0], 20_001, EPOCH.entries[0].posted(20_000))


def test_check_of_an_honest_epoch_is_accepted():
    EPOCH.check(DOMAIN)
    parsed = EpochData.parse(EPOCH.blob)
    parsed.check(DOMAIN)
    assert parsed == EPOCH
    assert parsed.data_id == EPOCH.data_id


def test_posted_is_the_root_and_debit_of_the_receipt_tree():
    entry = EPOCH.entries[0]
    tree = entry.receipt_tree(20_000)
    posted = entry.posted(20_000)
    assert posted == PostedEntry(BID.job_id, tree.root, 2, tree.sum)
    check_entry(entry, 20_000, posted)
    verify(tree.kind, tree.top, tree.leaf(1), 1, 2, tree.proof(1))


def test_leaves_are_numbered_through_all_entries():
    places = [(leaf.number, leaf.entry_index, leaf.leaf_index) for leaf in EPOCH.leaves()]
    assert places == [(0, 0, 0), (1, 0, 1), (2, 1, 0)]


def test_lease_signer_where_the_bid_names_none_is_who_signed():
    assert lease_signer(EPOCH.entries[1].leaves[0], DOMAIN) == SETTLER


def test_positions_of_lease_are_those_of_its_tasks_in_the_receipt():
    assert LEAF.positions_of_lease(0, BID) == (0, 1, 2, 3, 8)
    assert LEAF.positions_of_lease(1, BID) == (4, 5, 6, 7)


def test_faults_of_an_honest_leaf_are_none():
    assert LEAF.faults(BID) == {}
    with pytest.raises(SpansInvalid):
        NOT_BACKED["spans outside"].faults(BID)


def test_faults_of_results_at_the_wrong_index_are_told_though_the_leaf_is_backed():
    leaf = with_results(LEAF, (LEAF.results[1], LEAF.results[0], *LEAF.results[2:]))
    check_leaf(BID, leaf, DOMAIN)
    assert sorted(leaf.faults(BID)) == [0, 1]
