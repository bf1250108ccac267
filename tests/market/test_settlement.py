"""Epochs and claims: what is built, what is taken back, who is not paid."""

from typing import Any

import pytest
from sqlalchemy import select, update

from chain.calls import Head
from market.leases.models import Receipt
from market.settlement import build, settle
from market.settlement.gateway import DeviceFacts, EpochFacts
from market.settlement.models import EpochLeaf
from market.ticks import chain_tick
from protocol.claims import unpacked_leaves
from protocol.errors import EpochDataInvalid
from tests.market.test_lifecycle import reveal_all
from tests.market.world import PRICE, Device, World


def posted(world: World, devices: int = 2, **changes: Any) -> tuple[str, list[Device]]:
    """A job worked by some devices, its epoch posted and seeded, its verdicts revealed where `verdicts` says so."""
    made = [world.device(f"device {i}") for i in range(devices)]
    job = world.open_job(world.bid(**changes))
    while any(device.poll().status_code == 200 and device.do_next() for device in made):
        pass
    world.tick()
    world.tick()
    return job, made


def leaves(world: World) -> list[dict[str, Any]]:
    """The leaves of the first epoch."""
    found: list[dict[str, Any]] = world.http.get("/v1/epochs/1").json()["leaves"]
    return found


def finish(world: World, wrong: frozenset[int] = frozenset()) -> None:
    """Verdicts are in and the window is over."""
    world.tick()
    reveal_all(world, 1, wrong)
    world.chain.phases[1] = "final"
    world.tick()


def test_no_epoch_is_posted_while_celery_is_stopped(world: World) -> None:
    one, two = world.device("one"), world.device("two")
    world.open_job()
    one.do_all()
    two.do_all()
    world.clock.advance(60)
    for url in ("/v1/epochs", "/v1/jobs", "/v1/network", "/readyz"):
        assert world.http.get(url).status_code == 200
    assert not world.chain.queued("post_epoch")
    build.tick(world.context)
    assert len(world.chain.queued("post_epoch")) == 1


def test_epoch_waits_for_its_interval_while_spans_are_open(world: World) -> None:
    device = world.device("one")
    world.open_job()
    device.do_next()
    assert build.tick(world.context) is None
    world.clock.advance(14)
    assert build.tick(world.context) is None
    world.clock.advance(1)
    assert build.tick(world.context) is not None
    assert build.tick(world.context) is None


def test_epoch_refused_for_one_job_is_posted_for_the_other(world: World) -> None:
    device = world.device("one")
    world.chain.refused["postEpoch"] = "not yet"
    bad = world.open_job(world.bid(tasks=2))
    device.do_next()
    good = world.open_job(world.bid(tasks=2, salt=bytes([1]) * 32))
    device.do_next()

    def refuse(call: Any) -> str | None:
        entries = call.args[0]
        return "JobEscrow_MayNotPost()" if any("0x" + e.job_id.hex() == bad for e in entries) else None

    world.chain.refused["postEpoch"] = refuse
    world.tick()
    assert world.job(good)["tasks"]["committed"] == 2
    assert world.job(bad)["tasks"]["accepted"] == 2


def test_receipt_past_its_post_by_is_dropped_and_its_spans_are_open(world: World) -> None:
    device = world.device("one")
    job = world.open_job(world.bid(tasks=2))
    device.do_next()
    world.clock.advance(181)
    build.tick(world.context)
    assert world.job(job)["tasks"]["open"] == 2
    assert not world.chain.queued("post_epoch")
    device.open_session()
    device.offer()
    device.poll()
    world.tick()
    for memory in (device.results, device.spans, device.post_by):
        memory.clear()
    device.do_next()  # the same period: the dropped receipt was never posted
    world.tick()
    assert world.job(job)["tasks"]["committed"] == 2


