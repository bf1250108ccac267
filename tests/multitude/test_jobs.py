"""A job followed, waited for and read, against a market that tells the truth, lies, or breaks off."""

import json
import threading

import pytest

from multitude import (
    ApiHostile,
    ApiUnreachable,
    BalanceTooLow,
    CapExceeded,
    Client,
    DeadlinePassed,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    NoChain,
    ResultsInvalid,
    Terms,
)
from multitude.buyer import follow, http, jobs
from tests.multitude.conftest import KEY
from tests.multitude.fake_market import PROGRAM, doubled

INPUTS = [b"%d" % number for number in range(10)]


@pytest.fixture
def idle(market):
    """Jobs on which nothing happens by itself."""
    market.on_job = lambda _: None
    return market


def job_of(market):
    return next(iter(market.jobs.values()))


def later(work, seconds=0.05):
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


# --- submitting


def test_submit_above_the_cap_is_refused_before_anything_is_sent(client, market):
    with pytest.raises(CapExceeded) as caught:
        client.submit(PROGRAM, INPUTS, cap=1)
    assert caught.value.cap == 1
    assert caught.value.needed == client.quote(PROGRAM, INPUTS).cap
    assert not market.jobs
    assert client.submit(PROGRAM, INPUTS, cap=caught.value.needed).bid.budget == caught.value.needed


def test_submit_escrow_holds_too_little_is_refused_before_anything_is_signed(market):
    market.balance = 5
    with Client(market.url, KEY, market.url + "/rpc") as client, pytest.raises(BalanceTooLow) as caught:
        client.submit(PROGRAM, INPUTS)
    assert caught.value.got == 5
    assert not market.jobs


def test_submit_account_holds_too_little_for_the_deposit_is_refused(market):
    market.balance = 5
    with Client(market.url, KEY, market.url + "/rpc") as client, pytest.raises(BalanceTooLow):
        client.submit(PROGRAM, INPUTS, deposit=True)
    assert not market.jobs


def test_submit_second_job_counts_the_first_ones_budget_until_the_chain_has_it(market):
    with Client(market.url, KEY, market.url + "/rpc") as client:
        budget = client.submit(PROGRAM, INPUTS).bid.budget
        market.balance = 2 * budget - 1
        with pytest.raises(BalanceTooLow) as caught:
            client.submit(PROGRAM, INPUTS)
        assert caught.value.needed == 2 * budget
        market.balance = 2 * budget
        client.submit(PROGRAM, INPUTS)


def test_submit_node_of_another_chain_is_no_chain(market):
    market.answers["POST", "/rpc"] = (200, {"jsonrpc": "2.0", "id": 1, "result": "0x1"})
    with Client(market.url, KEY, market.url + "/rpc") as client, pytest.raises(NoChain):
        client.submit(PROGRAM, INPUTS)


def test_client_without_rpc_has_no_chain(client):
    with pytest.raises(NoChain):
        client.deposit(1)
    with pytest.raises(NoChain):
        _ = client.wallet


def test_submit_inputs_that_are_no_bytes_are_a_type_error(client):
    with pytest.raises(TypeError, match="encode"):
        client.submit(PROGRAM, [1, 2])


def test_submit_large_inputs_are_uploaded_once_each(client, market):
    client.submit(PROGRAM, [b"x" * 2000, b"x" * 2000, b"y" * 2000])
    sent = [path for method, path, *_ in market.asked if method == "PUT"]
    assert len(sent) == len(set(sent)) == 3  # two inputs and the manifest


# --- attaching


def test_job_bid_of_another_job_is_hostile(client, market):
    made = client.submit(PROGRAM, INPUTS)
    other = client.submit(PROGRAM, [b"other"])
    market.answers["GET", f"/v1/jobs/{made.job_id}"] = (200, job_of(market).body() | {"bid": other.bid.to_json()})
    with pytest.raises(ApiHostile, match="another"):
        client.job(made.job_id)


def test_job_by_its_id_is_the_same_job(client):
    made = client.submit(PROGRAM, INPUTS)
    again = client.job(made.job_id)
    assert again.bid == made.bid
    assert [task.output for task in again.as_completed()] == [doubled(data) for data in INPUTS]


def test_jobs_lists_what_was_submitted(client):
    ids = [client.submit(PROGRAM, [b"%d" % n]).job_id for n in range(3)]
    assert [job.job_id for job, _ in client.jobs()] == ids[::-1]
    assert [status.reached("final") for _, status in client.jobs(limit=2)] == [1, 1]


# --- waiting


def test_wait_past_the_time_times_out(client, idle):
    with pytest.raises(JobTimedOut):
        client.submit(PROGRAM, INPUTS).wait(0.01)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("JobEscrow_BalanceTooLow(3, 9)", BalanceTooLow),
        ("JobEscrow_DeadlinePassed(3, 2)", DeadlinePassed),
        ("JobEscrow_UnknownProgram(0x00)", JobFailed),
    ],
)
def test_wait_refused_by_the_chain_says_why(client, idle, error, kind):
    job = client.submit(PROGRAM, INPUTS)
    job_of(idle).close("refused", error)
    with pytest.raises(kind) as caught:
        job.wait(5)
    assert type(caught.value) is kind


