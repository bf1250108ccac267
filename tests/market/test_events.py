"""Events, receipts and results as a buyer follows them, and their cleaning."""

import asyncio
import csv
from io import StringIO
from typing import Any

import pytest
from sqlalchemy import func, select

from market import events
from market.cleaning import clean
from market.jobs.models import IdempotencyKey, Job, JobEvent
from market.ticks import chain_tick
from market.wake import Waiters
from protocol.encoding import to_hex
from tests.market.test_lifecycle import reveal_all
from tests.market.test_webhooks import finished_job
from tests.market.world import World

DAY = 86_400


def story(world: World, job: str, after: int = 0) -> list[tuple[int, str, dict[str, Any]]]:
    """Number, kind and data of a job's events."""
    return [(row.number or 0, row.kind, row.data) for row in events.read_after(world.context, job, after)]


def test_ranges_merge_what_touches() -> None:
    assert events.merged([(0, 2), (2, 4), (5, 6)]) == [(0, 4), (5, 6)]
    assert events.merged([]) == []


def test_tasks_in_many_ranges_are_told_in_several_events(world: World) -> None:
    job = world.open_job()
    ranges = [(2 * i, 2 * i + 1) for i in range(2_500)]
    with world.context.transaction() as session:
        events.record_tasks(session, job, "drawn", ranges)
        events.record_tasks(session, job, "drawn", [])
    told = [data["tasks"] for _, kind, data in story(world, job) if kind == "span.drawn"]
    assert [len(part) for part in told] == [1000, 1000, 500, 0]
    assert [tuple(pair) for part in told for pair in part] == ranges


def test_event_that_commits_late_is_still_told_after_what_was_read(world: World) -> None:
    """Its row has the smaller id: who resumes after the newest id would never see it."""
    job = world.open_job()
    late = world.context.sessions()
    events.record(late, job, "late")
    late.flush()
    with world.context.transaction() as session:
        events.record(session, job, "early")
    seen = story(world, job)
    assert [kind for _, kind, _ in seen][-1] == "early"
    late.commit()
    late.close()
    assert [(number, kind) for number, kind, _ in story(world, job, seen[-1][0])] == [(seen[-1][0] + 1, "late")]
    assert [number for number, _, _ in story(world, job)] == list(range(1, seen[-1][0] + 2))


def test_story_of_a_job_tells_every_state_of_every_task(world: World) -> None:
    job = finished_job(world)
    told: dict[str, set[int]] = {}
    for _, kind, data in story(world, job):
        if kind.startswith("span."):
            tasks = {task for first, after in data["tasks"] for task in range(first, after)}
            told.setdefault(kind, set()).update(tasks)
    everything = set(range(10))
    for kind in ("leased", "accepted", "committed", "attested", "final"):
        assert told[f"span.{kind}"] == everything, kind
    drawn = {row["task"] for row in world.http.get(f"/v1/jobs/{job}/results").json()["results"] if row["drawn"]}
    assert told["span.drawn"] == drawn
    kinds = [kind for _, kind, _ in story(world, job)]
    assert (kinds[0], kinds[1]) == ("job.submitted", "job.opened")
    assert kinds.index("job.finished") < kinds.index("job.closed") == len(kinds) - 1
    accepted = [data for _, kind, data in story(world, job) if kind == "span.accepted"]
    assert all(world.http.get(f"/v1/blobs/{data['outputs']}").status_code == 200 for data in accepted)