def test_convicted_device_loses_leases_and_unposted_work_and_its_leaf_is_voided(world: World) -> None:
    job, (liar, honest) = posted(world)
    world.chain.devices[liar.address] = DeviceFacts("0x" + "11" * 20, 0, True)
    world.chain.emit("StakeVault", "Convicted", device=liar.address, slashed=1, paid=0, burned=1)
    world.tick()
    states = {leaf["device"]: leaf["state"] for leaf in leaves(world)}
    assert states == {liar.address: "voided", honest.address: "committed"}
    lost = sum(len(spans) for spans in liar.spans.values())
    assert world.job(job)["tasks"]["open"] == 2 * lost
    assert liar.poll().json()["code"] == "device_convicted"
    assert world.chain.calls["void_leaf", f"1.{next(e['leaf'] for e in leaves(world) if e['device'] == liar.address)}"]
    finish(world)
    while honest.poll().status_code == 200:
        honest.do_next()
    assert world.job(job)["tasks"]["open"] == 0


def test_convicted_device_with_a_live_lease_cannot_deliver(world: World) -> None:
    liar = world.device("one")
    job = world.open_job()
    liar.do_next()
    grant = liar.lease()
    world.chain.devices[liar.address] = DeviceFacts("0x" + "11" * 20, 0, True)
    world.chain.emit("StakeVault", "Convicted", device=liar.address, slashed=1, paid=0, burned=1)
    chain_tick(world.context)
    assert {state: count for state, count in world.job(job)["tasks"].items() if count} == {"open": 10}
    assert liar.submit(grant, liar.work(grant)).json()["code"] == "device_convicted"
    world.clock.advance(16)
    assert build.tick(world.context) is None


def test_claim_goes_one_by_one_when_the_whole_would_revert(world: World) -> None:
    job, devices = posted(world)

    def refuse(call: Any) -> str | None:
        named = {leaf.receipt.device for leaf in unpacked_leaves(call.args[3].job_id, call.args[4].packed)}
        return "EpochLedger_GameOpen()" if devices[0].address in named else None

    world.chain.refused["claim"] = refuse
    finish(world)
    states = {leaf["device"]: leaf["state"] for leaf in leaves(world)}
    assert states == {devices[0].address: "committed", devices[1].address: "claimed"}
    world.chain.refused.clear()
    world.tick()
    assert {leaf["state"] for leaf in leaves(world)} == {"claimed"}
    assert world.job(job)["tasks"]["final"] == 10


def test_claim_that_failed_on_chain_is_made_again(world: World) -> None:
    posted(world)
    world.tick()
    reveal_all(world, 1)
    world.chain.phases[1] = "final"
    chain_tick(world.context)
    settle.tick(world.context)
    assert len(world.chain.queued("claim")) == 1
    settle.tick(world.context)
    assert len(world.chain.queued("claim")) == 1
    world.chain.fail("claim", "out of gas")
    world.tick()
    assert {leaf["state"] for leaf in leaves(world)} == {"claimed"}


def test_claim_of_a_device_with_an_open_game_waits(world: World) -> None:
    _, devices = posted(world)
    world.chain.devices[devices[0].address] = DeviceFacts("0x" + "11" * 20, 1000 * PRICE, False, 1)
    world.chain.emit("StakeVault", "GameOpened", device=devices[0].address, openGames=1)
    finish(world)
    states = {leaf["device"]: leaf["state"] for leaf in leaves(world)}
    assert states == {devices[0].address: "committed", devices[1].address: "claimed"}


def test_leaf_with_a_wrong_verdict_is_redrawn_and_claimed_when_the_redraw_says_right(world: World) -> None:
    posted(world)
    world.tick()
    reveal_all(world, 1, frozenset({0}))
    world.chain.phases[1] = "window"
    world.tick()
    assert [leaf["redraws"] for leaf in leaves(world)] == [0, 0]
    world.chain.phases[1] = "final"
    world.tick()
    assert [leaf["redraws"] for leaf in leaves(world)] == [1, 0]
    assert [leaf["attested"] for leaf in leaves(world)] == [False, True]
    world.tick()
    world.tick()
    assert {leaf["state"] for leaf in leaves(world)} == {"claimed"}


def test_leaf_with_a_wrong_verdict_is_not_redrawn_while_a_game_is_open(world: World) -> None:
    posted(world)
    world.tick()
    reveal_all(world, 1, frozenset({0}))
    device = next(leaf["device"] for leaf in leaves(world) if leaf["leaf"] == 0)
    owner = world.chain.devices[device].owner
    world.chain.devices[device] = DeviceFacts(owner, 1000 * PRICE, False, 1)
    world.chain.emit("StakeVault", "GameOpened", device=device, openGames=1)
    world.chain.phases[1] = "final"
    world.tick()
    assert [leaf["redraws"] for leaf in leaves(world)] == [0, 0]
    world.chain.devices[device] = DeviceFacts(owner, 1000 * PRICE, False, 0)
    world.chain.emit("StakeVault", "GameClosed", device=device, openGames=0)
    world.tick()
    assert [leaf["redraws"] for leaf in leaves(world)] == [1, 0]


