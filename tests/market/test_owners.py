"""An owner's devices and their pay: other people's stay out, every state is told, pages join without a gap."""

from typing import Any

import pytest
from sqlalchemy import update

from market.leases.models import Receipt, ReceiptState
from market.leases.service import expire_leases
from market.offers.service import live_seconds
from market.sessions.models import Device as DeviceRow
from market.settlement.gateway import DeviceFacts
from protocol.signing import address_of
from tests.market.test_settlement import finish
from tests.market.world import GWU, PRICE, Device, World, key_of

OWNER = address_of(key_of("owner of them all"))
STRANGER = "0x" + "ab" * 20


def owned(world: World, name: str, stake: int = 1000 * PRICE) -> Device:
    device = Device(world, name)
    world.chain.devices[device.address] = DeviceFacts(OWNER, stake)
    device.open_session()
    return device


def devices(world: World, query: str = "", owner: str = OWNER) -> dict[str, Any]:
    response = world.http.get(f"/v1/owners/{owner}/devices{query}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def earnings(world: World, query: str = "", owner: str = OWNER) -> dict[str, Any]:
    response = world.http.get(f"/v1/owners/{owner}/earnings{query}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_owner_with_a_wrong_query_is_a_problem(world: World) -> None:
    for query in ("limit=0", "limit=101", "cursor=x", "cursor=-1", f"cursor={2**63}", "cursor=%00", "cursor=0x12"):
        for what in ("devices", "earnings"):
            response = world.http.get(f"/v1/owners/{OWNER}/{what}?{query}")
            assert (response.status_code, response.json()["code"]) == (422, "request_invalid"), (what, query)


def test_owner_that_is_no_address_is_a_problem(world: World) -> None:
    for address in ("0x12", "0x" + "zz" * 20, "0x" + "ab" * 21, "%00", "0x" + "ab" * 19 + "%0a"):
        for what in ("devices", "earnings"):
            response = world.http.get(f"/v1/owners/{address}/{what}")
            assert response.status_code in (404, 422), address
            assert response.headers["content-type"] == "application/problem+json"


def test_owner_is_found_in_any_case_of_its_letters(world: World) -> None:
    owned(world, "one")
    assert devices(world, owner=OWNER.lower()) == devices(world)


def test_owner_that_nobody_knows_has_nothing(world: World) -> None:
    world.device("one")
    assert devices(world, owner=STRANGER)["devices"] == []
    found = earnings(world, owner=STRANGER)
    assert (found["acceptedWei"], found["postedWei"], found["finalWei"], found["leaves"]) == ("0", "0", "0", [])


def test_devices_health_follows_what_each_does(world: World) -> None:
    world.open_job(world.bid(tasks=20))
    silent, waiting, working = owned(world, "a"), owned(world, "b", stake=0), owned(world, "c")
    world.device("somebody else's")
    for device in (waiting, working):
        device.offer()
        device.poll()
    world.tick()
    grant = working.lease()
    found = {one["address"]: one for one in devices(world)["devices"]}
    assert list(found) == sorted(found)
    assert {name: one["health"] for name, one in found.items()} == {
        silent.address: "silent",
        waiting.address: "waiting",
        working.address: "working",
    }
    assert (found[silent.address]["seenAt"], found[silent.address]["askedWeiPerGWU"]) == (None, None)
    held = found[working.address]["inHand"]
    assert (held["jobId"], held["leaseId"]) == (grant["lease"]["jobId"], grant["lease"]["leaseId"])
    assert (held["program"], held["tasks"]) == ("test", 2 * len(grant["lease"]["spans"]))
    world.clock.advance(live_seconds(world.context) + 1)
    expire_leases(world.context)
    after = {one["address"]: one for one in devices(world)["devices"]}
    assert {one["health"] for one in after.values()} == {"silent"}
    assert (after[working.address]["leasesExpired"], after[working.address]["inHand"]) == (1, None)
    assert after[working.address]["seenAt"] == found[working.address]["seenAt"]


def test_devices_lease_past_its_time_is_not_in_hand_before_the_tick_ends_it(world: World) -> None:
    world.open_job()
    device = owned(world, "one")
    device.offer()
    device.poll()
    world.tick()
    device.lease()
    world.clock.advance(world.context.clock("lease") + 1)
    (found,) = devices(world)["devices"]
    assert found["inHand"] is None


def test_devices_count_work_and_what_was_lost_of_it(world: World) -> None:
    world.open_job(world.bid(tasks=20))
    device = owned(world, "one", stake=3 * PRICE)
    device.offer()
    device.poll()
    world.tick()
    device.do_next()
    (found,) = devices(world)["devices"]
    assert (found["tasksDone"], found["wuDone"], found["tasksLost"]) == (2, str(2 * GWU), 0)
    assert (found["averageTaskWei"], found["targetStakeWei"]) == (str(PRICE), str(300 * PRICE))
    assert (found["unfinalWei"], found["acceptedWei"]) == (str(2 * PRICE), str(2 * PRICE))
    with world.context.transaction() as session:
        session.execute(update(Receipt).values(state=ReceiptState.VOIDED))
    (found,) = devices(world)["devices"]
    assert (found["tasksDone"], found["tasksLost"], found["unfinalWei"]) == (0, 2, "0")


def test_devices_say_why_one_gets_no_lease(world: World) -> None:
    for name, change in (("a", {"convicted": True}), ("b", {"open_games": 1}), ("c", {})):
        row = owned(world, name)
        with world.context.transaction() as session:
            session.execute(
                update(DeviceRow).where(DeviceRow.address == row.address).values(**{"open_games": 0, **change})
            )
    told = {one["refusal"]: one["health"] for one in devices(world)["devices"]}
    assert told == {"device_convicted": "convicted", "device_accused": "silent", None: "silent"}


def test_devices_pages_join(world: World) -> None:
    names = sorted(owned(world, f"device {number}").address for number in range(5))
    seen, cursor = [], ""
    while cursor is not None:
        page = devices(world, f"?limit=2{cursor and '&cursor=' + cursor}")
        seen += [one["address"] for one in page["devices"]]
        cursor = page["next"]
    assert seen == names


def test_earnings_move_from_accepted_to_claimed(world: World) -> None:
    world.open_job(world.bid(tasks=4))
    device = owned(world, "one")
    device.offer()
    device.poll()
    world.tick()
    device.do_all()
    found = earnings(world)
    amount = str(sum(r.wu for at in device.results.values() for r in at.values()) * PRICE // GWU)
    assert (found["acceptedWei"], found["postedWei"], found["leaves"]) == (amount, "0", [])
    world.clock.advance(world.context.clock("epoch_interval"))
    world.tick()
    world.tick()
    found = earnings(world)
    assert (found["acceptedWei"], found["postedWei"]) == ("0", amount)
    (leaf,) = found["leaves"]
    assert (leaf["state"], leaf["epoch"], leaf["device"], leaf["paidWei"]) == ("committed", 1, device.address, None)
    assert leaf["postTx"] is not None
    assert leaf["endTx"] is None
    finish(world)
    (leaf,) = earnings(world)["leaves"]
    assert leaf["state"] == "claimed"
    parts = [int(leaf[name]) for name in ("deductionWei", "bondedWei", "paidWei")]
    assert sum(parts) == int(leaf["amountWei"])
    assert leaf["endTx"] is not None


def test_earnings_of_a_void_epoch_are_accepted_again_and_counted_once(world: World) -> None:
    device = _posted(world)
    world.chain.phases[1] = "void"
    world.tick()
    found = earnings(world)
    total = sum(int(found[name]) for name in ("acceptedWei", "postedWei", "finalWei"))
    assert total == sum(r.wu for at in device.results.values() for r in at.values()) * PRICE // GWU
    assert [leaf["epochState"] for leaf in found["leaves"]][-1] == "void"


@pytest.mark.slow
def test_earnings_pages_join_over_devices_and_epochs(world: World) -> None:
    world.open_job(world.bid(tasks=24))
    made = [owned(world, f"device {number}") for number in range(3)]
    for device in made:
        device.offer()
        device.poll()
    for _ in range(2):
        world.tick()
        for device in made:
            device.do_next()
        world.clock.advance(world.context.clock("epoch_interval"))
        world.tick()
        world.tick()
    whole = [(leaf["epoch"], leaf["device"]) for leaf in earnings(world)["leaves"]]
    assert len(set(whole)) == 6
    assert [epoch for epoch, _ in whole] == sorted((epoch for epoch, _ in whole), reverse=True)
    seen: list[tuple[int, str]] = []
    cursor: object = ""
    while cursor is not None:
        page = earnings(world, f"?limit=4{cursor and f'&cursor={cursor}'}")
        seen += [(leaf["epoch"], leaf["device"]) for leaf in page["leaves"]]
        cursor = page["next"]
    assert seen == whole


def _posted(world: World) -> Device:
    world.open_job(world.bid(tasks=4))
    device = owned(world, "one")
    device.offer()
    device.poll()
    world.tick()
    device.do_all()
    world.clock.advance(world.context.clock("epoch_interval"))
    world.tick()
    world.tick()
    return device