@pytest.mark.anyio
async def test_stream_of_a_job_that_is_over_ends_and_is_not_followed_again(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(events, "KEEPALIVE_SECONDS", 0.1)
    job = await asyncio.to_thread(finished_job, world)
    stream = events.stream(world.context, Waiters("redis://unused"), job, 0)
    parts = [part async for part in stream]
    assert b"event: job.closed" in parts[-2]
    last = len(await asyncio.to_thread(story, world, job))
    again = await asyncio.to_thread(world.http.get, f"/v1/jobs/{job}/events?after={last}")
    assert again.status_code == 204


def test_voided_leaf_is_told_with_its_tasks_and_they_are_open_again(world: World) -> None:
    device = world.device("one")
    job = world.open_job()
    device.do_next()
    for _ in range(3):
        world.tick()
        world.clock.advance(20)
    from market.leases.models import Receipt

    with world.context.sessions() as session:
        digest = bytes.fromhex(session.scalars(select(Receipt.digest)).one()[2:])
    args = {"epochId": 1, "jobId": bytes.fromhex(job[2:]), "device": device.address, "receiptDigest": digest}
    world.chain.emit("EpochLedger", "LeafVoided", **args, debit=1)
    chain_tick(world.context)
    voided = [data["tasks"] for _, kind, data in story(world, job) if kind == "span.voided"]
    assert voided == [[[0, 2]]]
    results = world.http.get(f"/v1/jobs/{job}/results?limit=2").json()["results"]
    assert [row["state"] for row in results] == ["open", "open"]


def test_results_say_what_is_attested_and_replayed(world: World) -> None:
    job = finished_job(world)
    rows = world.http.get(f"/v1/jobs/{job}/results").json()["results"]
    assert all(row["attested"] and row["state"] == "final" for row in rows)
    assert all(row["replayed"] == row["drawn"] for row in rows)


def test_results_of_one_state_are_paged(world: World) -> None:
    device = world.device("one")
    job = world.open_job()
    device.do_next()
    url = f"/v1/jobs/{job}/results"
    accepted = world.http.get(f"{url}?state=accepted").json()
    assert [row["task"] for row in accepted["results"]] == [0, 1]
    assert accepted["next"] is None
    first = world.http.get(f"{url}?state=open&limit=3").json()
    second = world.http.get(f"{url}?state=open&limit=30&cursor={first['next']}").json()
    assert [row["task"] for page in (first, second) for row in page["results"]] == list(range(2, 10))
    assert world.http.get(f"{url}?state=nonsense").status_code == 422


def test_page_of_large_outputs_ends_early_and_goes_on(world: World, monkeypatch: Any) -> None:
    from market.jobs import views

    monkeypatch.setattr(views, "PAGE_OUTPUT_BYTES", 12)
    job = finished_job(world)  # outputs of five bytes
    seen, cursor = [], 0
    while cursor is not None:
        page = world.http.get(f"/v1/jobs/{job}/results?cursor={cursor}").json()
        assert len(page["results"]) <= 2
        seen += page["results"]
        cursor = page["next"]
    assert [row["output"] for row in seen] == [to_hex(b"out %d" % task) for task in range(10)]


def test_receipt_names_its_transactions_in_json_and_csv(world: World) -> None:
    job = finished_job(world)
    bill = world.http.get(f"/v1/jobs/{job}/receipt").json()
    whats = [row["what"] for row in bill["transactions"]]
    assert whats == ["open", "post", "claim", "claim", "close"]
    by_device = {row["device"]: row["hash"] for row in bill["transactions"] if row["what"] == "claim"}
    assert {item["device"]: item["claimTx"] for item in bill["items"]} == by_device
    assert {item["postTx"] for item in bill["items"]} == {bill["transactions"][1]["hash"]}
    response = world.http.get(f"/v1/jobs/{job}/receipt?format=csv")
    assert response.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(StringIO(response.text)))
    assert rows == [{name: str(value) for name, value in item.items()} for item in bill["items"]]


