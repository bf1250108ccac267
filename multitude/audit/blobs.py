"""Blobs by content id. Where they come from is never trusted: every byte is hashed."""

from typing import Protocol

import httpx2

from multitude.audit.errors import BlobMissing
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.epoch_data import EPOCH_DATA_BYTES_MAX

TRIES = 3


class Blobs(Protocol):
    """Where blobs are read from."""

    def get(self, name: bytes) -> bytes:
        """The bytes whose keccak256 is `name`. Raises BlobMissing."""


class HttpBlobs:
    """A store at `<base>/0x<id>`; `timeout` in seconds for a request."""

    def __init__(self, base_url: str, timeout: float = 30.0) -> None:
        self._base = base_url.rstrip("/")
        self._timeout = timeout

    def get(self, name: bytes) -> bytes:
        """The blob; asked for three times."""
        reason = ""
        for _ in range(TRIES):
            try:
                return self._fetch(name)
            except (httpx2.HTTPError, BlobMissing) as error:
                reason = str(error)
        raise BlobMissing(f"blob {to_hex(name)}: {reason}")

    def _fetch(self, name: bytes) -> bytes:
        data = bytearray()
        with httpx2.stream("GET", f"{self._base}/{to_hex(name)}", timeout=self._timeout) as response:
            if response.status_code != httpx2.codes.OK:
                raise BlobMissing(f"the store answered {response.status_code}")
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > EPOCH_DATA_BYTES_MAX:
                    raise BlobMissing(f"longer than {EPOCH_DATA_BYTES_MAX} bytes")
        if blob_id(bytes(data)) != name:
            raise BlobMissing("the store serves other bytes")
        return bytes(data)


class NoBlobs:
    """Where no store was named."""

    def get(self, name: bytes) -> bytes:
        """Nothing is here."""
        raise BlobMissing(f"blob {to_hex(name)}: no --blobs were given")
