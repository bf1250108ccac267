"""The epoch's data blob: everything that a replay of an epoch needs besides inputs and outputs (section 9).

`EpochData.parse` checks the form alone. Whether a leaf is backed by its data is asked leaf by leaf (`check_leaf`), so
that one bad leaf does not cost the others their pay; whether an entry is the one posted is asked with `check_entry`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

from protocol.blobs import blob_id, from_canonical_json, list_of, object_of, to_canonical_json
from protocol.encoding import ZERO_ADDRESS, check_bytes32, checksum_address, from_hex, to_hex, uint_from_json
from protocol.errors import EncodingInvalid, EpochDataInvalid, ProtocolError, SpansInvalid
from protocol.merkle import ReceiptTree, ResultTree, TaskResult
from protocol.messages import Bid, Domain, Lease, Receipt
from protocol.money import amount_of, check_receipt, debit_of
from protocol.spans import WORDS_MAX, SpanSet
from protocol.verdicts import LEAVES_MAX

EPOCH_DATA_BYTES_MAX = 64 * 2**20
ENTRIES_MAX = 32
LEASES_MAX = 10_000
RESULTS_MAX = 1_000_000

_VERSION = 1
_LEAF_NAMES = {"receipt", "signature", "firstWord", "words", "leases", "results", "outputs"}


class SignedLease(NamedTuple):
    """A lease with the signature of the job's settler."""

    lease: Lease
    signature: bytes


@dataclass(frozen=True)
class PostedEntry:
    """A job's part of an epoch as it was posted; `sum` is its debit in wei."""

    job_id: bytes
    subroot: bytes
    count: int
    sum: int


@dataclass(frozen=True)
class LeafData:
    """A receipt with all that it stands on: the spans, the leases, the results by position, the outputs by lease.

    `outputs[i]` is the blob id of the outputs of `leases[i]`.
    """

    receipt: Receipt
    signature: bytes
    spans: SpanSet
    leases: tuple[SignedLease, ...]
    results: tuple[TaskResult, ...]
    outputs: tuple[bytes, ...]

    @property
    def wus(self) -> tuple[int, ...]:
        """WU of each position of the receipt, for the draw."""
        return tuple(result.wu for result in self.results)

    def faults(self, bid: Bid) -> dict[int, str]:
        """The positions whose result no run can give, with the reason: each is a wrong result.

        Raises SpansInvalid if the spans are outside the job.
        """
        tasks = self.spans.tasks(bid.task_count, bid.span_tasks)
        found = ((k, result.fault(task, bid)) for k, (task, result) in enumerate(zip(tasks, self.results, strict=True)))
        return {k: reason for k, reason in found if reason is not None}

    def positions_of_lease(self, index: int, bid: Bid) -> tuple[int, ...]:
        """The receipt's positions whose outputs are in `outputs[index]`, in the blob's order."""
        tasks = self.spans.tasks(bid.task_count, bid.span_tasks)
        position = {task: k for k, task in enumerate(tasks)}
        leased = SpanSet.of(self.leases[index].lease.spans).tasks(bid.task_count, bid.span_tasks)
        return tuple(position[task] for task in leased)


@dataclass(frozen=True)
class EntryData:
    """One job's part of an epoch."""

    bid: Bid
    bid_signature: bytes
    leaves: tuple[LeafData, ...]

    def receipt_tree(self, fee_ppm: int) -> ReceiptTree:
        """The job's receipt tree; `fee_ppm` is the job's, fixed at openJob."""
        floor = self.bid.rate_floor_ppm
        receipts = [leaf.receipt for leaf in self.leaves]
        return ReceiptTree([(receipt, debit_of(receipt.amount, fee_ppm, floor)) for receipt in receipts])

    def posted(self, fee_ppm: int) -> PostedEntry:
        """What is posted of this entry."""
        tree = self.receipt_tree(fee_ppm)
        return PostedEntry(self.bid.job_id, tree.root, tree.count, tree.sum)


class NumberedLeaf(NamedTuple):
    """A leaf with its number in the epoch and its place."""

    number: int
    entry_index: int
    leaf_index: int
    entry: EntryData
    leaf: LeafData