def test_transactions_lost_in_a_reorganisation_are_not_listed(world: World) -> None:
    job = world.open_job()
    opened = next(row for row in world.http.get(f"/v1/jobs/{job}/receipt").json()["transactions"])
    assert opened["what"] == "open"
    from chain.codec import Event
    from protocol.messages import Bid

    bid = Bid.from_json(world.job(job)["bid"])
    args = {"jobId": bid.job_id, "buyer": bid.buyer, "settler": world.chain.settler, "feePpm": 1}
    world.chain.reorg(Event("JobOpened", "JobEscrow", args, opened["block"], bytes(32), bytes(32), 0))
    chain_tick(world.context)
    assert world.http.get(f"/v1/jobs/{job}/receipt").json()["transactions"] == []


# --- cleaning


def test_nothing_is_cleaned_before_its_time(world: World) -> None:
    job = finished_job(world)
    world.clock.advance(30 * DAY - 1)
    removed = clean(world.context)
    assert (removed["events"], removed["blobs"]) == (0, 0)
    assert story(world, job)


def test_story_and_blobs_of_a_job_go_a_month_after_its_end(world: World) -> None:
    job, bid = finished_job(world), None
    bid = world.job(job)["bid"]
    world.clock.advance(30 * DAY)
    removed = clean(world.context)
    assert removed["events"] > 10
    assert removed["blobs"] >= 4  # manifest, outputs of several leases, the epoch's data
    assert world.http.get(f"/v1/blobs/{bid['manifest']}").status_code == 404
    gone = world.http.get(f"/v1/jobs/{job}/events")
    assert (gone.status_code, gone.json()["code"]) == (410, "events_gone")
    assert world.http.get(f"/v1/jobs/{job}/receipt").json()["state"] == "closed"
    assert world.http.get(f"/v1/jobs/{job}/results").json()["results"][0]["output"] is None
    assert clean(world.context)["blobs"] == 0


def test_blob_that_another_job_needs_is_kept(world: World) -> None:
    job = finished_job(world)
    manifest = world.job(job)["bid"]["manifest"]
    world.clock.advance(30 * DAY)
    other = world.post_job(world.bid(salt=b"\1" * 32))
    assert other.status_code == 202
    clean(world.context)
    assert world.http.get(f"/v1/blobs/{manifest}").status_code == 200


def test_blobs_of_a_closed_job_with_open_pay_are_kept(world: World) -> None:
    device = world.device("one")
    job = world.open_job(world.bid(deadline=int(world.clock()) + 60))
    device.do_next()
    for _ in range(2):
        world.clock.advance(16)
        world.tick()
    with world.context.transaction() as session:
        row = session.get_one(Job, job)
        row.state, row.over_at = "closed", world.context.moment()
    world.clock.advance(31 * DAY)
    assert clean(world.context)["blobs"] == 0


def test_keys_are_forgotten_after_a_day(world: World) -> None:
    world.add_program()
    world.post_job(world.bid(), **{"Idempotency-Key": "k"})
    with world.context.transaction() as session:
        session.scalars(select(IdempotencyKey)).one().made_at = world.context.moment()
    world.clock.advance(DAY - 1)
    assert clean(world.context)["keys"] == 0
    world.clock.advance(1)
    assert clean(world.context)["keys"] == 1


def test_sessions_challenges_and_deliveries_are_forgotten(world: World) -> None:
    from tests.market.test_people import challenge, sign_in

    sign_in(world, "buyer")
    challenge(world, "0x" + "11" * 20)
    world.device("one")
    world.clock.advance(31 * DAY)
    removed = clean(world.context)
    assert (removed["people"], removed["sessions"]) == (2, 1)
    with world.context.sessions() as session:
        assert session.scalar(select(func.count()).select_from(JobEvent)) == 0


def test_revealed_leaves_are_attested_once(world: World) -> None:
    devices = [world.device("one"), world.device("two")]
    job = world.open_job()
    for device in devices:
        device.do_all()
    for _ in range(3):
        world.tick()
    reveal_all(world, 1)
    world.chain.phases[1] = "window"
    for _ in range(3):
        world.tick()
    assert world.job(job)["tasks"]["attested"] == 10
    assert [kind for _, kind, _ in story(world, job)].count("span.attested") == 2
