"""Blobs of strangers: bounded in size, in number of bytes, in memory and in time; what is served is what was named."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from market.blobs import store as stores
from market.blobs.store import BlobMissing, BlobStore
from market.blobs.uploads import Upload, keep, sweep
from market.limits import ROOMS, Room
from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.manifest import Manifest
from tests.market.world import World, world_on

MEBIBYTE = 1 << 20
DAY = 86_400


def name_of(data: bytes) -> str:
    """The id of bytes."""
    return to_hex(blob_id(data))


def put(world: World, data: Any, name: str | None = None, **headers: str) -> tuple[int, str]:
    """Status and code of an upload."""
    response = world.http.put(f"/v1/blobs/{name or name_of(data)}", content=data, headers=headers)
    if response.status_code < 300:
        return response.status_code, ""
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


@pytest.fixture
def small(market_url: str, valkey_url: str, tmp_path: Path) -> Iterator[World]:
    """A market with little room."""
    room = {"uploads_caller_max_bytes": 3, "uploads_max_bytes": 5_000}  # thousandfold for a caller: the rate factor
    with world_on(market_url, valkey_url, tmp_path, **room) as made:
        yield made


def test_upload_cut_short_or_of_other_bytes_is_refused_and_leaves_nothing(shared: World) -> None:
    data = b"all of it"
    assert put(shared, data[:-1], name_of(data)) == (422, "blob_mismatch")
    assert put(shared, b"", name_of(data)) == (422, "blob_mismatch")
    assert shared.http.get(f"/v1/blobs/{name_of(data)}").status_code == 404
    with shared.context.sessions() as session:
        assert session.get(Upload, name_of(data)) is None


def test_upload_of_a_hundred_megabytes_is_refused_while_it_arrives(shared: World) -> None:
    sent = 0

    def parts() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += MEBIBYTE
            yield bytes(MEBIBYTE)

    assert put(shared, parts(), "0x" + "11" * 32) == (413, "body_too_large")
    assert put(shared, bytes(2), "0x" + "11" * 32, **{"Content-Length": str(100 * MEBIBYTE)})[0] == 413
    assert shared.context.places.taken("upload_bytes") == 0


def test_uploads_of_one_caller_are_bounded_until_something_refers_to_them(small: World) -> None:
    first, second = b"a" * 2_000, b"b" * 1_001
    assert put(small, first) == (201, "")
    assert put(small, second) == (429, "upload_quota")
    response = small.http.put(f"/v1/blobs/{name_of(second)}", content=second)
    assert int(response.headers["retry-after"]) > 0
    assert put(small, first) == (200, "")
    with small.context.transaction() as session:
        keep(session, [name_of(first)])
    assert put(small, second) == (201, "")


def test_uploads_of_all_callers_are_bounded(small: World) -> None:
    with small.context.transaction() as session:
        session.add(Upload(blob="0x" + "11" * 32, size=4_500, caller="192.0.2.1", made_at=small.context.moment()))
    assert put(small, bytes(501)) == (503, "storage_full")
    assert put(small, bytes(500)) == (201, "")


def test_uploads_stop_before_the_disk_is_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    floor = world.context.settings.disk_free_min_bytes
    monkeypatch.setattr(BlobStore, "free_bytes", lambda _: floor + 5)
    assert put(world, bytes(6)) == (503, "storage_full")
    assert put(world, bytes(5)) == (201, "")


def test_free_bytes_of_a_local_store_are_the_disks_and_else_unbounded(tmp_path: Path) -> None:
    assert 0 < BlobStore(str(tmp_path / "new")).free_bytes() < 1 << 60
    assert BlobStore("memory://m2").free_bytes() > 1 << 60


def test_upload_that_nothing_refers_to_goes_after_a_day_and_kept_ones_stay(world: World) -> None:
    job = world.open_job()
    manifest = world.job(job)["bid"]["manifest"]
    put(world, b"old")
    world.clock.advance(DAY - 1)
    assert sweep(world.context) == 0
    put(world, b"new")
    put(world, b"again")
    world.clock.advance(2)
    assert sweep(world.context) == 1
    found = {data: world.http.get(f"/v1/blobs/{name_of(data)}").status_code for data in (b"old", b"new", b"again")}
    assert found == {b"old": 404, b"new": 200, b"again": 200}
    assert world.http.get(f"/v1/blobs/{manifest}").status_code == 200


def test_upload_repeated_stays_a_day_more(world: World) -> None:
    put(world, b"again")
    world.clock.advance(DAY - 1)
    assert put(world, b"again") == (200, "")
    world.clock.advance(DAY - 1)
    assert sweep(world.context) == 0


def test_inputs_modules_and_outputs_are_kept(world: World) -> None:
    inputs = [b"x" * 2_000, b"y" * 2_000]
    for data in inputs:
        put(world, data)
    manifest = Manifest.of(inputs)
    put(world, manifest.blob)
    changes = {"inputs_root": manifest.inputs_root, "manifest": manifest.blob_id}
    device = world.device("one")
    world.open_job(world.bid(tasks=2, **changes))
    grant = device.lease()
    body = device.work(grant)
    assert device.submit(grant, body).status_code == 200
    world.clock.advance(DAY + 1)
    sweep(world.context)
    for name in (*map(name_of, inputs), name_of(manifest.blob), body["outputs"]):
        assert world.http.get(f"/v1/blobs/{name}").status_code == 200


def test_job_on_inputs_that_were_swept_is_refused_and_keeps_nothing(world: World) -> None:
    world.add_program()
    inputs = [b"x" * 2_000, b"y" * 2_000]
    put(world, inputs[0])
    manifest = Manifest.of(inputs)
    put(world, manifest.blob)
    bid = world.bid(tasks=2, inputs_root=manifest.inputs_root, manifest=manifest.blob_id)
    assert world.post_job(bid).json()["code"] == "input_missing"
    with world.context.sessions() as session:
        assert session.get(Upload, name_of(inputs[0])) is not None
        assert session.get(Upload, name_of(manifest.blob)) is not None


def test_blobs_uploaded_by_many_at_once_are_there_once(world: World) -> None:
    data = bytes(300_000)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: put(world, data)[0], range(16)))
    assert set(answers) <= {200, 201}
    assert world.http.get(f"/v1/blobs/{name_of(data)}").content == data
    files = [path for path in Path(world.context.settings.blobs_url).rglob("*") if path.is_file()]
    assert [path.name for path in files] == [name_of(data)[2:]]


def test_bytes_of_uploads_in_memory_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROOMS, "upload_bytes", Room(1 << 40, 100_000))
    data = bytes(100_001)
    response = world.http.put(f"/v1/blobs/{name_of(data)}", content=data)
    assert (response.status_code, response.json()["code"]) == (503, "busy")
    assert response.headers["retry-after"] == "5"
    assert world.context.places.taken("upload_bytes") == 0
    assert put(world, bytes(100_000)) == (201, "")


def test_stored_blob_that_changed_is_not_served_even_after_it_was(tmp_path: Path) -> None:
    store = BlobStore(str(tmp_path))
    name = store.put(b"x" * 1_000_000)
    size, parts = store.stream(name)
    assert (size, sum(map(len, parts))) == (1_000_000, 1_000_000)
    path = next(path for path in tmp_path.rglob("*") if path.is_file())
    path.write_bytes(b"y" * 999_999)
    with pytest.raises(BlobMissing):
        store.stream(name)
    assert not path.exists()


def test_blob_is_hashed_once_while_its_file_stays_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, hashed = BlobStore(str(tmp_path)), []
    name = store.put(b"x")

    class Counted(stores.BlobHash):
        def __init__(self) -> None:
            super().__init__()
            hashed.append(1)

    monkeypatch.setattr(stores, "BlobHash", Counted)
    for _ in range(3):
        assert b"".join(store.stream(name)[1]) == b"x"
    assert hashed == [1]


def test_blob_that_was_withheld_is_not_there_for_results(world: World) -> None:
    device = world.device("one")
    world.open_job()
    grant = device.lease()
    body = device.work(grant)
    world.context.blobs.remove(body["outputs"])
    refused = device.submit(grant, body)
    assert (refused.status_code, refused.json()["code"]) == (422, "receipt_invalid")


def test_outputs_longer_than_the_bid_allows_are_refused(world: World) -> None:
    from protocol.merkle import TaskResult
    from tests.market.test_leases import with_results
    from tests.market.world import TASK_WU

    device = world.device("one")
    world.open_job(world.bid(tasks=2, max_output_bytes=64))
    grant = device.lease()
    outputs = [b"a" * 65, b"b"]
    results = [TaskResult.of_output(task, output, TASK_WU) for task, output in enumerate(outputs)]
    refused = device.submit(grant, with_results(device, grant, results, outputs))
    assert (refused.status_code, refused.json()["code"]) == (422, "receipt_invalid")


def test_large_upload_takes_a_persons_session_too_and_no_invented_one(world: World) -> None:
    from tests.market.test_people import sign_in

    data = bytes(world.context.settings.open_blob_max_bytes + 1)
    assert put(world, data) == (413, "body_too_large")
    assert put(world, data, Authorization="Bearer invented")[0] == 401
    assert put(world, data, **sign_in(world, "buyer")) == (201, "")
