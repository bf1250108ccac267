import dataclasses
import json

import pytest

from protocol.blobs import to_canonical_json
from protocol.encoding import ZERO_ADDRESS, to_hex
from protocol.epoch_data import (
    EntryData,
    EpochData,
    LeafData,
    PostedEntry,
    SignedLease,
    check_entry,
    check_leaf,
    lease_signer,
)
from protocol.errors import EpochDataInvalid, SpansInvalid
from protocol.merkle import ResultTree, TaskResult, verify
from protocol.messages import Bid, Lease, Receipt
from protocol.money import amount_of
from protocol.signing import address_of
from protocol.spans import SpanSet
from tests.vectors.generate import DOMAIN, SETTLER, bid_of, key_of, word_of

PRICE = 5 * 10**18
BID = bid_of(task_count=37, span_tasks=4)


def _lease(number: int, spans: tuple[int, ...], device: str, bid: Bid = BID, signer: str = "settler", **changes):
    fields = {"job_id": bid.job_id, "lease_id": number, "spans": spans, "device": device}
    fields |= {"price_wei_per_gwu": PRICE, "expiry": 100, "post_by": 200 + number}
    lease = Lease(**(fields | changes))
    return SignedLease(lease, lease.sign(DOMAIN, key_of(signer)))


def _leaf(name: str, leases: list[tuple[int, ...]], bid: Bid = BID) -> LeafData:
    """An honest leaf of the named device over these leases' spans."""
    device = address_of(key_of(name))
    spans = SpanSet.of(span for lease in leases for span in lease)
    results = tuple(
        TaskResult.of_output(task, bytes([task]), 1000 + task) for task in spans.tasks(bid.task_count, bid.span_tasks)
    )
    signed = tuple(_lease(number, lease, device, bid) for number, lease in enumerate(leases))
    outputs = tuple(word_of("blob", number) for number in range(len(leases)))
    return _signed(name, LeafData(_receipt(device, spans, results, bid), b"", spans, signed, results, outputs))


def _receipt(device: str, spans: SpanSet, results: tuple[TaskResult, ...], bid: Bid) -> Receipt:
    tree = ResultTree(results)
    amount = amount_of(tree.total_wu, PRICE)
    sums = (tree.root, len(results), tree.total_wu, tree.total_squared_wu, amount, 200)
    return Receipt(bid.job_id, device, 0, spans.hash, *sums)


def _signed(name: str, leaf: LeafData) -> LeafData:
    return dataclasses.replace(leaf, signature=leaf.receipt.sign(DOMAIN, key_of(name)))


def _with_receipt(leaf: LeafData, **changes) -> LeafData:
    return _signed("device", dataclasses.replace(leaf, receipt=dataclasses.replace(leaf.receipt, **changes)))


def _with_results(leaf: LeafData, results: tuple[TaskResult, ...]) -> LeafData:
    """The leaf as its device would have signed it over these results."""
    receipt = _receipt(leaf.receipt.device, leaf.spans, results, BID)
    return _signed("device", dataclasses.replace(leaf, results=results, receipt=receipt))


LEAF = _leaf("device", [(0, 9), (3,)])
OTHER_BID = bid_of(task_count=5, span_tasks=16, settler=ZERO_ADDRESS)
EPOCH = EpochData(
    SETTLER,
    (
        EntryData(BID, BID.sign(DOMAIN, key_of("buyer")), (LEAF, _leaf("other", [(1, 2)]))),
        EntryData(OTHER_BID, b"\x01\x02", (_leaf("device", [(0,)], OTHER_BID),)),
    ),
)


