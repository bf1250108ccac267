"""Programs behind concurrent.futures and joblib: bytes go to devices, Python functions are refused."""

import itertools
import threading
from concurrent.futures import CancelledError, as_completed

import pytest
from joblib import Parallel, delayed, parallel_config

from multitude import ApiRefused, FunctionRefused, JobFailed, TaskTrapped
from multitude.adapters import joblib  # noqa: F401 - registers the backend
from multitude.adapters.futures import MultitudeExecutor
from tests.multitude.fake_market import PROGRAM, doubled
from tests.multitude.test_map import four_bytes, number

pytestmark = pytest.mark.slow


@pytest.fixture
def triple(client, market):
    """A program over numbers."""
    market.program = lambda data: four_bytes(3 * number(data))
    return client.program(PROGRAM, encode=four_bytes, decode=number)


def a_function(value):
    return value


def test_submit_python_function_is_refused(client, triple):
    with MultitudeExecutor(client, triple) as executor:
        with pytest.raises(FunctionRefused, match="a_function"):
            executor.submit(a_function, 1)
        with pytest.raises(FunctionRefused, match="exactly one"):
            executor.submit(triple, 1, 2)
        with pytest.raises(FunctionRefused):
            executor.submit(triple, 1, key=2)


def test_submit_after_shutdown_is_refused(client, triple):
    executor = MultitudeExecutor(client, triple)
    executor.shutdown()
    with pytest.raises(RuntimeError):
        executor.submit(1)


def test_submit_failure_of_the_job_is_every_futures(client, market):
    market.answers["POST", "/v1/jobs"] = (422, {"code": "bid_refused"})
    with MultitudeExecutor(client, PROGRAM) as executor:
        futures = [executor.submit(b"x") for _ in range(3)]
        for future in futures:
            with pytest.raises(ApiRefused):
                future.result(10)


def test_submit_trap_and_decoder_failure_belong_to_their_future(client, market):
    def trapping(job):
        job.traps.add(1)
        job.move(0, len(job.inputs), "final")

    market.on_job = trapping
    program = client.program(PROGRAM, decode=lambda data: 1 // (data != b"aa"))
    with MultitudeExecutor(client, program) as executor:
        futures = [executor.submit(data) for data in (b"a", b"b", b"c")]
        with pytest.raises(ZeroDivisionError):
            futures[0].result(10)
        with pytest.raises(TaskTrapped):
            futures[1].result(10)
        assert futures[2].result(10) == 1


def test_submit_job_that_fails_half_way_keeps_what_is_done(client, market):
    def half(job):
        job.move(0, 1, "final")
        job.close()

    market.on_job = half
    with MultitudeExecutor(client, PROGRAM) as executor:
        first, second = executor.submit(b"a"), executor.submit(b"b")
        assert first.result(10) == b"aa"
        with pytest.raises(JobFailed):
            second.result(10)


def test_cancel_before_the_job_takes_the_input_out(client, market):
    with MultitudeExecutor(client, PROGRAM, batch_s=0.2) as executor:
        first, second = executor.submit(b"a"), executor.submit(b"b")
        assert first.cancel()
        assert second.result(10) == b"bb"
    assert [len(job.inputs) for job in market.jobs.values()] == [1]
    with pytest.raises(CancelledError):
        first.result()


def test_shutdown_sends_what_waits_or_cancels_it(client, market):
    executor = MultitudeExecutor(client, PROGRAM, batch_s=60)
    future = executor.submit(b"a")
    executor.shutdown()
    assert future.result(0) == b"aa"
    executor = MultitudeExecutor(client, PROGRAM, batch_s=60)
    future = executor.submit(b"a")
    executor.shutdown(cancel_futures=True)
    assert future.cancelled()
    assert len(market.jobs) == 1


def test_map_is_gathered_into_jobs_of_bounded_size(client, triple, market):
    with MultitudeExecutor(client, triple, batch_tasks=4) as executor:
        assert list(executor.map(range(10))) == [3 * n for n in range(10)]
        assert list(executor.map(triple, range(3))) == [0, 3, 6]
    assert [len(job.inputs) for job in market.jobs.values()] == [4, 4, 2, 3]


def test_submit_from_many_threads_loses_nothing(client, triple):
    with MultitudeExecutor(client, triple, batch_tasks=8, batch_s=0.02) as executor:
        futures, lock = [], threading.Lock()

        def submit(start):
            for n in range(start, start + 25):
                made = executor.submit(n)
                with lock:
                    futures.append(made)

        threads = [threading.Thread(target=submit, args=(start,)) for start in (0, 25, 50, 75)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(future.result() for future in as_completed(futures, 30)) == [3 * n for n in range(100)]


def test_joblib_python_function_is_refused():
    with pytest.raises(FunctionRefused, match="a_function"):
        Parallel(backend="multitude")(delayed(a_function)(n) for n in range(3))


def test_joblib_failure_of_a_task_is_raised(triple, market):
    market.answers["POST", "/v1/jobs"] = (422, {"code": "bid_refused"})
    with pytest.raises(ApiRefused):
        Parallel(backend="multitude")(delayed(triple)(n) for n in range(3))


@pytest.mark.parametrize("n_jobs", [None, -1, 1, 8])
def test_joblib_outputs_are_in_order(triple, n_jobs):
    assert Parallel(n_jobs, backend="multitude")(delayed(triple)(n) for n in range(30)) == [3 * n for n in range(30)]


def test_joblib_more_calls_than_are_handed_out_at_once(triple, monkeypatch):
    calls = (delayed(triple)(n) for n in itertools.islice(itertools.count(), 700))
    with parallel_config(backend="multitude", batch_s=0.01, batch_tasks=256):
        assert Parallel(n_jobs=128)(calls) == [3 * n for n in range(700)]


def test_joblib_as_a_generator(client, market):
    square = client.program(PROGRAM)
    found = Parallel(backend="multitude", return_as="generator")(delayed(square)(b"%d" % n) for n in range(5))
    assert list(found) == [doubled(b"%d" % n) for n in range(5)]
