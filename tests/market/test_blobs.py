"""Blobs: named by their bytes, limited in size, verified on every read."""

from pathlib import Path

import pytest

from market.blobs.store import BlobMissing, BlobStore
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from tests.market.world import World

DATA = b"some bytes"
NAME = to_hex(blob_id(DATA))


def test_put_other_bytes_than_the_id_is_refused(world: World) -> None:
    response = world.http.put(f"/v1/blobs/{NAME}", content=DATA + b"!")
    assert (response.status_code, response.json()["code"]) == (422, "blob_mismatch")
    assert world.http.get(f"/v1/blobs/{NAME}").status_code == 404


def test_put_twice_says_created_then_present(world: World) -> None:
    assert [world.http.put(f"/v1/blobs/{NAME}", content=DATA).status_code for _ in range(2)] == [201, 200]
    response = world.http.get(f"/v1/blobs/{NAME}")
    assert response.content == DATA
    assert "immutable" in response.headers["cache-control"]
    assert world.http.head(f"/v1/blobs/{NAME}").headers["content-length"] == str(len(DATA))


def test_large_blob_needs_a_session_and_has_a_limit(world: World) -> None:
    limit = world.context.settings.open_blob_max_bytes
    data = bytes(limit + 1)
    url = f"/v1/blobs/{to_hex(blob_id(data))}"
    assert world.http.put(url, content=data).json()["code"] == "body_too_large"
    assert world.http.put(url, content=iter([data[:9], data[9:]])).json()["code"] == "body_too_large"
    assert world.http.put(url, content=data, headers=world.device("one").headers).status_code == 201


@pytest.mark.parametrize("name", ["0x12", "../../etc/passwd", "0x" + "G" * 64, NAME.upper(), NAME + "%0A"])
def test_malformed_id_is_refused(world: World, name: str) -> None:
    assert world.http.get(f"/v1/blobs/{name}").status_code in (404, 422)


def test_damaged_blob_is_not_served(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path))
    name = store.put(DATA)
    next(path for path in tmp_path.rglob("*") if path.is_file()).write_bytes(b"other bytes")
    with pytest.raises(BlobMissing):
        store.get(name)
    assert store.put(DATA) == name
    assert store.get(name) == DATA
