"""Quotes: the arithmetic over offers, and what is refused."""

from typing import Any

import pytest

from market.matching.policy import JobStanding, reserve_of
from market.quotes.book import Ask, expected, seconds_of, sensible
from market.quotes.service import cap_of
from market.settlement.gateway import DeviceFacts
from programs.catalogue import CATALOGUE
from protocol.encoding import to_hex
from protocol.manifest import Manifest
from protocol.money import PPM
from tests.market.world import GWU, PRICE, World

ENTRY = CATALOGUE["digits"]


@pytest.fixture
def quoted(world: World) -> dict[str, Any]:
    """The body of a quote for a registered `digits` over 20 small inputs."""
    program = ENTRY.build()
    limits = {"wu": ENTRY.limits.wu, "memoryPages": ENTRY.limits.memory_pages, "frameBytes": ENTRY.limits.frame_bytes}
    body = {"originalHash": world.put_blob(ENTRY.module.read_bytes()), "limits": limits, "name": "digits"}
    assert world.http.post("/v1/programs", json=body).status_code == 202
    world.tick()
    from programs.digits import dataset

    manifest = world.put_blob(Manifest.of(list(dataset.images())[:20]).blob)
    return {"programId": to_hex(program.program_id), "manifest": manifest}


def ask_for(world: World, body: dict[str, Any]) -> Any:
    return world.http.post("/v1/quotes", json=body)


def test_quote_without_devices_has_no_price(world: World, quoted: dict[str, Any]) -> None:
    response = ask_for(world, quoted)
    assert (response.status_code, response.json()["code"], response.json()["live"]) == (409, "no_capacity", 0)


def test_quote_counts_only_devices_that_may_do_this_work(world: World, quoted: dict[str, Any]) -> None:
    world.device("poor", stake=PRICE)
    world.device("busy").offer(programs=["0x" + "11" * 32])
    world.device("tab").offer(attestedOnly=True)
    caught = world.device("caught")
    world.chain.devices[caught.address] = DeviceFacts("0x" + "11" * 20, 1000 * PRICE, True)
    caught.open_session()
    assert ask_for(world, quoted | {"minStake": str(2 * PRICE)}).json()["code"] == "no_capacity"
    found = ask_for(world, quoted).json()
    assert found["capacity"]["devices"] == 1


def test_quote_is_a_cap_over_live_asks(world: World, quoted: dict[str, Any]) -> None:
    for name, price in (("one", PRICE), ("two", 3 * PRICE), ("absurd", 10**38)):
        world.device(name, price=price)
    found = ask_for(world, quoted | {"rateFloorPpm": 100_000}).json()
    assert found["priceRange"] == {"low": str(PRICE), "high": str(3 * PRICE)}
    assert found["priceWeiPerGWU"] == str(3 * PRICE)
    wu = {name: int(value) for name, value in found["wuPerTask"].items()}
    assert 0 < wu["min"] <= wu["mean"] <= wu["max"] <= int(found["taskLimitWU"]) <= ENTRY.limits.wu
    pay = int(found["expectedCost"]) - int(found["fees"]) - int(found["verification"]["surcharge"])
    assert 20 * wu["mean"] * PRICE <= pay * GWU <= 20 * wu["mean"] * 3 * PRICE
    assert int(found["expectedCost"]) < int(found["cap"])
    assert found["verification"]["replayedPpm"] >= 100_000
    assert found["expectedSeconds"] < found["attestedSeconds"] < found["finalSeconds"]
    assert (found["sampled"], found["tasks"], found["capacity"]["devices"]) == (8, 20, 2)
    assert len(found["drivers"]) >= 4


def test_job_bid_as_quoted_can_lease_all_its_spans_at_once(world: World, quoted: dict[str, Any]) -> None:
    world.device("one")
    found = ask_for(world, quoted).json()
    spans = -(-found["tasks"] // found["spanTasks"])
    standing = JobStanding(
        job_id="", open=True, spans=spans, open_spans=spans, held=0, min_stake=0, deadline=0,
        budget=int(found["cap"]), reserved=0, span_tasks=found["spanTasks"], task_limit_wu=int(found["taskLimitWU"]),
        fee_ppm=found["feePpm"], rate_floor_ppm=10_000,
    )  # fmt: skip
    price = int(found["priceWeiPerGWU"])
    assert sum(reserve_of(standing, 1, price) for _ in range(spans)) <= standing.budget


@pytest.mark.parametrize(("tasks", "span_tasks"), [(1, 1), (10, 3), (257, 256), (1797, 7)])
def test_cap_covers_the_reserves_of_all_spans(tasks: int, span_tasks: int) -> None:
    cap = cap_of(tasks, span_tasks, 12_345_678, 987_654_321, 10_001, 33_333)
    spans = -(-tasks // span_tasks)
    job = JobStanding("", True, spans, spans, 0, 0, 0, cap, 0, span_tasks, 12_345_678, 10_001, 33_333)
    assert sum(reserve_of(job, 1, 987_654_321) for _ in range(spans)) <= cap


def test_quote_of_an_unknown_or_unregistered_program_is_refused(world: World, quoted: dict[str, Any]) -> None:
    unknown = ask_for(world, quoted | {"programId": "0x" + "00" * 32})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "program_unknown")
    from market.programs.models import Program

    with world.context.transaction() as session:
        session.get_one(Program, quoted["programId"]).state = "registering"
    assert ask_for(world, quoted).json()["code"] == "program_refused"


def test_quote_without_its_manifest_names_the_blob(world: World, quoted: dict[str, Any]) -> None:
    world.device("one")
    missing = "0x" + "11" * 32
    body = ask_for(world, quoted | {"manifest": missing}).json()
    assert (body["code"], body["blob"]) == ("manifest_missing", missing)


def test_sensible_drops_outliers_and_fills_in_unknown_speeds() -> None:
    rows = [(5, None, 0), (6, 2.0, 1), (7, 4.0, 2), (10**30, 1.0, 3)]
    assert sensible(rows) == [Ask(5, 2.0, 0), Ask(6, 2.0, 1), Ask(7, 4.0, 2)]
    assert sensible([]) == []
    assert sensible([(0, None, 0)]) == [Ask(0, 1.0, 0)]


def test_expected_cost_weighs_asks_by_speed_and_stake() -> None:
    slow, fast = Ask(100 * GWU, 3.0, 10**30), Ask(400 * GWU, 1.0, 10**30)
    cost = expected([slow, fast], 10, GWU, 10_000)
    assert cost.amount == round(0.25 * 1000 * GWU + 0.75 * 4000 * GWU)
    assert (cost.deduction, cost.replayed_ppm) == (round(cost.amount / 2 / PPM), 10_000)
    stakeless = expected([fast._replace(stake=0)], 10, GWU, 10_000)
    assert (stakeless.deduction, stakeless.surcharge, stakeless.replayed_ppm) == (stakeless.amount // 2, 0, PPM)


def test_seconds_are_those_of_as_many_devices_as_there_are_spans() -> None:
    asks = [Ask(1, 1.0, 0), Ask(1, 1.0, 0), Ask(1, 2.0, 0)]
    assert seconds_of(asks, 100, GWU, 1) == pytest.approx(40)
    assert seconds_of(asks, 2, GWU, 1) == pytest.approx(1)
    assert seconds_of(asks, 2, GWU, 2) == pytest.approx(2)
