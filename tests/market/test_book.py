"""The public order book and totals: aggregates by price, of who may work and of what is free."""

import threading

import pytest

from market.offers.book import Offered, Wanted, ask_levels, bid_levels
from market.recent import Recent
from market.sessions.models import Device
from protocol.money import amount_of
from tests.market.world import LIMIT_WU, PRICE, TASK_WU, World

# --- pure


def test_ask_levels_of_equal_prices_are_one_and_the_cheapest_is_first() -> None:
    levels = ask_levels([Offered(5, 2.0), Offered(3, None), Offered(5, None)])
    assert levels == [(3, 1, 0.0, 1), (5, 2, 5e8, 1)]


def test_bid_levels_add_up_and_the_best_is_first() -> None:
    assert bid_levels([Wanted(3, 10, 100), Wanted(7, 1, 5), Wanted(3, 2, 20)]) == [(7, 1, 1, 5), (3, 2, 12, 120)]


def test_levels_of_nothing_are_none() -> None:
    assert (ask_levels([]), bid_levels([])) == ([], [])


def test_recent_answer_is_made_once_until_it_is_old() -> None:
    now, made = [100.0], []
    recent = Recent()

    def ask() -> int:
        return recent.get("x", lambda: now[0], 2.0, lambda: made.append(1) or len(made))

    assert (ask(), ask()) == (1, 1)
    now[0] = 102.0
    assert ask() == 2


def test_recent_failure_is_not_kept() -> None:
    recent = Recent()
    with pytest.raises(ZeroDivisionError):
        recent.get("x", lambda: 0.0, 2.0, lambda: 1 // 0)
    assert recent.get("x", lambda: 0.0, 2.0, lambda: 7) == 7


def test_recent_answer_asked_by_many_at_once_is_made_once() -> None:
    recent, made, gate = Recent(), [], threading.Event()

    def make() -> int:
        gate.wait(5)
        made.append(1)
        return 1

    threads = [threading.Thread(target=recent.get, args=("x", lambda: 0.0, 2.0, make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(5)
    assert made == [1]


# --- through the API


@pytest.mark.parametrize("change", [{"convicted": True}, {"open_games": 1}, {"owner": None}])
def test_book_leaves_out_devices_that_may_not_work(world: World, change: dict[str, object]) -> None:
    world.device("ann")
    with world.context.transaction() as session:
        row = session.get_one(Device, world.device("bob", price=PRICE + 1).address)
        for name, value in change.items():
            setattr(row, name, value)
    asks = world.http.get("/v1/book").json()["asks"]
    assert [(level["priceWeiPerGWU"], level["devices"]) for level in asks] == [(str(PRICE), 1)]


def test_book_of_a_leased_job_shows_what_is_free_and_what_is_paid(world: World) -> None:
    device = world.device("ann")
    world.open_job(world.bid(tasks=9, span_tasks=2))
    before = world.http.get("/v1/book").json()
    grant = device.lease()
    world.clock.advance(2)
    after = world.http.get("/v1/book").json()
    price = str(2 * PRICE)
    assert before["bids"] == [{"priceWeiPerGWU": price, "jobs": 1, "tasks": 9, "mostWU": str(9 * LIMIT_WU)}]
    assert (before["paid"], after["bids"][0]["tasks"]) == (None, 8)
    assert after["paid"] == {"low": str(PRICE), "mean": str(PRICE), "high": str(PRICE), "leases": 1}, grant


def test_book_is_made_once_in_two_seconds(world: World) -> None:
    world.device("ann")
    before = world.http.get("/v1/book").json()
    world.device("bob")
    assert world.http.get("/v1/book").json() == before
    world.clock.advance(2)
    assert world.http.get("/v1/book").json()["asks"][0]["devices"] == 2


def test_stats_count_tasks_by_where_they_stand(world: World) -> None:
    device = world.device("ann")
    world.open_job()
    grant = device.do_next()
    work = {line["state"]: line for line in world.http.get("/v1/stats").json()["work"]}
    tasks = 2 * len(grant["lease"]["spans"])
    pay = str(amount_of(tasks * TASK_WU, PRICE))
    assert work["accepted"] == {"state": "accepted", "tasks": tasks, "wu": str(tasks * TASK_WU), "amount": pay}
    assert work["final"]["tasks"] == 0
