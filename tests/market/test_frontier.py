"""The frontier of a tree of results against the tree itself, and that a lease costs what it brings."""

from random import Random
from typing import Any

import pytest

from market.leases import receipts
from protocol.errors import TreeInvalid
from protocol.frontier import Frontier
from protocol.merkle import Node, ResultTree, TaskResult
from tests.market.world import PRICE, World


def results(count: int) -> list[TaskResult]:
    return [TaskResult.of_output(task, b"out %d" % task, 1 + task * task) for task in range(count)]


def test_frontier_without_results_has_no_top() -> None:
    with pytest.raises(TreeInvalid):
        Frontier().top  # noqa: B018


def test_frontier_has_the_root_and_the_sums_of_the_tree_at_every_count() -> None:
    all_results = results(70)
    frontier = Frontier()
    for count, result in enumerate(all_results, 1):
        frontier.add([result.leaf])
        tree = ResultTree(all_results[:count])
        assert (frontier.count, frontier.top) == (count, tree.top)


def test_frontier_grown_in_leases_and_kept_in_sql_has_the_root_of_the_tree() -> None:
    random, all_results, frontier, count = Random(7), results(1_000), Frontier(), 0
    while count < len(all_results):
        size = random.randint(1, 130)
        frontier = Frontier.from_json(frontier.to_json())
        frontier.add(result.leaf for result in all_results[count : count + size])
        count = min(count + size, len(all_results))
        assert frontier.top == ResultTree(all_results[:count]).top
    assert len(frontier.peaks) <= 10


def test_frontier_whose_sum_leaves_uint128_is_refused() -> None:
    frontier = Frontier()
    with pytest.raises(TreeInvalid):
        frontier.add([Node(bytes(32), (1, 2**127))] * 2)


def test_results_that_come_last_are_added_without_reading_the_others(world: World, monkeypatch: Any) -> None:
    device = world.device("one")
    world.open_job(world.bid(tasks=40, span_tasks=2))
    device.do_next()
    monkeypatch.setattr(receipts, "_results_of", lambda *_: pytest.fail("read all results again"))
    assert device.do_all() >= 3


def test_results_between_others_are_put_in_their_place(world: World) -> None:
    """A span that another device gave back lies below what this one has done."""
    world.chain.minimum_stake = 0
    first, second = world.device("one"), world.device("two", stake=1000 * PRICE)
    world.open_job(world.bid(tasks=12, span_tasks=1))
    given_back = second.lease()
    first.do_next()
    first.do_next()
    world.http.post(second.path(given_back, "release"), headers=second.headers)
    spans = [span for _ in range(3) if first.poll().status_code == 200 for span in first.do_next()["lease"]["spans"]]
    assert set(given_back["lease"]["spans"]) <= set(spans)
    world.clock.advance(16)
    world.tick()
    assert world.http.get("/v1/epochs/1").json()["leaves"][0]["device"] == first.address


def test_receipt_over_other_results_than_these_is_refused(world: World) -> None:
    device = world.device("one")
    world.open_job(world.bid(tasks=40, span_tasks=2))
    device.do_next()
    grant = device.lease()
    job = grant["lease"]["jobId"]
    known = device.results[job, 0]
    known[0] = TaskResult.of_output(0, b"another", known[0].wu)
    response = device.submit(grant, device.work(grant))
    assert (response.status_code, response.json()["code"]) == (422, "receipt_invalid")
    assert "resultsRoot" in response.json()["reason"]