def test_wait_closed_undone_is_cancelled_or_past_its_deadline(client, idle):
    job = client.submit(PROGRAM, INPUTS)
    job_of(idle).move(0, 3, "final")
    job_of(idle).close()
    with pytest.raises(JobCancelled, match="3 tasks"):
        job.wait(5)
    late = client.submit(PROGRAM, INPUTS, Terms(deadline_s=-10))
    idle.jobs[late.job_id].close()
    with pytest.raises(DeadlinePassed):
        late.wait(5)


def test_wait_returns_when_the_last_task_is_final_and_tells_on_the_way(client, idle):
    job = client.submit(PROGRAM, INPUTS)
    seen = []
    job_of(idle).move(0, 4, "accepted")
    timer = later(lambda: job_of(idle).move(0, 10, "final"))
    assert job.wait(10, seen.append) is job
    timer.join()
    assert [status.reached("accepted") for status in seen] == [4, 10]


def test_wait_progress_draws_a_bar(client, capsys):
    client.submit(PROGRAM, INPUTS).wait(5, progress=True)
    assert "10/10" in capsys.readouterr().out


def test_wait_outlives_a_market_that_starts_again(client, idle, monkeypatch):
    monkeypatch.setattr(jobs, "OUTAGE_PAUSE_S", 0.01)
    monkeypatch.setattr(http, "WAIT_FIRST_S", 0.001)
    job = client.submit(PROGRAM, INPUTS)
    left, path = [10], f"/v1/jobs/{job.job_id}"

    def away(handler):
        left[0] -= 1
        if left[0] > 0:
            handler.close_connection = True
            return None
        return handler.send(200, job_of(idle).body())

    idle.answers["GET", path] = away
    job_of(idle).move(0, 10, "final")
    job.wait(20)
    assert left[0] <= 0
    monkeypatch.setattr(jobs, "OUTAGE_S", 0.0)
    left[0] = 100
    with pytest.raises(ApiUnreachable):
        job.wait(20)


# --- as completed


def test_as_completed_tells_each_task_once_as_it_comes(client, idle):
    job = client.submit(PROGRAM, INPUTS)
    made, steps = job_of(idle), iter([(4, 7), (0, 4), (7, 10)])
    made.move(*next(steps), "final")
    seen = []
    for task in job.as_completed(timeout_s=20):
        seen.append(task.task)
        assert task.output == doubled(INPUTS[task.task])
        assert task.replayed is (task.task % 2 == 0)
        assert not task.verified
        if task.task in (6, 3):
            made.move(*next(steps), "final")
    assert seen == [4, 5, 6, 0, 1, 2, 3, 7, 8, 9]


def test_as_completed_takes_tasks_that_are_further_than_asked_and_says_so(client, idle):
    job = client.submit(PROGRAM, INPUTS)
    made = job_of(idle)
    made.move(0, 2, "accepted")
    made.move(2, 4, "attested")
    made.move(4, 10, "final")
    found = {task.task: task for task in job.as_completed("accepted")}
    assert [found[task].state for task in (0, 2, 4)] == ["accepted", "attested", "final"]
    assert [found[task].replayed for task in (0, 2, 3)] == [None, True, False]


def test_as_completed_attested_leaves_out_what_is_only_accepted(client, idle):
    job = client.submit(PROGRAM, INPUTS)
    job_of(idle).move(0, 8, "accepted")
    job_of(idle).move(8, 10, "attested")
    source = job.as_completed("attested", timeout_s=0.3)
    assert [next(source).task, next(source).task] == [8, 9]
    with pytest.raises(JobTimedOut, match="8 tasks"):
        next(source)


