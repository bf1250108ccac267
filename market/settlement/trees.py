"""Posted trees and the calldata that needs their paths, from the receipts in SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chain.calls import ClaimedLeaves, Entry, Head, LeafRef, SeatVerdict
from market.leases.models import Receipt
from market.settlement.models import Epoch, EpochLeaf, Verdict
from protocol.claims import packed_leaf
from protocol.encoding import from_hex, to_hex
from protocol.merkle import ReceiptTree


def head_to_json(head: Head) -> dict[str, Any]:
    """A head as it is kept in SQL."""
    return {
        "settler": head.settler,
        "dataId": to_hex(head.data_id),
        "snapshot": head.snapshot,
        "postedAt": head.posted_at,
        "postBlock": head.post_block,
        "entries": [[to_hex(e.job_id), to_hex(e.subroot), e.count, str(e.sum)] for e in head.entries],
        "periods": list(head.periods),
    }


def head_from_json(value: dict[str, Any]) -> Head:
    """The head that was kept."""
    entries = [
        Entry(from_hex(job, 32), from_hex(subroot, 32), count, int(total))
        for job, subroot, count, total in value["entries"]
    ]
    return Head(
        value["settler"],
        from_hex(value["dataId"], 32),
        value["snapshot"],
        value["postedAt"],
        value["postBlock"],
        tuple(entries),
        tuple(value["periods"]),
    )


@dataclass(frozen=True)
class EntryTree:
    """The receipt tree of one entry of a posted epoch."""

    epoch_id: int
    head: Head
    entry_index: int
    leaves: Sequence[EpochLeaf]
    receipts: Sequence[Receipt]
    tree: ReceiptTree

    @classmethod
    def load(cls, session: Session, epoch: Epoch, entry_index: int) -> "EntryTree":
        """The tree of an entry, its leaves in posted order."""
        assert epoch.epoch_id is not None
        assert epoch.head is not None
        query = (
            select(EpochLeaf, Receipt)
            .join(Receipt, Receipt.id == EpochLeaf.receipt_id)
            .where(EpochLeaf.epoch == epoch.id, EpochLeaf.entry_index == entry_index)
            .order_by(EpochLeaf.leaf_index)
        )
        rows = session.execute(query).all()
        leaves, receipts = [leaf for leaf, _ in rows], [receipt for _, receipt in rows]
        tree = ReceiptTree([(receipt.message, leaf.debit) for leaf, receipt in rows])
        return cls(epoch.epoch_id, head_from_json(epoch.head), entry_index, leaves, receipts, tree)

    def leaf_ref(self, leaf: EpochLeaf) -> LeafRef:
        """The leaf with its path."""
        proof = self.tree.proof(leaf.leaf_index)
        return LeafRef(
            self.epoch_id,
            self.head,
            self.entry_index,
            leaf.leaf_index,
            self.receipts[leaf.leaf_index].message,
            leaf.debit,
            tuple(node.hash for node in proof),
            tuple(node.sums[0] for node in proof),
        )

    def claimed(self, leaves: Iterable[EpochLeaf]) -> ClaimedLeaves:
        """Leaves as the job's own settler claims them."""
        packed = {}
        for leaf in leaves:
            receipt = self.receipts[leaf.leaf_index]
            signature = from_hex(receipt.signature, 65)
            packed[leaf.leaf_index] = packed_leaf(leaf.leaf_index, receipt.message, receipt.span_set, signature)
        return ClaimedLeaves.of(self.tree, packed)


def verdicts_of(session: Session, epoch_id: int, verifiers: set[str]) -> tuple[SeatVerdict, ...]:
    """The revealed verdicts of these verifiers, as calldata carries them."""
    query = (
        select(Verdict).where(Verdict.epoch_id == epoch_id, Verdict.verifier.in_(verifiers)).order_by(Verdict.verifier)
    )
    return tuple(
        SeatVerdict(row.verifier, int(row.packed, 16), tuple(from_hex(digest, 32) for digest in row.digests))
        for row in session.scalars(query)
    )