@dataclass(frozen=True)
class EpochData:
    """An epoch of one settler: entries in posted order."""

    settler: str
    entries: tuple[EntryData, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "settler", checksum_address(self.settler))
        count = sum(len(entry.leaves) for entry in self.entries)
        if not 1 <= len(self.entries) <= ENTRIES_MAX or not 1 <= count <= LEAVES_MAX:
            raise EpochDataInvalid(f"{len(self.entries)} entries and {count} leaves, not 1 to {ENTRIES_MAX} and 128")
        if any(not entry.leaves for entry in self.entries):
            raise EpochDataInvalid("an entry without leaves")
        if len({entry.bid.job_id for entry in self.entries}) != len(self.entries):
            raise EpochDataInvalid("a job twice")

    @cached_property
    def blob(self) -> bytes:
        """The blob's bytes. EpochDataInvalid if they are more than EPOCH_DATA_BYTES_MAX."""
        entries = [_entry_to_json(entry) for entry in self.entries]
        blob = to_canonical_json({"version": _VERSION, "settler": self.settler, "entries": entries})
        if len(blob) > EPOCH_DATA_BYTES_MAX:
            raise EpochDataInvalid(f"{len(blob)} bytes, above {EPOCH_DATA_BYTES_MAX}")
        return blob

    @property
    def data_id(self) -> bytes:
        """The blob's id, which is posted."""
        return blob_id(self.blob)

    def leaves(self) -> Iterator[NumberedLeaf]:
        """All leaves in the order of their numbers."""
        number = 0
        for entry_index, entry in enumerate(self.entries):
            for leaf_index, leaf in enumerate(entry.leaves):
                yield NumberedLeaf(number, entry_index, leaf_index, entry, leaf)
                number += 1

    @classmethod
    def parse(cls, blob: bytes) -> "EpochData":
        """The data of a blob; EpochDataInvalid if it is too long, malformed or not canonical."""
        try:
            value = from_canonical_json(blob, EPOCH_DATA_BYTES_MAX)
            parts = object_of(value, {"version", "settler", "entries"}, "the epoch's data")
            if type(parts["version"]) is not int or parts["version"] != _VERSION:
                raise EncodingInvalid(f"version {parts['version']!r} is unknown")
            entries = list_of(parts["entries"], ENTRIES_MAX, "entries")
            data = cls(
                to_hex(from_hex(parts["settler"], 20, "settler")), tuple(_entry_from_json(item) for item in entries)
            )
        except (EncodingInvalid, SpansInvalid) as error:
            raise EpochDataInvalid(error.reason) from None
        if data.blob != blob:
            raise EpochDataInvalid("an address without its checksum, or hex in capitals")
        return data

    def check(self, domain: Domain) -> None:
        """EpochDataInvalid unless every leaf is backed by its data: for the settler, before it posts."""
        for place in self.leaves():
            try:
                check_leaf(place.entry.bid, place.leaf, domain)
            except EpochDataInvalid as error:
                raise EpochDataInvalid(f"leaf {place.number}: {error.reason}") from None


def check_leaf(bid: Bid, leaf: LeafData, domain: Domain) -> None:
    """EpochDataInvalid unless the receipt is the device's, and spans, results, amount and leases are the receipt's.

    Results that no run can give are not refused here: they are wrong results (`LeafData.faults`).
    """
    try:
        _check_receipt_of(bid, leaf, domain)
        _check_results(leaf)
        _check_leases(bid, leaf, domain)
    except EpochDataInvalid:
        raise
    except ProtocolError as error:
        raise EpochDataInvalid(error.reason) from None


def check_entry(entry: EntryData, fee_ppm: int, posted: PostedEntry) -> None:
    """EpochDataInvalid unless the entry is the one that was posted, under the job's `fee_ppm`."""
    try:
        found = entry.posted(fee_ppm)
    except ProtocolError as error:
        raise EpochDataInvalid(error.reason) from None
    for field in fields(PostedEntry):
        if getattr(found, field.name) != getattr(posted, field.name):
            raise EpochDataInvalid(f"the {field.name} is not the one posted")


def _check_receipt_of(bid: Bid, leaf: LeafData, domain: Domain) -> None:
    receipt = leaf.receipt
    if receipt.job_id != bid.job_id:
        raise EpochDataInvalid("the receipt is of another job")
    receipt.check_signature(domain, leaf.signature, receipt.device)
    if leaf.spans.hash != receipt.spans_hash:
        raise EpochDataInvalid("the spans are not those of spansHash")
    if leaf.spans.count(bid.task_count, bid.span_tasks) != receipt.count:
        raise EpochDataInvalid("count is not that of the spans")
    check_receipt(receipt, bid)


def _check_results(leaf: LeafData) -> None:
    if len(leaf.results) != leaf.receipt.count:
        raise EpochDataInvalid(f"{len(leaf.results)} results for {leaf.receipt.count} tasks")
    tree = ResultTree(leaf.results)
    if tree.root != leaf.receipt.results_root:
        raise EpochDataInvalid("the results are not those of resultsRoot")
    if (tree.total_wu, tree.total_squared_wu) != (leaf.receipt.total_wu, leaf.receipt.total_squared_wu):
        raise EpochDataInvalid("the sums of the results are not the receipt's")


