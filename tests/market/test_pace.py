"""What a lease costs the market: statements, and who is woken by what."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text

from market.leases import service
from market.leases.standing import OPEN_OF_JOB
from market.wake import LEASES, job_topic
from protocol.money import amount_of
from tests.market.world import LIMIT_WU, PRICE, Device, World

pytestmark = pytest.mark.slow

STATEMENTS = 9
"""Of one request that hands in a lease and brings the next: one outside, three to accept, five to lease."""
NEVER = 60.0


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """The statements that the market sends meanwhile."""
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(world.context.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(world.context.engine, "before_cursor_execute", note)


class HeardWaker:
    """Remembers which topics were woken, and wakes them."""

    def __init__(self, world: World) -> None:
        self._waker, self.topics = world.context.waker, list[str]()
        world.context.waker = self  # type: ignore[assignment]

    def wake(self, *topics: str) -> None:
        self.topics += topics
        self._waker.wake(*topics)


def hand_in(device: Device, grant: dict[str, Any]) -> Any:
    body = device.work(grant) | {"next": True}
    return device.submit(grant, body)


def test_results_and_next_lease_in_steady_state_are_few_statements(world: World) -> None:
    device = world.device("one")
    world.open_job(world.bid(tasks=80, span_tasks=2, budget=10**6 * PRICE))
    grant = device.lease()
    for _ in range(3):
        grant = hand_in(device, grant).json()["next"]
    body = device.work(grant) | {"next": True}
    with counted(world) as sent:
        answer = device.submit(grant, body)
    assert answer.json()["next"] is not None
    assert len(sent) == STATEMENTS, "\n".join(sent)


def test_open_spans_are_counted_along_their_own_index(world: World) -> None:
    job = world.open_job()
    counting = text(f"explain select count(*) from spans where {OPEN_OF_JOB}")
    with world.context.transaction() as session:
        session.execute(text("set local enable_seqscan = off"))  # so few rows are read quickest without any index
        session.execute(text("set local plan_cache_mode = force_generic_plan"))
        assert "ix_spans_open" in "\n".join(session.execute(counting, {"job": job}).scalars())


def test_acceptance_wakes_those_who_follow_the_job_and_nobody_else(world: World) -> None:
    device = world.device("one")
    job = world.open_job(world.bid(tasks=80, span_tasks=2, budget=10**6 * PRICE))
    grant = device.lease()
    heard = HeardWaker(world)
    assert hand_in(device, grant).json()["next"] is not None
    assert set(heard.topics) == {job_topic(job)}


def test_lease_given_back_wakes_those_who_wait_for_one(world: World) -> None:
    device = world.device("one")
    world.open_job()
    grant = device.lease()
    heard = HeardWaker(world)
    world.http.post(device.path(grant, "release"), headers=device.headers)
    assert LEASES in heard.topics


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices for whom the database was asked; a waiting poll asks only when it is woken."""
    world.context.settings = world.context.settings.model_copy(update={"poll_step_seconds": NEVER})
    found, ask = list[str](), service.next_lease

    def noted(context: Any, device: str) -> Any:
        found.append(device)
        return ask(context, device)

    monkeypatch.setattr(service, "next_lease", noted)
    return found


@contextmanager
def waiting(device: Device, asked: list[str], wait_s: float) -> Iterator[list[int]]:
    """A poll under way that has looked once in vain; the statuses of its answers at the end."""
    answers: list[int] = []
    before, url = asked.count(device.address), f"/v1/leases/next?wait={wait_s}"
    poll = threading.Thread(
        target=lambda: answers.append(device.world.http.post(url, headers=device.headers).status_code)
    )
    poll.start()
    while device.world.context.places.taken("wait") == 0 or asked.count(device.address) == before:
        poll.join(0.01)
    yield answers
    poll.join()


def test_poller_without_a_job_sleeps_through_acceptances(world: World, asked: list[str]) -> None:
    busy, idle = world.device("busy"), world.device("idle", price=9 * PRICE)  # dearer than the bid
    world.open_job(world.bid(tasks=80, span_tasks=2, budget=10**6 * PRICE))
    grant = busy.lease()
    with waiting(idle, asked, 1.5) as answers:
        looks = asked.count(idle.address)
        for _ in range(3):
            grant = hand_in(busy, grant).json()["next"]
    assert answers == [204]
    assert asked.count(idle.address) == looks


def test_poller_kept_waiting_by_the_budget_is_woken_by_an_acceptance(world: World, asked: list[str]) -> None:
    first, second = world.device("first"), world.device("second")
    one_lease = amount_of(2 * LIMIT_WU, PRICE)  # at the limit; what it really costs is the half
    world.open_job(world.bid(tasks=4, span_tasks=2, budget=one_lease * 16 // 10))
    grant = first.lease()
    with waiting(second, asked, 20.0) as answers:
        assert first.submit(grant, first.work(grant)).status_code == 200
    assert answers == [200]
