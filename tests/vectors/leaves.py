"""An honest epoch, and leaves that their data do not back."""

import dataclasses

from protocol.encoding import ZERO_ADDRESS
from protocol.epoch_data import EntryData, EpochData, LeafData, SignedLease
from protocol.merkle import ResultTree, TaskResult
from protocol.messages import Bid, Lease, Receipt
from protocol.money import amount_of
from protocol.signing import address_of
from protocol.spans import SpanSet
from tests.vectors.samples import DOMAIN, SETTLER, bid_of, key_of, word_of

PRICE = 5 * 10**18
BID = bid_of(task_count=37, span_tasks=4)


def lease_of(number: int, spans: tuple[int, ...], device: str, bid: Bid = BID, signer: str = "settler", **changes):
    fields = {"job_id": bid.job_id, "lease_id": number, "spans": spans, "device": device}
    fields |= {"price_wei_per_gwu": PRICE, "expiry": 100, "post_by": 200 + number}
    lease = Lease(**(fields | changes))
    return SignedLease(lease, lease.sign(DOMAIN, key_of(signer)))


def leaf_of(name: str, leases: list[tuple[int, ...]], bid: Bid = BID) -> LeafData:
    """An honest leaf of the named device over these leases' spans."""
    device = address_of(key_of(name))
    spans = SpanSet.of(span for lease in leases for span in lease)
    results = tuple(
        TaskResult.of_output(task, bytes([task]), 1000 + task) for task in spans.tasks(bid.task_count, bid.span_tasks)
    )
    signed = tuple(lease_of(number, lease, device, bid) for number, lease in enumerate(leases))
    outputs = tuple(word_of("blob", number) for number in range(len(leases)))
    return _signed(name, LeafData(_receipt(device, spans, results, bid), b"", spans, signed, results, outputs))


def _receipt(device: str, spans: SpanSet, results: tuple[TaskResult, ...], bid: Bid) -> Receipt:
    tree = ResultTree(results)
    amount = amount_of(tree.total_wu, PRICE)
    sums = (tree.root, len(results), tree.total_wu, tree.total_squared_wu, amount, 200)
    return Receipt(bid.job_id, device, 0, spans.hash, *sums)


def _signed(name: str, leaf: LeafData) -> LeafData:
    return dataclasses.replace(leaf, signature=leaf.receipt.sign(DOMAIN, key_of(name)))


def with_receipt(leaf: LeafData, **changes) -> LeafData:
    return _signed("device", dataclasses.replace(leaf, receipt=dataclasses.replace(leaf.receipt, **changes)))


def with_results(leaf: LeafData, results: tuple[TaskResult, ...]) -> LeafData:
    """The leaf as its device would have signed it over these results."""
    receipt = _receipt(leaf.receipt.device, leaf.spans, results, BID)
    return _signed("device", dataclasses.replace(leaf, results=results, receipt=receipt))


LEAF = leaf_of("device", [(0, 9), (3,)])
OTHER_BID = bid_of(task_count=5, span_tasks=16, settler=ZERO_ADDRESS)
EPOCH = EpochData(
    SETTLER,
    (
        EntryData(BID, BID.sign(DOMAIN, key_of("buyer")), (LEAF, leaf_of("other", [(1, 2)]))),
        EntryData(OTHER_BID, b"\x01\x02", (leaf_of("device", [(0,)], OTHER_BID),)),
    ),
)


def _cases_not_backed() -> dict[str, LeafData]:
    device, receipt = LEAF.receipt.device, LEAF.receipt
    swapped = (LEAF.results[1], LEAF.results[0], *LEAF.results[2:])
    leases = LEAF.leases

    def leased(*signed):
        return dataclasses.replace(LEAF, leases=signed)

    return {
        "another job": leaf_of("device", [(0, 9), (3,)], bid_of(task_count=37, span_tasks=4, salt=bytes(32))),
        "signed by device": dataclasses.replace(LEAF, signature=receipt.sign(DOMAIN, key_of("other"))),
        "no signature": dataclasses.replace(LEAF, signature=bytes(65)),
        "another device": with_receipt(LEAF, device=address_of(key_of("other"))),
        "spans hash": with_receipt(LEAF, spans_hash=bytes(32)),
        "other spans": dataclasses.replace(LEAF, spans=SpanSet.of([0, 3, 8])),
        "spans outside": _with_spans([0, 3, 10]),
        "count": with_receipt(LEAF, count=receipt.count + 1),
        "a result more": with_results(LEAF, (*LEAF.results, TaskResult.of_output(36, b"x", 1000))),
        "a result missing": dataclasses.replace(LEAF, results=LEAF.results[:-1]),
        "results swapped": dataclasses.replace(LEAF, results=swapped),
        "results root": with_receipt(LEAF, results_root=bytes(32)),
        "total wu": with_receipt(LEAF, total_wu=receipt.total_wu - 1),
        "total squared wu": with_receipt(LEAF, total_squared_wu=receipt.total_squared_wu + 1),
        "amount": with_receipt(LEAF, amount=receipt.amount - 1),
        "amount above": with_receipt(LEAF, amount=receipt.amount + 1),
        "post by": with_receipt(LEAF, post_by=201),
        "no leases": dataclasses.replace(LEAF, leases=(), outputs=()),
        "a lease missing": dataclasses.replace(LEAF, leases=leases[:1], outputs=LEAF.outputs[:1]),
        "an output missing": dataclasses.replace(LEAF, outputs=LEAF.outputs[:1]),
        "lease of another device": leased(leases[0], lease_of(1, (3,), SETTLER)),
        "lease of another job": leased(leases[0], lease_of(1, (3,), device, job_id=bytes(32))),
        "lease of another settler": leased(leases[0], lease_of(1, (3,), device, signer="other")),
        "leases of another settler": leased(
            *(lease_of(i, s, device, signer="other") for i, s in enumerate([(0, 9), (3,)]))
        ),
        "lease unsigned": leased(leases[0], SignedLease(leases[1].lease, bytes(65))),
        "lease of a span twice": leased(leases[0], lease_of(1, (3, 9), device)),
        "lease of other spans": leased(leases[0], lease_of(1, (4,), device)),
        "lease of more spans": leased(leases[0], lease_of(1, (3, 4), device)),
        "lease of no spans": leased(leases[0], lease_of(1, (), device)),
        "two prices": leased(leases[0], lease_of(1, (3,), device, price_wei_per_gwu=PRICE + 1)),
        "another price": leased(
            *(lease_of(i, s, device, price_wei_per_gwu=PRICE - 10**12) for i, s in [(0, (0, 9)), (1, (3,))])
        ),
    }


def _with_spans(numbers: list[int]) -> LeafData:
    spans = SpanSet.of(numbers)
    receipt = dataclasses.replace(LEAF.receipt, spans_hash=spans.hash)
    return _signed("device", dataclasses.replace(LEAF, spans=spans, receipt=receipt))


NOT_BACKED = _cases_not_backed()
