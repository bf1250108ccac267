"""The structs that calls carry and that no signed message is, field for field those of contracts/interfaces.

They and the protocol's messages go straight into `ChainClient.call`, `ChainClient.encode` and `Outbox.enqueue`;
`plain` gives the bare tuples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from eth_abi.abi import encode

from chain.codec import plain
from protocol.hashing import keccak256
from protocol.merkle import ReceiptTree
from protocol.messages import Bid, Lease, Receipt
from protocol.program import ProgramFacts

__all__ = [
    "Bid",
    "ClaimedLeaves",
    "Entry",
    "Head",
    "LeafRef",
    "Lease",
    "ProgramFacts",
    "Receipt",
    "SeatVerdict",
    "SignedLease",
    "bid_of",
    "plain",
    "receipt_of",
]  # fmt: skip

_HEAD_TYPE = "(address,bytes32,uint32,uint40,uint64,(bytes32,bytes32,uint32,uint128)[],uint32[])"


@dataclass(frozen=True)
class Entry:
    """One job's part of an epoch: `subroot` and `count` of its receipt tree, `sum` in wei its debit."""

    job_id: bytes
    subroot: bytes
    count: int
    sum: int


class Head(NamedTuple):
    """What an epoch commits to, from its Posted event."""

    settler: str
    data_id: bytes
    snapshot: int
    posted_at: int
    post_block: int
    entries: tuple[Entry, ...]
    periods: tuple[int, ...]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """The head as a decoded Posted event carries it (`event.args["head"]`)."""
        entries = tuple(Entry(e["jobId"], e["subroot"], e["count"], e["sum"]) for e in value["entries"])
        return cls(
            value["settler"],
            value["dataId"],
            value["snapshot"],
            value["postedAt"],
            value["postBlock"],
            entries,
            tuple(value["periods"]),
        )

    @property
    def hash(self) -> bytes:
        """What the ledger stores: keccak256(abi.encode(head))."""
        return keccak256(encode([_HEAD_TYPE], [plain(self)]))


class LeafRef(NamedTuple):
    """A leaf with its path in the receipt tree of its entry; `debit` and `sibling_sums` in wei."""

    epoch_id: int
    head: Head
    entry_index: int
    leaf_index: int
    receipt: Receipt
    debit: int
    siblings: tuple[bytes, ...]
    sibling_sums: tuple[int, ...]


class SignedLease(NamedTuple):
    """A lease with the signature of the job's settler."""

    lease: Lease
    signature: bytes


class ClaimedLeaves(NamedTuple):
    """Leaves of one entry as they are claimed; `leases` only where the poster is not the job's settler."""

    packed: bytes
    siblings: tuple[bytes, ...]
    sibling_sums: tuple[int, ...]
    leases: tuple[tuple[SignedLease, ...], ...] = ()

    @classmethod
    def of(
        cls, tree: ReceiptTree, leaves: Mapping[int, bytes], leases: Mapping[int, tuple[SignedLease, ...]] | None = None
    ) -> Self:
        """Leaves of an entry's tree, each packed (`protocol.claims.packed_leaf`), by index; `leases` likewise."""
        proof, indices = tree.shared_proof(leaves), sorted(leaves)
        packed = b"".join(leaves[index] for index in indices)
        siblings, sums = tuple(node.hash for node in proof), tuple(node.sums[0] for node in proof)
        return cls(packed, siblings, sums, tuple(leases[index] for index in indices) if leases else ())


class SeatVerdict(NamedTuple):
    """A verifier's revealed verdicts, two bits for each leaf, and the digests that go with them."""

    verifier: str
    verdicts: int
    digests: tuple[bytes, ...]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """The verdict that a decoded Revealed event carries."""
        return cls(value["verifier"], value["verdicts"], tuple(value["digests"]))


def bid_of(value: Mapping[str, Any]) -> Bid:
    """The bid that a decoded JobOpened event carries (`event.args["bid"]`)."""
    return Bid(**{field.name: value[field.json_name] for field in Bid.fields})


def receipt_of(value: Mapping[str, Any]) -> Receipt:
    """A receipt out of a decoded call or event."""
    return Receipt(**{field.name: value[field.json_name] for field in Receipt.fields})
