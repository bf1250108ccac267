"""Blobs: their ids, and canonical JSON (sections 8 and 9)."""

import json
from typing import Any

from protocol.errors import EncodingInvalid
from protocol.hashing import keccak256


def blob_id(data: bytes) -> bytes:
    """The content id by which a blob is fetched: keccak256 of its bytes."""
    return keccak256(data)


def to_canonical_json(value: object) -> bytes:
    """The one JSON form of a value: UTF-8, keys sorted, no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def from_canonical_json(data: bytes, limit_bytes: int) -> object:
    """The value of canonical JSON; EncodingInvalid if it is longer than the limit, malformed or not canonical."""
    if len(data) > limit_bytes:
        raise EncodingInvalid(f"{len(data)} bytes, above {limit_bytes}")
    try:
        value = json.loads(data)
        canonical = to_canonical_json(value) == data
    except (ValueError, RecursionError):
        raise EncodingInvalid("not JSON") from None
    if not canonical:
        raise EncodingInvalid("JSON that is not canonical")
    return value


def object_of(value: object, names: set[str], what: str) -> dict[str, Any]:
    """The value if it is an object with exactly these names, else EncodingInvalid."""
    if not isinstance(value, dict) or set(value) != names:
        raise EncodingInvalid(f"{what} is not an object of {', '.join(sorted(names))}")
    return value


def list_of(value: object, limit: int, what: str) -> list[Any]:
    """The value if it is a list of at most `limit` items, else EncodingInvalid."""
    if not isinstance(value, list):
        raise EncodingInvalid(f"{what} is not a list")
    if len(value) > limit:
        raise EncodingInvalid(f"{len(value)} {what}, above {limit}")
    return value
