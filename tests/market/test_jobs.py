"""Jobs from signed bids, and following them."""

import asyncio
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from market import events
from market.jobs.models import SpanState
from market.wake import Waiters
from protocol.encoding import to_hex
from protocol.manifest import Manifest
from protocol.messages import Domain
from tests.market.world import LIMIT_WU, START, World, key_of


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"task_count": 11}, "message_invalid"),
        ({"inputs_root": bytes(32)}, "message_invalid"),
        ({"span_tasks": 257}, "message_invalid"),
        ({"rate_floor_ppm": 9_999}, "message_invalid"),
        ({"manifest": bytes(32)}, "manifest_missing"),
        ({"program_id": bytes(32)}, "program_unknown"),
        ({"settler": "0x" + "11" * 20}, "bid_refused"),
        ({"max_fee_ppm": 9_999}, "bid_refused"),
        ({"deadline": int(START)}, "bid_refused"),
        ({"task_limit_wu": LIMIT_WU + 1}, "bid_refused"),
    ],
)
def test_bid_that_cannot_be_served_is_refused(world: World, change: dict[str, Any], code: str) -> None:
    world.add_program()
    response = world.post_job(world.bid(**change))
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert not world.chain.queued("open_job")


def test_bid_signed_by_another_or_for_another_chain_is_refused(world: World) -> None:
    world.add_program()
    bid = world.bid()
    assert world.post_job(bid, key_of("somebody")).json()["code"] == "message_invalid"
    other = bid.sign(Domain(1, world.context.domain.verifying_contract), key_of("buyer"))
    body = {"bid": bid.to_json(), "signature": to_hex(other)}
    assert world.http.post("/v1/jobs", json=body).json()["code"] == "message_invalid"


def test_bid_with_a_large_input_missing_is_refused(world: World) -> None:
    world.add_program()
    manifest = Manifest.of([bytes(2000)])
    world.put_blob(manifest.blob)
    bid = replace(world.bid(tasks=1), inputs_root=manifest.inputs_root, manifest=manifest.blob_id)
    assert world.post_job(bid).json()["code"] == "input_missing"
    world.put_blob(bytes(2000))
    assert world.post_job(bid).status_code == 202


