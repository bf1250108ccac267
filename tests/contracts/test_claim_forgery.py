"""Claims with every field forged in turn: of the receipt, the words, the path, the sums and the index."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from protocol.messages import Receipt
from tests.contracts.actors import Epoch, Work
from tests.contracts.chain import Signer, reverts
from tests.contracts.conftest import struct

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


RECEIPT_FORGERIES = {
    "job_id": "EpochLedger_JobMismatch",
    "device": "EpochLedger_SignatureInvalid",
    "period": "EpochLedger_PeriodAhead",
    "spans_hash": "EpochLedger_SpansMismatch",
    "results_root": "EpochLedger_SignatureInvalid",
    "count": "EpochLedger_CountMismatch",
    "total_wu": "EpochLedger_SquaresOutside",
    "total_squared_wu": "EpochLedger_SignatureInvalid",
    "amount": "EpochLedger_PriceExceeded",
    "post_by": "EpochLedger_SignatureInvalid",
}


def test_forgeries_cover_the_receipt() -> None:
    assert list(RECEIPT_FORGERIES) == [field.name for field in Receipt.fields]


@pytest.mark.parametrize("name", RECEIPT_FORGERIES)
def test_claim_receipt_field_forged_reverts(final: Epoch, works: list[Work], name: str) -> None:
    receipt = replace(works[0].receipt, **{name: flipped(getattr(works[0].receipt, name))})
    leaf = final.leaf_claim(works[0]) | {"receipt": struct(receipt)}
    with reverts(RECEIPT_FORGERIES[name]):
        final.claim_with(works[:1], [tuple(leaf.values())])


@pytest.mark.parametrize("name", RECEIPT_FORGERIES)
def test_claim_receipt_field_forged_and_signed_reverts(final: Epoch, works: list[Work], name: str) -> None:
    """The device signs another receipt after the posting: the tree holds it to the first."""
    change = {
        name: getattr(works[0].receipt, name) - 1 if name == "amount" else flipped(getattr(works[0].receipt, name))
    }
    signed = works[0].signed_again(**change)
    leaf = final.leaf_claim(works[0]) | {"receipt": struct(signed.receipt), "signature": signed.signature}
    tampered = {"results_root", "total_squared_wu", "amount", "post_by"}
    with reverts("EpochLedger_PathInvalid" if name in tampered else RECEIPT_FORGERIES[name]):
        final.claim_with(works[:1], [tuple(leaf.values())])


def high_s(signature: bytes) -> bytes:
    """The other signature of the same key and digest."""
    s = CURVE_ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


LEAF_FORGERIES: dict[str, tuple[Any, str]] = {
    "leafIndex": (lambda _: 1, "EpochLedger_PathInvalid"),
    "leafIndex past the count": (lambda _: 3, "MerkleSum_IndexOutside"),
    "leafIndex past all": (lambda _: 2**32 - 1, "MerkleSum_IndexOutside"),
    "signature": (flipped, "EpochLedger_SignatureInvalid"),
    "signature high s": (high_s, "EpochLedger_SignatureInvalid"),
    "signature short": (lambda value: value[:64], "EpochLedger_SignatureInvalid"),
    "signature empty": (lambda _: b"", "EpochLedger_SignatureInvalid"),
    "firstWord": (lambda _: 1, "Spans_OutsideJob"),
    "firstWord far": (lambda _: 2**32 - 1, "Spans_OutsideJob"),
    "words": (lambda value: [value[0] ^ (1 << 9)], "EpochLedger_SpansMismatch"),
    "words none": (lambda _: [], "Spans_OutsideJob"),
    "words more": (lambda value: [*value, 0], "Spans_OutsideJob"),
    "siblings": (lambda value: [flipped(value[0]), *value[1:]], "EpochLedger_PathInvalid"),
    "siblings short": (lambda value: value[:-1], "MerkleSum_ProofLength"),
    "siblings long": (lambda value: [*value, bytes(32)], "MerkleSum_ProofLength"),
    "siblingSums": (lambda value: [value[0] + 1, *value[1:]], "EpochLedger_PathInvalid"),
    "siblingSums less": (lambda value: [value[0] - 1, *value[1:]], "EpochLedger_PathInvalid"),
    "siblingSums short": (lambda value: value[:-1], "MerkleSum_ProofLength"),
}


@pytest.mark.parametrize("name", LEAF_FORGERIES)
def test_claim_leaf_field_forged_reverts(final: Epoch, works: list[Work], name: str) -> None:
    forge, error = LEAF_FORGERIES[name]
    leaf = final.leaf_claim(works[0])
    field = name.split(" ", maxsplit=1)[0]
    leaf[field] = forge(leaf[field])
    with reverts(error):
        final.claim_with(works[:1], [tuple(leaf.values())])


def test_claim_nothing_forged_pays(final: Epoch, works: list[Work]) -> None:
    transaction = final.claim_with(works[:1], [tuple(final.leaf_claim(works[0]).values())])
    assert transaction.events["Claimed"]["device"] == works[0].device.address
