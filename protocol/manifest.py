"""The manifest: the blob that lists a job's inputs (section 8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from protocol.blobs import blob_id, from_canonical_json, list_of, object_of, to_canonical_json
from protocol.encoding import check_bytes32, check_uint, from_hex, to_hex, uint_from_json
from protocol.errors import EncodingInvalid, ManifestInvalid, TreeInvalid
from protocol.merkle import InputTree, words_root
from protocol.messages import Bid

MANIFEST_BYTES_MAX = 64 * 2**20
INPUTS_MAX = 100_000
INPUT_BYTES_MAX = 16 * 2**20
INLINE_BYTES_MAX = 1024
"""Inputs of up to this length travel inside the manifest."""

_VERSION = 1


@dataclass(frozen=True)
class InputEntry:
    """One input: its length in bytes, its wordsRoot, its blob id, and its bytes where they are in the manifest."""

    length: int
    root: bytes
    hash: bytes
    data: bytes | None

    def __post_init__(self) -> None:
        if check_uint(self.length, 64, "length") > INPUT_BYTES_MAX:
            raise ManifestInvalid(f"an input of {self.length} bytes, above {INPUT_BYTES_MAX}")
        check_bytes32(self.root, "root")
        check_bytes32(self.hash, "hash")
        if (self.data is not None) != (self.length <= INLINE_BYTES_MAX):
            raise ManifestInvalid(f"an input travels inside the manifest exactly up to {INLINE_BYTES_MAX} bytes")
        if self.data is not None:
            self.check(self.data)

    @classmethod
    def of(cls, data: bytes) -> "InputEntry":
        """The entry of an input."""
        inline = data if len(data) <= INLINE_BYTES_MAX else None
        return cls(len(data), words_root(data), blob_id(data), inline)

    def check(self, data: bytes) -> None:
        """ManifestInvalid unless these are the input's bytes."""
        if len(data) != self.length:
            raise ManifestInvalid(f"an input of {len(data)} bytes, not {self.length}")
        if blob_id(data) != self.hash or words_root(data) != self.root:
            raise ManifestInvalid("the bytes of an input are not those of its hash and root")


@dataclass(frozen=True)
class Manifest:
    """The inputs of a job, in task order."""

    inputs: tuple[InputEntry, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.inputs) <= INPUTS_MAX:
            raise ManifestInvalid(f"{len(self.inputs)} inputs, not 1 to {INPUTS_MAX}")

    @classmethod
    def of(cls, inputs: Sequence[bytes]) -> "Manifest":
        """The manifest of these inputs; those above INLINE_BYTES_MAX are uploaded as blobs of their own."""
        return cls(tuple(InputEntry.of(data) for data in inputs))

    @cached_property
    def inputs_root(self) -> bytes:
        """inputsRoot of the bid."""
        return InputTree([(entry.length, entry.root) for entry in self.inputs]).root

    @cached_property
    def blob(self) -> bytes:
        """The manifest's bytes. ManifestInvalid if they are more than MANIFEST_BYTES_MAX."""
        blob = to_canonical_json({"version": _VERSION, "inputs": [_entry_to_json(entry) for entry in self.inputs]})
        if len(blob) > MANIFEST_BYTES_MAX:
            raise ManifestInvalid(f"a manifest of {len(blob)} bytes, above {MANIFEST_BYTES_MAX}")
        return blob

    @property
    def blob_id(self) -> bytes:
        """The bid's `manifest`."""
        return blob_id(self.blob)

    @classmethod
    def parse(cls, blob: bytes) -> "Manifest":
        """The manifest of its bytes; ManifestInvalid says what is wrong. Inline inputs are checked."""
        try:
            value = object_of(from_canonical_json(blob, MANIFEST_BYTES_MAX), {"version", "inputs"}, "the manifest")
            if type(value["version"]) is not int or value["version"] != _VERSION:
                raise EncodingInvalid(f"version {value['version']!r} is unknown")
            entries = list_of(value["inputs"], INPUTS_MAX, "inputs")
            manifest = cls(tuple(_entry_from_json(entry) for entry in entries))
        except (EncodingInvalid, TreeInvalid) as error:
            raise ManifestInvalid(error.reason) from None
        if manifest.blob != blob:
            raise ManifestInvalid("hex in capitals")
        return manifest

    def check_bid(self, bid: Bid) -> None:
        """ManifestInvalid unless the bid is over these inputs and names this manifest."""
        if len(self.inputs) != bid.task_count:
            raise ManifestInvalid(f"{len(self.inputs)} inputs for {bid.task_count} tasks")
        if self.inputs_root != bid.inputs_root:
            raise ManifestInvalid("the inputs are not those of inputsRoot")
        if self.blob_id != bid.manifest:
            raise ManifestInvalid("the bid names another manifest")


def _entry_to_json(entry: InputEntry) -> dict[str, Any]:
    value = {"length": str(entry.length), "root": to_hex(entry.root), "hash": to_hex(entry.hash)}
    return value if entry.data is None else value | {"bytes": to_hex(entry.data)}


def _entry_from_json(value: object) -> InputEntry:
    inline = isinstance(value, dict) and "bytes" in value
    names = {"length", "root", "hash"} | ({"bytes"} if inline else set())
    fields = object_of(value, names, "an input")
    return InputEntry(
        uint_from_json(fields["length"], 64, "length"),
        from_hex(fields["root"], 32, "root"),
        from_hex(fields["hash"], 32, "hash"),
        from_hex(fields["bytes"], None, "bytes") if inline else None,
    )