def test_as_completed_stream_that_breaks_is_resumed_where_it_was(client, idle, monkeypatch):
    monkeypatch.setattr(follow, "RETRY_FIRST_S", 0.01)
    job = client.submit(PROGRAM, INPUTS)
    made = job_of(idle)
    path = f"/v1/jobs/{job.job_id}/events"

    def one_event(handler):
        at = int(handler.headers.get("last-event-id") or 0)
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.end_headers()
        handler.close_connection = True
        if at == len(made.events):
            made.move(at, at + 1, "final")
        kind, data = made.events[at]
        handler.wfile.write(f"id: {at + 1}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode())

    idle.answers["GET", path] = one_event
    assert [task.task for task in job.as_completed(timeout_s=20)] == list(range(10))
    resumed = [headers.get("last-event-id") for method, at, _, headers in idle.asked if at == path]
    assert resumed[:3] == [None, "1", "2"]


def test_as_completed_without_a_stream_polls(client, idle, monkeypatch):
    monkeypatch.setattr(follow, "POLL_S", 0.02)
    job = client.submit(PROGRAM, INPUTS)
    idle.answers["GET", f"/v1/jobs/{job.job_id}/events"] = (503, {"code": "too_many_waiting"})
    timer = later(lambda: job_of(idle).move(0, 10, "final"))
    assert len(list(job.as_completed(timeout_s=20))) == 10
    timer.join()


@pytest.mark.parametrize(
    "event", [b"id: x\ndata: {}\n\n", b"id: 1\ndata: no\n\n", b"id: 1\ndata: [1]\n\n", b"\xff\n\n"]
)
def test_as_completed_stream_of_nonsense_is_left_for_polling(client, idle, monkeypatch, event):
    monkeypatch.setattr(follow, "POLL_S", 0.02)
    job = client.submit(PROGRAM, INPUTS)

    def nonsense(handler):
        handler.close_connection = True
        handler.send(200, event, content_type="text/event-stream")

    idle.answers["GET", f"/v1/jobs/{job.job_id}/events"] = nonsense
    job_of(idle).move(0, 10, "final")
    assert len(list(job.as_completed(timeout_s=20))) == 10


def test_as_completed_closed_with_tasks_undone_tells_those_that_are_done_and_fails(client, idle):
    job = client.submit(PROGRAM, INPUTS)
    job_of(idle).move(0, 3, "final")
    job_of(idle).close()
    seen = []
    with pytest.raises(JobCancelled, match="7 tasks"):
        seen.extend(task.task for task in job.as_completed(timeout_s=5))
    assert seen == [0, 1, 2]


def test_as_completed_counts_without_results_are_not_believed_for_ever(client, idle, monkeypatch):
    monkeypatch.setattr(jobs, "CONFIRM_S", 0.0)
    monkeypatch.setattr(follow, "CHECK_S", 0.02)
    monkeypatch.setattr(follow, "POLL_S", 0.02)
    job = client.submit(PROGRAM, INPUTS)
    job_of(idle).move(0, 10, "final")
    idle.answers["GET", f"/v1/jobs/{job.job_id}/results"] = (200, {"results": [], "next": None})
    with pytest.raises(ResultsInvalid, match="shows none"):
        list(job.as_completed(timeout_s=5))


@pytest.mark.parametrize(
    "change",
    [
        {"task": 99},
        {"task": "x"},
        {"output": "0x0"},
        {"output": "0x" + "00" * 65},
        {"state": "paid"},
        {"wu": -1},
        {"device": None},
        {"epoch": "one"},
    ],
)
def test_as_completed_results_that_do_not_fit_are_hostile(client, idle, change):
    job = client.submit(PROGRAM, INPUTS, Terms(max_output_bytes=64))
    job_of(idle).move(0, 10, "final")
    value = job_of(idle).result(0) | change
    idle.answers["GET", f"/v1/jobs/{job.job_id}/results"] = (200, {"results": [value], "next": None})
    with pytest.raises(ApiHostile):
        list(job.as_completed(timeout_s=5))


def test_as_completed_page_that_never_ends_is_left(client, idle, monkeypatch):
    monkeypatch.setattr(jobs, "CONFIRM_S", 0.0)
    monkeypatch.setattr(follow, "CHECK_S", 0.02)
    job = client.submit(PROGRAM, INPUTS)
    job_of(idle).move(0, 10, "final")
    idle.answers["GET", f"/v1/jobs/{job.job_id}/results"] = (200, {"results": [], "next": 0})
    with pytest.raises(ResultsInvalid):
        list(job.as_completed(timeout_s=5))


def test_as_completed_left_early_ends_its_reader(client, idle):
    job = client.submit(PROGRAM, INPUTS)
    job_of(idle).move(0, 10, "final")
    source = job.as_completed()
    next(source)
    source.close()
    assert len(list(job.as_completed())) == 10


def test_events_tell_the_story_from_the_beginning_until_it_is_over(client, idle, monkeypatch):
    monkeypatch.setattr(follow, "RETRY_FIRST_S", 0.01)
    monkeypatch.setattr(follow, "POLL_S", 0.02)
    job = client.submit(PROGRAM, INPUTS)
    job_of(idle).move(0, 10, "final")
    job_of(idle).close()
    assert [event.kind for event in job.events()] == ["span.final", "job.closed"]


def test_reached_tells_what_is_there_now(client, idle):
    job = client.submit(PROGRAM, INPUTS)
    assert job.reached("accepted") == []
    job_of(idle).move(2, 4, "final")
    assert [task.task for task in job.reached()] == [2, 3]


def test_two_clients_in_threads_do_not_disturb_each_other(market):
    def use(found):
        with Client(market.url, KEY) as client:
            found.extend(task.output for task in client.submit(PROGRAM, INPUTS).as_completed())

    outputs = [[], []]
    threads = [threading.Thread(target=use, args=(found,)) for found in outputs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs[0] == outputs[1] == [doubled(data) for data in INPUTS]