def test_bid_repeated_opens_one_job_and_a_reused_key_is_refused(world: World) -> None:
    world.add_program()
    bid = world.bid()
    answers = [world.post_job(bid, **{"Idempotency-Key": "k"}) for _ in range(2)] + [world.post_job(bid)]
    assert {answer.json()["jobId"] for answer in answers} == {to_hex(bid.job_id)}
    assert len(world.chain.queued("open_job")) == 1
    other = world.post_job(replace(bid, salt=bytes([1]) * 32), **{"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


def test_key_of_a_refused_bid_is_free_again(world: World) -> None:
    world.add_program()
    assert world.post_job(world.bid(deadline=1), **{"Idempotency-Key": "k"}).status_code == 422
    assert world.post_job(world.bid(), **{"Idempotency-Key": "k"}).status_code == 202


def test_job_that_the_chain_refuses_says_why(world: World) -> None:
    world.add_program()
    job = world.post_job(world.bid()).json()["jobId"]
    world.chain.fail("open_job", "JobEscrow_BalanceTooLow(0, 5)")
    world.tick()
    assert (world.job(job)["state"], world.job(job)["error"]) == ("refused", "JobEscrow_BalanceTooLow(0, 5)")


def test_job_past_its_deadline_is_closed_after_the_grace(world: World) -> None:
    job = world.open_job(world.bid(deadline=int(world.clock()) + 60))
    world.clock.advance(61)
    world.tick()
    assert world.job(job)["state"] == "closing"
    world.clock.advance(31)
    world.tick()
    assert (world.job(job)["state"], world.job(job)["refunded"]) == ("closed", "5")


def test_jobs_are_listed_newest_first_with_a_cursor(world: World) -> None:
    world.add_program()
    made = [world.post_job(world.bid(salt=bytes([i]) * 32)).json()["jobId"] for i in range(3)]
    first = world.http.get("/v1/jobs?limit=2").json()
    second = world.http.get(f"/v1/jobs?limit=2&cursor={first['next']}").json()
    assert [job["jobId"] for page in (first, second) for job in page["jobs"]] == made[::-1]
    assert second["next"] is None
    assert world.http.get(f"/v1/jobs?buyer=0x{'11' * 20}").json()["jobs"] == []


@pytest.mark.anyio
async def test_events_resume_after_the_last_id(world: World) -> None:
    job = await asyncio.to_thread(world.open_job)
    told = [part async for part in first(events.stream(world.context, Waiters("redis://unused"), job, 0), 3)]
    assert told[1].startswith(b"id: 1\nevent: job.submitted\ndata: {")
    assert b"event: job.opened\n" in told[2]
    resumed = [part async for part in first(events.stream(world.context, Waiters("redis://unused"), job, 1), 2)]
    assert resumed[1] == told[2]


async def first(stream: Any, count: int) -> Any:
    """The first parts of a stream, which is then closed."""
    for _ in range(count):
        yield await asyncio.wait_for(anext(stream), 5)
    await stream.aclose()


def test_events_of_no_job_or_after_nonsense_are_refused(world: World) -> None:
    assert world.http.get(f"/v1/jobs/0x{'00' * 32}/events").status_code == 404
    job = world.open_job()
    response = world.http.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": "x"})
    assert response.json()["code"] == "request_invalid"


WALLET = "0x" + "11" * 20


def post_signed(world: World, bid: Any, signature: bytes) -> Any:
    return world.http.post("/v1/jobs", json={"bid": bid.to_json(), "signature": to_hex(signature)})


@pytest.mark.parametrize("signature", [b"", b"\1\2", bytes(65), bytes(4096)])
def test_bid_of_a_contract_wallet_that_it_does_not_take_is_refused(world: World, signature: bytes) -> None:
    world.add_program()
    bid = world.bid(buyer=WALLET)
    world.chain.wallets[WALLET] = (bid.digest(world.context.domain), b"good")
    response = post_signed(world, bid, signature)
    assert (response.status_code, response.json()["code"]) == (422, "message_invalid")
    assert not world.chain.queued("open_job")


def test_bid_of_a_contract_wallet_opens_a_job_with_its_signature(world: World) -> None:
    world.add_program()
    bid = world.bid(buyer=WALLET)
    world.chain.wallets[WALLET] = (bid.digest(world.context.domain), bytes(4096))
    assert post_signed(world, bid, bytes(4097)).status_code == 422
    assert post_signed(world, bid, bytes(4096)).status_code == 202
    assert world.chain.queued("open_job")[0].args == (bid, bytes(4096))
    device = world.device("one")
    world.tick()
    assert device.lease()["bidSignature"] == to_hex(bytes(4096))


def test_bid_signed_by_its_buyers_key_asks_no_wallet(world: World) -> None:
    world.open_job()
    assert world.chain.asked_wallets == 0


def test_leaf_voided_after_its_job_was_closed_leaves_its_tasks_voided(world: World) -> None:
    from market.leases.models import Receipt
    from market.ticks import chain_tick

    device = world.device("one")
    job = world.open_job(world.bid(tasks=4))
    device.do_next()
    world.clock.advance(16)
    world.tick()
    world.chain.emit("JobEscrow", "JobClosed", jobId=bytes.fromhex(job[2:]), refunded=7)
    chain_tick(world.context)
    with world.context.sessions() as session:
        digest = bytes.fromhex(session.query(Receipt).one().digest[2:])
    args = {"epochId": 1, "jobId": bytes.fromhex(job[2:]), "device": device.address, "receiptDigest": digest}
    world.chain.emit("EpochLedger", "LeafVoided", **args, debit=1)
    chain_tick(world.context)
    assert world.job(job)["tasks"]["voided"] == 2
    states = [row["state"] for row in world.http.get(f"/v1/jobs/{job}/results?state=voided").json()["results"]]
    assert states == ["voided", "voided"]


def test_last_shorter_span_that_moves_while_tasks_are_counted_is_counted_once(world: World) -> None:
    # `make run` once ended on "leased: -11": the last span's state was read after the others were counted.
    job = world.open_job(world.bid(tasks=9, span_tasks=4))
    moves = iter([SpanState.LEASED, SpanState.ACCEPTED])

    def move(*_: Any) -> None:
        state = next(moves, None)
        if state is not None:
            with psycopg.connect(world.context.settings.database_url.replace("+psycopg", "")) as other:
                other.execute("update spans set state = %s where job_id = %s and span = 2", [state, job])

    event.listen(world.context.engine, "after_cursor_execute", move)
    try:
        tasks = [world.job(job)["tasks"] for _ in range(3)]
    finally:
        event.remove(world.context.engine, "after_cursor_execute", move)
    assert all(min(found.values()) >= 0 and sum(found.values()) == 9 for found in tasks)
    assert (tasks[-1]["open"], tasks[-1]["accepted"]) == (8, 1)
