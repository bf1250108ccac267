"""Claims with every field forged in turn: of the packed leaf, the receipt, the siblings and the sums."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from protocol.claims import packed_leaf
from protocol.messages import Receipt
from tests.contracts.actors import Epoch, Work
from tests.contracts.chain import Signer, reverts

pytest_plugins = "tests.contracts.stories"

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def attested(cast: SimpleNamespace) -> tuple[Epoch, list[Work]]:
    """Three leaves that can all be claimed: of `rich`, `poor` and `bare`, 16 tasks each."""
    job = cast.buyer.open_job(cast.settler)
    devices = (cast.rich, cast.poor, cast.bare)
    works = [device.work(job, range(4 * i, 4 * i + 4)) for i, device in enumerate(devices)]
    return cast.settler.post(*works).attest().end_window(), works


@pytest.fixture
def final(attested: tuple[Epoch, list[Work]], market: SimpleNamespace) -> Epoch:
    """The epoch."""
    return attested[0]


@pytest.fixture
def works(attested: tuple[Epoch, list[Work]]) -> list[Work]:
    """Its leaves."""
    return attested[1]


def flipped(value: Any) -> Any:
    """The value with one bit flipped; an integer one higher."""
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if isinstance(value, str):
        return Signer("somebody else").address
    return value + 1


FIELDS = {
    "device": (0, 20, "EpochLedger_SignatureInvalid"),
    "leafIndex": (20, 4, "EpochLedger_TreeInvalid"),
    "period": (24, 4, "EpochLedger_PeriodAhead"),
    "count": (28, 4, "EpochLedger_CountMismatch"),
    "resultsRoot": (32, 32, "EpochLedger_SignatureInvalid"),
    "totalSquaredWU": (64, 16, "EpochLedger_SignatureInvalid"),
    "amount": (80, 16, "EpochLedger_PriceExceeded"),
    "totalWU": (96, 8, "EpochLedger_SquaresOutside"),
    "postBy": (104, 5, "EpochLedger_SignatureInvalid"),
    "firstWord": (109, 4, "Spans_OutsideJob"),
    "number of words": (113, 2, "PackedLeaf_Short"),
    "v": (115, 1, "EpochLedger_SignatureInvalid"),
    "r": (116, 32, "EpochLedger_SignatureInvalid"),
    "s": (148, 32, "EpochLedger_SignatureInvalid"),
    "words": (180, 32, "EpochLedger_CountMismatch"),
}
"""Of a packed leaf (docs/protocol.md section 11): offset, bytes, and what stops one that is one higher."""


def forged(packed: bytes, name: str, value: int | None = None) -> bytes:
    """The leaf with another value in a field, one higher where none is given."""
    offset, size, _ = FIELDS[name]
    known = int.from_bytes(packed[offset : offset + size], "big")
    return packed[:offset] + (known + 1 if value is None else value).to_bytes(size, "big") + packed[offset + size :]


def test_forgeries_cover_the_packed_leaf(final: Epoch, works: list[Work]) -> None:
    ends = [offset + size for offset, size, _ in FIELDS.values()]
    assert [offset for offset, _, _ in FIELDS.values()] == [0, *ends[:-1]]
    assert ends[-1] == len(final.claimed_leaves(works[0])["packed"])


@pytest.mark.parametrize("name", FIELDS)
def test_claim_packed_field_forged_reverts(final: Epoch, works: list[Work], name: str) -> None:
    leaves = final.claimed_leaves(works[0])
    with reverts(FIELDS[name][2]):
        final.claim_with(works[:1], leaves | {"packed": forged(leaves["packed"], name)})


SIGNED_FORGERIES = {
    "job_id": "EpochLedger_SignatureInvalid",
    "device": "EpochLedger_SignatureInvalid",
    "period": "EpochLedger_PeriodAhead",
    "spans_hash": "EpochLedger_SignatureInvalid",
    "results_root": "EpochLedger_TreeInvalid",
    "count": "EpochLedger_CountMismatch",
    "total_wu": "EpochLedger_SquaresOutside",
    "total_squared_wu": "EpochLedger_TreeInvalid",
    "amount": "EpochLedger_TreeInvalid",
    "post_by": "EpochLedger_TreeInvalid",
}


def test_signed_forgeries_cover_the_receipt() -> None:
    assert list(SIGNED_FORGERIES) == [field.name for field in Receipt.fields]


@pytest.mark.parametrize("name", SIGNED_FORGERIES)
def test_claim_receipt_field_forged_and_signed_reverts(final: Epoch, works: list[Work], name: str) -> None:
    """The device signs another receipt after the posting: job and spans are the entry's, the tree holds it to one."""
    change = {
        name: getattr(works[0].receipt, name) - 1 if name == "amount" else flipped(getattr(works[0].receipt, name))
    }
    signed = works[0].signed_again(**change)
    packed = packed_leaf(0, signed.receipt, signed.spans, signed.signature)
    with reverts(SIGNED_FORGERIES[name]):
        final.claim_with(works[:1], final.claimed_leaves(works[0]) | {"packed": packed})


