"""The store of blobs: any fsspec file system, verified on every read."""

import contextlib
from uuid import uuid4

import fsspec
import structlog

from protocol.blobs import blob_id
from protocol.encoding import to_hex

log = structlog.get_logger(__name__)


class BlobMissing(LookupError):
    """There is no such blob, or what is stored is not it."""


class BlobStore:
    """Blobs by id (0x and 64 lower-case hex digits). Writing the same bytes twice is nothing."""

    def __init__(self, url: str) -> None:
        self._files, root = fsspec.core.url_to_fs(url)
        self._root = root.rstrip("/")

    def put(self, data: bytes) -> str:
        """Stores bytes and returns their id."""
        name = to_hex(blob_id(data))
        if not self.has(name):
            path = self._path(name)
            draft = f"{path}.{uuid4().hex}.part"
            self._files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            self._files.pipe_file(draft, data)
            self._files.mv(draft, path)
        return name

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
            log.error("blob_damaged", blob=name)
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(self._path(name))
            raise BlobMissing(name)
        return data

    def _path(self, name: str) -> str:
        return f"{self._root}/{name[2:4]}/{name[2:]}"
