"""Leaves as a claim's calldata packs them (section 11)."""

from collections.abc import Iterator
from typing import NamedTuple

from protocol.encoding import check_uint, checksum_address, to_hex
from protocol.errors import EncodingInvalid
from protocol.messages import Receipt
from protocol.spans import SpanSet

SIGNATURE_BYTES = 65
_SIZES = (20, 4, 4, 4, 32, 16, 16, 8, 5, 4, 2, 1, 32, 32)
_WORDS_AT = sum(_SIZES)


class PackedLeaf(NamedTuple):
    """What a packed leaf holds: its place in the entry, its receipt, the receipt's spans and signature (65 bytes)."""

    leaf_index: int
    receipt: Receipt
    spans: SpanSet
    signature: bytes


def packed_leaf(index: int, receipt: Receipt, spans: SpanSet, signature: bytes) -> bytes:
    """One leaf: what its entry does not say already of its receipt, with its place, its signature and its spans.

    The job comes from the entry and spansHash from the words: other ones are not what was signed. Raises
    EncodingInvalid for a signature that is not r, s, v, and for an index beyond uint32.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise EncodingInvalid(f"a signature of {len(signature)} bytes, not {SIGNATURE_BYTES}")
    values = (
        int(receipt.device, 16),
        index,
        receipt.period,
        receipt.count,
        int.from_bytes(receipt.results_root),
        receipt.total_squared_wu,
        receipt.amount,
        receipt.total_wu,
        receipt.post_by,
        spans.first_word,
        len(spans.words),
        signature[64],
        int.from_bytes(signature[:32]),
        int.from_bytes(signature[32:64]),
    )
    head = b"".join(check_uint(v, 8 * size).to_bytes(size) for v, size in zip(values, _SIZES, strict=True))
    return head + b"".join(word.to_bytes(32) for word in spans.words)


def unpacked_leaves(job_id: bytes, packed: bytes) -> Iterator[PackedLeaf]:
    """The leaves of a claim on an entry of that job. Raises EncodingInvalid where the bytes end within a leaf."""
    at = 0
    while at < len(packed):
        leaf, at = _leaf(job_id, packed, at)
        yield leaf


def _leaf(job_id: bytes, packed: bytes, at: int) -> tuple[PackedLeaf, int]:
    fields, start = [], at
    for size in _SIZES:
        fields.append(packed[at : at + size])
        at += size
    device, index, period, count, root, squares, amount, wu, post_by, first, number, v, r, s = fields
    end = start + _WORDS_AT + 32 * int.from_bytes(number)
    if end > len(packed):
        raise EncodingInvalid(f"a leaf that ends at {end} in {len(packed)} bytes")
    spans = SpanSet(int.from_bytes(first), tuple(int.from_bytes(packed[i : i + 32]) for i in range(at, end, 32)))
    receipt = Receipt(
        job_id=job_id,
        device=checksum_address(to_hex(device)),
        period=int.from_bytes(period),
        spans_hash=spans.hash,
        results_root=root,
        count=int.from_bytes(count),
        total_wu=int.from_bytes(wu),
        total_squared_wu=int.from_bytes(squares),
        amount=int.from_bytes(amount),
        post_by=int.from_bytes(post_by),
    )
    return PackedLeaf(int.from_bytes(index), receipt, spans, r + s + v), end
