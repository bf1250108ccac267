"""The store of blobs: any fsspec file system; nothing leaves it that was not verified."""

import contextlib
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import fsspec
import structlog
from eth_hash.auto import keccak

from protocol.blobs import blob_id
from protocol.encoding import to_hex

log = structlog.get_logger(__name__)

CHUNK_BYTES = 256 << 10
VERIFIED_KEPT = 10_000
"""Blobs whose verification is remembered, each with the size and time of its file."""


class BlobMissing(LookupError):
    """There is no such blob, or what is stored is not it."""


class BlobHash:
    """The id of a blob whose bytes come in parts."""

    def __init__(self) -> None:
        self._preimage = keccak.new(b"")

    def update(self, part: bytes) -> None:
        """Takes the next bytes."""
        if part:
            self._preimage.update(part)

    @property
    def name(self) -> str:
        """The id; no bytes may follow."""
        return to_hex(self._preimage.digest())


class BlobStore:
    """Blobs by id (0x and 64 lower-case hex digits). Writing the same bytes twice is nothing."""

    def __init__(self, url: str) -> None:
        self._files, root = fsspec.core.url_to_fs(url)
        self._root = root.rstrip("/")
        self._local = "file" in (self._files.protocol if isinstance(self._files.protocol, tuple) else ())
        self._verified: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, data: bytes) -> str:
        """Stores bytes and returns their id."""
        name = to_hex(blob_id(data))
        self.put_as(name, data)
        return name

    def put_as(self, name: str, data: bytes) -> None:
        """Stores bytes whose id the caller has computed."""
        if not self.has(name):
            path = self._path(name)
            draft = f"{path}.{uuid4().hex}.part"
            self._files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            self._files.pipe_file(draft, data)
            self._files.mv(draft, path)

    def has(self, name: str) -> bool:
        """True when something is stored under the id."""
        return bool(self._files.exists(self._path(name)))

    def size(self, name: str) -> int:
        """Bytes stored under the id. Raises BlobMissing."""
        try:
            return int(self._files.size(self._path(name)))
        except FileNotFoundError:
            raise BlobMissing(name) from None

    def get(self, name: str) -> bytes:
        """The bytes of a blob. Raises BlobMissing, also where what is stored is not it (then it is removed)."""
        try:
            data = bytes(self._files.cat_file(self._path(name)))
        except FileNotFoundError:
            raise BlobMissing(name) from None
        if to_hex(blob_id(data)) != name:
            self._damaged(name)
        return data

    def stream(self, name: str) -> tuple[int, Iterator[bytes]]:
        """Size and bytes of a blob in chunks, as little in memory as one chunk. Raises BlobMissing like `get`.

        A file is hashed before its first byte leaves, and once only while its size and time stay the same.
        """
        try:
            info = self._files.info(self._path(name))
            state = (int(info["size"]), info.get("mtime") or info.get("LastModified"))
            with self._lock:
                known = state[1] is not None and self._verified.get(name) == state
            if not known:
                self._verify(name, state)
        except FileNotFoundError:
            raise BlobMissing(name) from None
        return state[0], self._chunks(name)

    def remove(self, name: str) -> None:
        """Forgets a blob, if it is there."""
        with self._lock:
            self._verified.pop(name, None)
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def free_bytes(self) -> int:
        """Bytes free on the disk of a local store; more than any limit elsewhere."""
        if not self._local:
            return 1 << 62
        self._files.makedirs(self._root, exist_ok=True)
        return shutil.disk_usage(self._root).free

    def _verify(self, name: str, state: tuple[int, Any]) -> None:
        found = BlobHash()
        for part in self._chunks(name):
            found.update(part)
        if found.name != name:
            self._damaged(name)
        with self._lock:
            self._verified[name] = state
            while len(self._verified) > VERIFIED_KEPT:
                self._verified.popitem(last=False)

    def _chunks(self, name: str) -> Iterator[bytes]:
        with self._files.open(self._path(name), "rb", block_size=CHUNK_BYTES) as file:
            while part := file.read(CHUNK_BYTES):
                yield bytes(part)

    def _damaged(self, name: str) -> None:
        """Removes what is not the blob of its id. Raises BlobMissing."""
        log.error("blob_damaged", blob=name)
        self.remove(name)
        raise BlobMissing(name)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name[2:4]}/{name[2:]}"