def _cases_not_backed() -> dict[str, LeafData]:
    device, receipt = LEAF.receipt.device, LEAF.receipt
    swapped = (LEAF.results[1], LEAF.results[0], *LEAF.results[2:])
    leases = LEAF.leases

    def leased(*signed):
        return dataclasses.replace(LEAF, leases=signed)

    return {
        "another job": _leaf("device", [(0, 9), (3,)], bid_of(task_count=37, span_tasks=4, salt=bytes(32))),
        "signed by device": dataclasses.replace(LEAF, signature=receipt.sign(DOMAIN, key_of("other"))),
        "no signature": dataclasses.replace(LEAF, signature=bytes(65)),
        "another device": _with_receipt(LEAF, device=address_of(key_of("other"))),
        "spans hash": _with_receipt(LEAF, spans_hash=bytes(32)),
        "other spans": dataclasses.replace(LEAF, spans=SpanSet.of([0, 3, 8])),
        "spans outside": _leaf_with_spans([0, 3, 10]),
        "count": _with_receipt(LEAF, count=receipt.count + 1),
        "a result more": _with_results(LEAF, (*LEAF.results, TaskResult.of_output(36, b"x", 1000))),
        "a result missing": dataclasses.replace(LEAF, results=LEAF.results[:-1]),
        "results swapped": dataclasses.replace(LEAF, results=swapped),
        "results root": _with_receipt(LEAF, results_root=bytes(32)),
        "total wu": _with_receipt(LEAF, total_wu=receipt.total_wu - 1),
        "total squared wu": _with_receipt(LEAF, total_squared_wu=receipt.total_squared_wu + 1),
        "amount": _with_receipt(LEAF, amount=receipt.amount - 1),
        "amount above": _with_receipt(LEAF, amount=receipt.amount + 1),
        "post by": _with_receipt(LEAF, post_by=201),
        "no leases": dataclasses.replace(LEAF, leases=(), outputs=()),
        "a lease missing": dataclasses.replace(LEAF, leases=leases[:1], outputs=LEAF.outputs[:1]),
        "an output missing": dataclasses.replace(LEAF, outputs=LEAF.outputs[:1]),
        "lease of another device": leased(leases[0], _lease(1, (3,), SETTLER)),
        "lease of another job": leased(leases[0], _lease(1, (3,), device, job_id=bytes(32))),
        "lease of another settler": leased(leases[0], _lease(1, (3,), device, signer="other")),
        "leases of another settler": leased(
            *(_lease(i, s, device, signer="other") for i, s in enumerate([(0, 9), (3,)]))
        ),
        "lease unsigned": leased(leases[0], SignedLease(leases[1].lease, bytes(65))),
        "lease of a span twice": leased(leases[0], _lease(1, (3, 9), device)),
        "lease of other spans": leased(leases[0], _lease(1, (4,), device)),
        "lease of more spans": leased(leases[0], _lease(1, (3, 4), device)),
        "lease of no spans": leased(leases[0], _lease(1, (), device)),
        "two prices": leased(leases[0], _lease(1, (3,), device, price_wei_per_gwu=PRICE + 1)),
        "another price": leased(
            *(_lease(i, s, device, price_wei_per_gwu=PRICE - 10**12) for i, s in [(0, (0, 9)), (1, (3,))])
        ),
    }


def _leaf_with_spans(numbers: list[int]) -> LeafData:
    spans = SpanSet.of(numbers)
    receipt = dataclasses.replace(LEAF.receipt, spans_hash=spans.hash)
    return _signed("device", dataclasses.replace(LEAF, spans=spans, receipt=receipt))


NOT_BACKED = _cases_not_backed()


@pytest.mark.parametrize("name", list(NOT_BACKED))
def test_check_leaf_that_is_not_backed_is_refused(name):
    with pytest.raises(EpochDataInvalid):
        check_leaf(BID, NOT_BACKED[name], DOMAIN)


def test_check_leaf_above_the_bids_price_is_refused():
    bid = bid_of(task_count=37, span_tasks=4, max_price_wei_per_gwu=PRICE - 1)
    with pytest.raises(EpochDataInvalid, match="maximum price"):
        check_leaf(bid, _leaf("device", [(0, 9), (3,)], bid), DOMAIN)


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
    leaf = _with_results(LEAF, (LEAF.results[1], LEAF.results[0], *LEAF.results[2:]))
    check_leaf(BID, leaf, DOMAIN)
    assert sorted(leaf.faults(BID)) == [0, 1]