def test_leaf_of_a_hung_game_is_voided_not_claimed(world: World) -> None:
    job, _ = posted(world)
    world.chain.voided_leaves[1] = 1
    finish(world)
    assert [leaf["state"] for leaf in leaves(world)] == ["voided", "claimed"]
    assert world.job(job)["tasks"]["open"] > 0


def test_epoch_without_a_seed_is_void_and_its_receipts_are_posted_again(world: World) -> None:
    job, _ = posted(world)
    world.chain.phases[1] = "void"
    world.tick()
    assert world.http.get("/v1/epochs/1").json()["state"] == "void"
    world.tick()
    again = world.http.get("/v1/epochs/2").json()
    assert [leaf["receiptDigest"] for leaf in again["leaves"]] == [leaf["receiptDigest"] for leaf in leaves(world)]
    assert world.job(job)["tasks"]["committed"] == 10


def test_unclaimed_leaf_is_returned_and_worked_again(world: World) -> None:
    job, _ = posted(world)
    world.chain.refused["claim"] = "EpochLedger_Whatever()"
    finish(world)
    world.chain.refused["redraw"] = "no"
    world.clock.advance(301)
    world.chain.epoch = lambda _: EpochFacts("final", 0)
    world.tick()
    assert {leaf["state"] for leaf in leaves(world)} == {"returned"}
    assert world.job(job)["tasks"]["open"] == 10


def test_lost_void_gives_the_spans_back_unless_a_later_lease_has_them(world: World) -> None:
    job, _ = posted(world)
    world.chain.voided_leaves[1] = 1
    finish(world)
    call = next(c for c in world.chain.calls.values() if c.purpose == "void_leaf")
    leaf = call.args[0]
    gone = world.chain._leaf_event("LeafVoided", 1, leaf.receipt, debit=leaf.debit)
    world.chain.fresh.clear()
    world.chain.reorg(gone)
    chain_tick(world.context)
    assert leaves(world)[0]["state"] == "committed"
    assert world.job(job)["tasks"]["open"] == 0


def test_head_survives_its_storage(world: World) -> None:
    from market.settlement.trees import head_from_json, head_to_json

    posted(world)
    head: Head = world.chain.heads[1]
    assert head_from_json(head_to_json(head)).hash == head.hash


def test_draw_marks_results_and_takes_the_stake_at_the_posting(world: World) -> None:
    job, _ = posted(world)
    world.tick()
    with world.context.sessions() as session:
        rows = list(session.scalars(select(EpochLeaf)))
    assert {row.stake for row in rows} == {1000 * PRICE}
    shown = world.http.get(f"/v1/jobs/{job}/results").json()["results"]
    assert {row["state"] for row in shown} <= {"drawn", "undrawn"}
    assert sum(row["drawn"] for row in shown) == sum(row.drawn or 0 for row in rows)


def test_draw_of_a_seed_lost_in_a_reorg_is_made_anew_from_the_next_one(world: World) -> None:
    posted(world)
    world.tick()

    def seats() -> list[Any]:
        with world.context.sessions() as session:
            return list(session.scalars(select(EpochLeaf.seats).order_by(EpochLeaf.leaf_number)))

    before = seats()
    gone = world.chain._drawSeed(1)
    world.chain.fresh.clear()
    world.chain.reorg(*gone)
    chain_tick(world.context)
    assert seats() == [None] * len(before)
    world.chain._drawSeed(1)
    world.tick()
    assert all(before)
    assert seats() == before


def test_epoch_of_a_tampered_receipt_is_never_posted(world: World) -> None:
    device = world.device("one")
    world.open_job(world.bid(tasks=2))
    device.do_next()
    with world.context.transaction() as session:
        session.execute(update(Receipt).values(amount=Receipt.amount + 1))
    with pytest.raises(EpochDataInvalid):
        build.tick(world.context)
    assert not world.chain.queued("post_epoch")