def _check_leases(bid: Bid, leaf: LeafData, domain: Domain) -> None:
    receipt, leases = leaf.receipt, [signed.lease for signed in leaf.leases]
    if not leases or len(leaf.outputs) != len(leases):
        raise EpochDataInvalid(f"{len(leases)} leases with {len(leaf.outputs)} output blobs")
    if any(lease.job_id != receipt.job_id or lease.device != receipt.device for lease in leases):
        raise EpochDataInvalid("a lease of another job or device")
    signers = {signed.lease.recover(domain, signed.signature) for signed in leaf.leases}
    if len(signers) != 1 or bid.settler not in signers | {ZERO_ADDRESS}:
        raise EpochDataInvalid("the leases are not signed by the job's settler")
    if sorted(span for lease in leases for span in lease.spans) != list(leaf.spans):
        raise EpochDataInvalid("the leases do not cover each of the receipt's spans once")
    prices = {lease.price_wei_per_gwu for lease in leases}
    if len(prices) != 1 or receipt.amount != amount_of(receipt.total_wu, prices.pop()):
        raise EpochDataInvalid("the amount is not that of the leases' one price")
    if receipt.post_by != min(lease.post_by for lease in leases):
        raise EpochDataInvalid("postBy is not the earliest of the leases")


def lease_signer(leaf: LeafData, domain: Domain) -> str:
    """Who signed the leaf's leases, to be compared with the job's settler on chain (after `check_leaf`)."""
    return leaf.leases[0].lease.recover(domain, leaf.leases[0].signature)


# --- JSON


def _entry_to_json(entry: EntryData) -> dict[str, Any]:
    return {
        "bid": entry.bid.to_json(),
        "bidSignature": to_hex(entry.bid_signature),
        "leaves": [_leaf_to_json(leaf) for leaf in entry.leaves],
    }


def _leaf_to_json(leaf: LeafData) -> dict[str, Any]:
    return {
        "receipt": leaf.receipt.to_json(),
        "signature": to_hex(leaf.signature),
        "firstWord": leaf.spans.first_word,
        "words": [f"0x{word:064x}" for word in leaf.spans.words],
        "leases": [{"lease": lease.to_json(), "signature": to_hex(signature)} for lease, signature in leaf.leases],
        "results": [
            [result.task_index, str(result.output_length), to_hex(result.output_root), str(result.wu), result.status]
            for result in leaf.results
        ],
        "outputs": [to_hex(check_bytes32(output, "output blob id")) for output in leaf.outputs],
    }


def _entry_from_json(value: object) -> EntryData:
    parts = object_of(value, {"bid", "bidSignature", "leaves"}, "an entry")
    leaves = list_of(parts["leaves"], LEAVES_MAX, "leaves")
    signature = from_hex(parts["bidSignature"], None, "bidSignature")
    return EntryData(Bid.from_json(parts["bid"]), signature, tuple(_leaf_from_json(leaf) for leaf in leaves))


def _leaf_from_json(value: object) -> LeafData:
    parts = object_of(value, _LEAF_NAMES, "a leaf")
    words = tuple(
        int.from_bytes(from_hex(word, 32, "word of spans"), "big")
        for word in list_of(parts["words"], WORDS_MAX, "words")
    )
    return LeafData(
        receipt=Receipt.from_json(parts["receipt"]),
        signature=from_hex(parts["signature"], 65, "signature"),
        spans=SpanSet(uint_from_json(parts["firstWord"], 32, "firstWord"), words),
        leases=tuple(_lease_from_json(item) for item in list_of(parts["leases"], LEASES_MAX, "leases")),
        results=tuple(_result_from_json(item) for item in list_of(parts["results"], RESULTS_MAX, "results")),
        outputs=tuple(from_hex(item, 32, "output") for item in list_of(parts["outputs"], LEASES_MAX, "outputs")),
    )


def _lease_from_json(value: object) -> SignedLease:
    parts = object_of(value, {"lease", "signature"}, "a lease")
    return SignedLease(Lease.from_json(parts["lease"]), from_hex(parts["signature"], 65, "signature"))


def _result_from_json(value: object) -> TaskResult:
    row: Sequence[object] = list_of(value, 5, "fields of a result")
    if len(row) != 5:
        raise EncodingInvalid(f"a result has 5 fields, not {len(row)}")
    return TaskResult(
        uint_from_json(row[0], 32, "taskIndex"),
        uint_from_json(row[1], 64, "outputLength"),
        from_hex(row[2], 32, "outputRoot"),
        uint_from_json(row[3], 64, "wu"),
        uint_from_json(row[4], 8, "status"),
    )
