"""`map`: any iterable, endless ones too, in bounded pieces and no further ahead than the window allows."""

import asyncio
import itertools
import logging
import time

import anyio
import pytest

from multitude import AsyncClient, CapExceeded, JobFailed, NoCapacity, TaskTrapped
from multitude.buyer.mapping import chunks_of
from tests.multitude.conftest import KEY
from tests.multitude.fake_market import PROGRAM, doubled

pytestmark = pytest.mark.slow


def number(data):
    return int.from_bytes(data, "big")


def four_bytes(value):
    return value.to_bytes(4, "big")


@pytest.fixture
def triple(client, market):
    """A program over numbers."""
    market.program = lambda data: four_bytes(3 * number(data))
    return client.program(PROGRAM, encode=four_bytes, decode=number)


def test_map_failure_of_a_job_ends_the_map(client, market):
    made = itertools.count()

    def second_fails(job):
        job.close("refused", "no") if next(made) == 1 else job.move(0, len(job.inputs), "final")

    market.on_job = second_fails
    with pytest.raises(JobFailed, match="no"):
        list(client.map(PROGRAM, [b"x"] * 20, job_tasks=4, window=1))


def test_map_failure_of_the_quote_ends_the_map(client, market):
    market.answers["POST", "/v1/quotes"] = (409, {"code": "no_capacity", "live": 0})
    with pytest.raises(NoCapacity):
        list(client.map(PROGRAM, [b"x"]))


def test_map_failure_of_the_iterable_is_raised(client):
    def broken():
        yield b"x"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(client.map(PROGRAM, broken()))


def test_map_input_without_an_output_is_told(client, market):
    def trapping(job):
        job.traps.add(1)
        job.move(0, len(job.inputs), "final")

    market.on_job = trapping
    with pytest.raises(TaskTrapped) as caught:
        list(client.map(PROGRAM, [b"a", b"b"]))
    assert (caught.value.task, caught.value.status) == (1, 1)


def test_map_cap_bounds_all_jobs_together(client, market):
    first = client.quote(PROGRAM, [b"x"] * 4).cap
    with pytest.raises(CapExceeded):
        list(client.map(PROGRAM, [b"x"] * 40, job_tasks=4, cap=3 * first, state="accepted"))
    assert len(market.jobs) == 3


def test_map_cap_counts_what_a_finished_job_has_spent_and_not_its_budget(client, market):
    first = client.quote(PROGRAM, [b"x"] * 4).cap
    found = list(client.map(PROGRAM, [b"x"] * 40, job_tasks=4, window=1, cap=first + 2_000))
    assert len(found) == 40


@pytest.mark.parametrize("options", [{"window": 0}, {"job_tasks": 0}, {"linger_s": -1}])
def test_map_impossible_bounds_are_a_value_error(client, options):
    with pytest.raises(ValueError, match="at least"):
        client.map(PROGRAM, [b"x"], **options)


def test_map_nothing_is_nothing(client, market):
    assert list(client.map(PROGRAM, [])) == []
    assert not market.jobs


def test_map_is_in_order_whatever_finishes_first(triple, market):
    slow = []

    def backwards(job):
        slow.append(job)
        if len(slow) == 3:
            for held in reversed(slow):
                held.move(0, len(held.inputs), "final")

    market.on_job = backwards
    assert list(triple.map(range(12), job_tasks=4, window=3)) == [3 * n for n in range(12)]


def test_map_unordered_gives_what_is_there_first(triple, market):
    held = []

    def second_first(job):
        if held:
            job.move(0, len(job.inputs), "final")
        held.append(job)

    market.on_job = second_first
    source = triple.map(range(8), job_tasks=4, window=2, ordered=False)
    first = [next(source) for _ in range(4)]
    assert sorted(first) == [(n, 3 * n) for n in range(4, 8)]
    held[0].move(0, 4, "final")
    assert sorted(source) == [(n, 3 * n) for n in range(4)]


def test_map_endless_iterable_is_read_no_further_than_the_window(triple, market):
    read = []

    def endless():
        for n in itertools.count():
            read.append(n)
            yield n

    source = triple.map(endless(), job_tasks=4, window=2)
    assert list(itertools.islice(source, 40)) == [3 * n for n in range(40)]
    assert len(read) <= 40 + (2 + 1) * 4
    source.close()
    assert len(market.jobs) <= 13


def test_map_slow_iterable_does_not_wait_for_a_full_job(triple):
    def slow():
        yield 1
        yield 2
        time.sleep(0.3)
        yield 3

    assert list(triple.map(slow(), job_tasks=100, linger_s=0.02)) == [3, 6, 9]


def test_map_closed_early_cancels_what_runs(market, caplog):
    """With a chain: the fake node takes no transaction, so the cancellation is tried and its failure told."""
    market.on_job = lambda job: job.move(0, 1, "accepted")

    async def use():
        async with AsyncClient(market.url, KEY, market.url + "/rpc") as client:
            source = client.map(PROGRAM, [b"x"] * 8, job_tasks=4, state="accepted")
            await anext(source)
            for job in market.jobs.values():
                job.close("closed")
            await source.aclose()

    with caplog.at_level(logging.WARNING, "multitude.map"):
        anyio.run(use)
    assert "was not cancelled" in caplog.text


def test_map_asynchronous_iterables_and_clients(market):
    async def inputs():
        for n in range(6):
            yield b"%d" % n
            await asyncio.sleep(0)

    async def use():
        async with AsyncClient(market.url, KEY) as client:
            program = client.program(PROGRAM)
            assert await program(b"one") == b"oneone"
            return [output async for output in program.map(inputs(), job_tasks=4)]

    assert anyio.run(use) == [doubled(b"%d" % n) for n in range(6)]


def test_program_is_a_function_over_values(triple):
    assert triple(14) == 42


def test_chunks_are_bounded_and_complete():
    async def sizes(count, size):
        return [chunk async for chunk in chunks_of(iter(range(count)), size, 1.0)]

    for count, size in ((0, 3), (1, 3), (3, 3), (7, 3), (9, 3)):
        found = anyio.run(sizes, count, size)
        assert [n for chunk in found for n in chunk] == list(range(count))
        assert all(len(chunk) == size for chunk in found[:-1])
