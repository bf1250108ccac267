"""Blobs by content id, kept in a folder. Where they come from is never trusted: every byte is hashed."""

import os
from pathlib import Path
from typing import Protocol

import httpx2
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from protocol.hashing import keccak256
from verifier.errors import BlobUnavailable

_CHUNK_BYTES = 1 << 16


class Blobs(Protocol):
    """Where blobs are read from."""

    def get(self, content_id: bytes) -> bytes:
        """The bytes whose keccak256 is `content_id`; BlobUnavailable if they cannot be had."""


class HttpBlobs:
    """Blobs of an HTTP store, each fetched once."""

    def __init__(self, base_url: str, folder: Path, max_bytes: int, patience_s: float = 5.0) -> None:
        self._base = base_url.rstrip("/")
        self._folder = folder
        self._max_bytes = max_bytes
        self._patience_s = patience_s
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, content_id: bytes) -> bytes:
        """The blob, from the folder or fetched; BlobUnavailable after some seconds of trying."""
        path = self._folder / content_id.hex()
        if path.exists():
            data = path.read_bytes()
            if keccak256(data) == content_id:
                return data
        data = self._fetch_patiently(content_id)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(data)
        part.replace(path)
        return data

    def _fetch_patiently(self, content_id: bytes) -> bytes:
        try:
            for attempt in Retrying(
                retry=retry_if_exception_type((httpx2.HTTPError, BlobUnavailable)),
                stop=stop_after_delay(self._patience_s),
                wait=wait_exponential(0.1, max=1.0),
            ):
                with attempt:
                    return self._fetch(content_id)
        except RetryError as error:
            raise BlobUnavailable(f"blob {content_id.hex()}: {error.last_attempt.exception()}") from error
        raise BlobUnavailable(f"blob {content_id.hex()}")

    def _fetch(self, content_id: bytes) -> bytes:
        data = bytearray()
        with httpx2.stream("GET", f"{self._base}/0x{content_id.hex()}", timeout=10.0) as response:
            if response.status_code != httpx2.codes.OK:
                raise BlobUnavailable(f"the store answered {response.status_code}")
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                data += chunk
                if len(data) > self._max_bytes:
                    raise BlobUnavailable(f"longer than {self._max_bytes} bytes")
        found = bytes(data)
        if keccak256(found) != content_id:
            raise BlobUnavailable("the store served other bytes")
        return found