def high_s(packed: bytes) -> bytes:
    """The leaf with the other signature of the same key and digest."""
    s = CURVE_ORDER - int.from_bytes(packed[148:180], "big")
    return forged(forged(packed, "s", s), "v", 55 - packed[115])


PACKED_FORGERIES: dict[str, tuple[Any, str]] = {
    "leafIndex past the count": (lambda packed: forged(packed, "leafIndex", 3), "MerkleSum_IndexOutside"),
    "leafIndex past all leaves": (lambda packed: forged(packed, "leafIndex", 128), "MerkleSum_IndexOutside"),
    "signature high s": (high_s, "EpochLedger_SignatureInvalid"),
    "v of another form": (lambda packed: forged(packed, "v", packed[115] - 27), "EpochLedger_SignatureInvalid"),
    "signature of zeros": (
        lambda packed: forged(forged(forged(packed, "v", 0), "r", 0), "s", 0),
        "EpochLedger_SignatureInvalid",
    ),
    "firstWord far": (lambda packed: forged(packed, "firstWord", 2**32 - 1), "Spans_OutsideJob"),
    "another span": (lambda packed: forged(packed, "words", 0b1111 ^ (1 << 9)), "EpochLedger_CountMismatch"),
    "other spans": (lambda packed: forged(packed, "words", 0b11110), "EpochLedger_SignatureInvalid"),
    "words none": (lambda packed: forged(packed, "number of words", 0)[:180], "Spans_OutsideJob"),
    "words more": (lambda packed: forged(packed, "number of words", 2) + bytes(32), "Spans_OutsideJob"),
    "a byte short": (lambda packed: packed[:-1], "PackedLeaf_Short"),
    "a byte long": (lambda packed: packed + b"\0", "PackedLeaf_Short"),
    "head short": (lambda packed: packed[:179], "PackedLeaf_Short"),
}


@pytest.mark.parametrize("name", PACKED_FORGERIES)
def test_claim_packed_leaf_forged_reverts(final: Epoch, works: list[Work], name: str) -> None:
    forge, error = PACKED_FORGERIES[name]
    leaves = final.claimed_leaves(works[0])
    with reverts(error):
        final.claim_with(works[:1], leaves | {"packed": forge(leaves["packed"])})


TREE_FORGERIES: dict[str, tuple[Any, str]] = {
    "siblings": (lambda value: [flipped(value[0]), *value[1:]], "EpochLedger_TreeInvalid"),
    "siblings short": (lambda value: value[:-1], "MerkleSum_ProofLength"),
    "siblings long": (lambda value: [*value, bytes(32)], "MerkleSum_ProofLength"),
    "siblingSums": (lambda value: [value[0] + 1, *value[1:]], "EpochLedger_TreeInvalid"),
    "siblingSums less": (lambda value: [value[0] - 1, *value[1:]], "EpochLedger_TreeInvalid"),
    "siblingSums short": (lambda value: value[:-1], "MerkleSum_ProofLength"),
}


@pytest.mark.parametrize("name", TREE_FORGERIES)
def test_claim_tree_forged_reverts(final: Epoch, works: list[Work], name: str) -> None:
    forge, error = TREE_FORGERIES[name]
    field = name.split(" ", maxsplit=1)[0]
    leaves = final.claimed_leaves(works[0])
    with reverts(error):
        final.claim_with(works[:1], leaves | {field: forge(leaves[field])})


def test_claim_siblings_one_too_few_or_many_reverts(final: Epoch, works: list[Work]) -> None:
    """A leaf of the second half has one sibling, its neighbour being padding; all leaves have none."""
    leaves = final.claimed_leaves(works[2])
    assert len(leaves["siblings"]) == 1
    with reverts("MerkleSum_ProofLength", 0, 1):
        final.claim_with(works[2:], leaves | {"siblings": [], "siblingSums": []})
    with reverts("MerkleSum_ProofLength", 1, 0):
        final.claim_with(works, final.claimed_leaves(*works) | {"siblings": [bytes(32)], "siblingSums": [0]})


def test_claim_inner_node_as_a_leaf_reverts(final: Epoch, works: list[Work]) -> None:
    """A leaf left out is not made up for by its hash as a sibling of another place."""
    leaves = final.claimed_leaves(works[0], works[2])
    swapped = final.claimed_leaves(works[1], works[2])
    with reverts("EpochLedger_TreeInvalid"):
        final.claim_with(works[::2], leaves | {name: swapped[name] for name in ("siblings", "siblingSums")})


def test_claim_nothing_forged_pays(final: Epoch, works: list[Work]) -> None:
    transaction = final.claim_with(works[:1], final.claimed_leaves(works[0]))
    assert transaction.events["Claimed"]["device"] == works[0].device.address
