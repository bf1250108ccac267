"""The SDK against the market's own application on PostgreSQL and Valkey; the chain is the market tests' fake."""

import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn

from market.app import create_app
from multitude import BalanceTooLow, Client, JobCancelled, NoCapacity, NotSignedIn, ProgramUnknown, Terms
from programs.catalogue import CATALOGUE
from tests.market.conftest import market_template, market_url, world  # noqa: F401 - fixtures
from tests.market.test_lifecycle import reveal_all
from tests.market.world import key_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

INPUTS = [bytes([number]) * 64 for number in range(6)]


@contextmanager
def served(app):
    """The app on a free port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def terms(world):  # noqa: F811
    """The world's clock is ahead of ours."""
    return Terms(span_tasks=2, deadline_s=int(world.clock() - time.time()) + 3_600, max_output_bytes=64)


@pytest.fixture
def buyer(world):  # noqa: F811
    """A buyer of a market that has the digits program."""
    with served(create_app(world.context)) as port:
        url = f"http://127.0.0.1:{port}"
        object.__setattr__(world.context.settings, "public_url", url)
        with Client(url, key_of("buyer")) as client:
            yield client


@pytest.fixture
def program(world, buyer):  # noqa: F811
    entry = CATALOGUE["digits"]
    limits = {"wu": entry.limits.wu, "memoryPages": entry.limits.memory_pages, "frameBytes": entry.limits.frame_bytes}
    made = buyer.api.admit(buyer.api.put_blob(entry.module.read_bytes()), limits, "digits")
    world.tick()
    assert buyer.api.program(made)["state"] == "registered"
    return made


def deliver(device):
    """The device's next lease, at a tenth of the task's limit."""
    grant = device.lease()
    response = device.submit(grant, device.work(grant, wu=int(grant["bid"]["taskLimitWU"]) // 10))
    assert response.status_code == 200, response.text


def test_quote_unknown_program_and_no_capacity_are_told(buyer, program):
    with pytest.raises(ProgramUnknown):
        buyer.quote("0x" + "ab" * 32, INPUTS)
    with pytest.raises(NoCapacity):
        buyer.quote(program, INPUTS)


def test_job_goes_from_a_quote_to_its_last_task(world, buyer, program, terms):  # noqa: F811
    device, other = world.device("one"), world.device("two")  # neither may hold more than half of a job
    quote = buyer.quote(program, INPUTS, terms)
    assert quote.tasks == quote.sampled == len(INPUTS)
    assert quote.devices == 2
    assert 0 < quote.expected_cost < quote.cap
    job = buyer.submit(program, INPUTS, terms, quote)
    assert job.bid.budget == quote.cap
    world.tick()
    source = job.as_completed("accepted", timeout_s=30)
    deliver(device)
    assert {next(source).task, next(source).task} == {0, 1}
    deliver(other)
    world.tick()
    deliver(device)
    assert {task.task: task.output for task in source} == {task: b"out %d" % task for task in range(2, 6)}
    for _ in range(3):
        world.tick()
    reveal_all(world, 1)
    world.chain.phases[1] = "final"
    for _ in range(3):
        world.tick()
    again = buyer.job(job.job_id)
    assert again.status().tasks["final"] == len(INPUTS), (again.status(), world.chain.phases)
    assert [task.state for task in again.as_completed(timeout_s=20)] == ["final"] * len(INPUTS)
    receipt = again.receipt()
    assert receipt.spent > 0
    assert {item.device for item in receipt.items} == {device.address, other.address}
    assert [listed.job_id for listed, _ in buyer.jobs()] == [job.job_id]


def test_job_that_the_chain_refuses_or_closes_says_why(world, buyer, program, terms):  # noqa: F811
    world.device("one")
    refused = buyer.submit(program, INPUTS, terms)
    for _ in range(4):
        world.chain.fail("open_job", "JobEscrow_BalanceTooLow(1, 2)")
        world.tick()
    with pytest.raises(BalanceTooLow):
        refused.wait(10)
    closed = buyer.submit(program, [*INPUTS, b"another"], terms)
    world.tick()
    world.chain.emit("JobEscrow", "JobClosing", jobId=closed.bid.job_id, closesAt=int(world.clock()) + 30)
    world.chain.emit("JobEscrow", "JobClosed", jobId=closed.bid.job_id, refunded=5)
    world.tick()
    with pytest.raises(JobCancelled):
        closed.wait(10)


def test_person_signs_in_and_has_webhooks(buyer):
    made = buyer.webhooks.add("https://hooks.example/multitude")
    assert made.secret is not None
    assert [hook.id for hook in buyer.webhooks.list()] == [made.id]
    assert list(buyer.webhooks.deliveries(made.id)) == []
    buyer.webhooks.remove(made.id)
    assert list(buyer.webhooks.list()) == []
    buyer.sign_out()
    buyer.inner.api.token = "forged"
    buyer.inner._signed_in_until = 2**40
    with pytest.raises(NotSignedIn):
        buyer.webhooks.list()
