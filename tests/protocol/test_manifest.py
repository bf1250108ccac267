import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.blobs import blob_id, from_canonical_json, to_canonical_json
from protocol.errors import EncodingInvalid, ManifestInvalid
from protocol.manifest import INLINE_BYTES_MAX, INPUT_BYTES_MAX, InputEntry, Manifest
from protocol.merkle import inputs_root, words_root
from tests.vectors.samples import bid_of

INPUTS = [b"", b"one", b"x" * INLINE_BYTES_MAX, b"y" * (INLINE_BYTES_MAX + 1)]
MANIFEST = Manifest.of(INPUTS)


def _bid(**changes):
    fields = {"task_count": len(INPUTS), "inputs_root": MANIFEST.inputs_root, "manifest": MANIFEST.blob_id}
    return bid_of(**(fields | changes))


def _changed(index, **changes):
    value = json.loads(MANIFEST.blob)
    entry = value["inputs"][index] | changes
    value["inputs"][index] = {name: item for name, item in entry.items() if item is not None}
    return to_canonical_json(value)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"a":NaN}',
        MANIFEST.blob + b"\n",
        MANIFEST.blob.replace(b'":', b'": ', 1),
        MANIFEST.blob.replace(b'"version":1', b'"version":2'),
        MANIFEST.blob.replace(b'"version":1', b'"version":true'),
        MANIFEST.blob.replace(b'"version":1', b'"version":1.0'),
        MANIFEST.blob.replace(b'"version":1', b'"version":1,"version":1'),
        to_canonical_json({"version": 1, "inputs": []}),
        to_canonical_json({"version": 1, "inputs": [], "more": 1}),
        to_canonical_json({"version": 1, "inputs": {}}),
        to_canonical_json({"version": 1, "inputs": [1]}),
        to_canonical_json({"version": 1, "inputs": [{}]}),
        _changed(1, length="4"),
        _changed(1, length=3),
        _changed(1, length="03"),
        _changed(1, root="0x" + "00" * 32),
        _changed(1, hash="0x" + "00" * 32),
        _changed(1, bytes="0x6f6e66"),
        _changed(1, bytes=None),
        _changed(1, bytes=5),
        _changed(3, bytes="0x" + "79" * 1025),
        _changed(3, length=str(INPUT_BYTES_MAX + 1)),
        _changed(3, root="0x00"),
        _changed(3, extra="1"),
        _changed(1, bytes="0x6F6E65"),
    ],
)
def test_parse_of_a_malformed_manifest_is_refused(blob):
    with pytest.raises(ManifestInvalid):
        Manifest.parse(blob)


def test_manifest_of_no_inputs_is_refused():
    with pytest.raises(ManifestInvalid):
        Manifest.of([])


@pytest.mark.parametrize("changes", [{"task_count": 5}, {"inputs_root": bytes(32)}, {"manifest": bytes(32)}])
def test_check_bid_of_another_manifest_is_refused(changes):
    with pytest.raises(ManifestInvalid):
        MANIFEST.check_bid(_bid(**changes))


def test_check_bid_with_inputs_in_another_order_is_refused():
    with pytest.raises(ManifestInvalid):
        Manifest.of(INPUTS[::-1]).check_bid(_bid())


@pytest.mark.parametrize("data", [b"", b"y" * 1024, b"y" * 1026, b"z" + b"y" * 1024])
def test_check_of_other_bytes_than_the_inputs_is_refused(data):
    MANIFEST.inputs[3].check(INPUTS[3])
    with pytest.raises(ManifestInvalid):
        MANIFEST.inputs[3].check(data)


def test_manifest_of_inputs_is_the_bids():
    MANIFEST.check_bid(_bid())
    assert MANIFEST.inputs_root == inputs_root(INPUTS)
    assert [entry.data for entry in MANIFEST.inputs] == [*INPUTS[:3], None]
    assert MANIFEST.inputs[3] == InputEntry(1025, words_root(INPUTS[3]), blob_id(INPUTS[3]), None)


def test_blob_is_canonical_json_of_the_document():
    blob = Manifest.of([b"\x01"]).blob
    root, digest = words_root(b"\x01").hex(), blob_id(b"\x01").hex()
    text = f'{{"inputs":[{{"bytes":"0x01","hash":"0x{digest}","length":"1","root":"0x{root}"}}],"version":1}}'
    assert blob == text.encode()


@given(st.lists(st.binary(max_size=1100), min_size=1, max_size=6))
def test_parse_of_a_manifests_blob_is_the_same_manifest(inputs):
    manifest = Manifest.of(inputs)
    assert Manifest.parse(manifest.blob) == manifest


def test_from_canonical_json_above_the_limit_is_refused():
    assert from_canonical_json(b"[1]", 3) == [1]
    with pytest.raises(EncodingInvalid):
        from_canonical_json(b"[12]", 3)
    with pytest.raises(EncodingInvalid):
        from_canonical_json(b"1" * 5000, 10_000)
