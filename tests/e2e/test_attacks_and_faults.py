"""One network with every part real; a job for each attack or fault, in the middle of which it happens.

The lie is told by another device than in `make run`: the one with the largest stake.
"""

import time
from dataclasses import replace

import pytest
from rich.console import Console

from chain.accounting import conserved
from deploy.local.mainjob import measure
from deploy.local.mainjob.cast import make_cast
from deploy.local.mainjob.play import Play
from deploy.local.network import LocalNetwork
from deploy.local.profiles import LOCAL

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(600)]

LIAR = 0


@pytest.fixture(scope="module")
def cast():
    honest = make_cast(False)
    devices = list(honest.devices)
    devices[LIAR] = replace(devices[LIAR], lies=True)
    return replace(honest, devices=tuple(devices))


@pytest.fixture(scope="module")
def play(cast, tmp_path_factory):
    with LocalNetwork(LOCAL, tmp_path_factory.mktemp("network")) as network:
        running = Play(network, cast, Console(width=120), time.monotonic())
        running.raise_market()
        running.raise_others()
        yield running


@pytest.fixture
def celery(play):
    """The market's Celery, which is put back."""
    yield "market-celery"
    if not play.network.supervisor.services["market-celery"].running:
        play.network.supervisor.restart("market-celery")


def record_of(play, job):
    return measure.Record(play.client, job.bid, play.buyer.api.get_blob)


def check_results(play, job, count):
    """Every output is the reference's, nothing is lost or paid twice."""
    assert job.results() == play.work.expected[:count]
    assert conserved(play.client)
    assert not measure.find(record_of(play, job), play.cast, job.settled(), play.work.expected).honest_losses


def accepted(job):
    return job.status().tasks.get("accepted", 0)


def test_celery_stopped_no_epoch_is_posted(play, celery):
    """What was accepted stays accepted, and is posted when Celery is back."""
    count = 64 * 16
    job = play.submit(play.work.inputs[:count])
    play.wait_for(lambda: accepted(job) > 0, 60, "a task to be accepted")
    play.network.supervisor.end(celery)
    time.sleep(3)  # what was sent before is mined
    posted = play.client.call("EpochLedger", "epochCount")
    assert accepted(job) > 0
    time.sleep(LOCAL.epoch_interval_s + 3)
    assert play.client.call("EpochLedger", "epochCount") == posted
    play.network.supervisor.restart(celery)
    play.wait_until_paid(job)
    check_results(play, job, count)


def test_device_killed_in_the_middle_of_a_lease_others_finish(play):
    count = 32 * 16
    victim = play.cast.devices[1].device.role
    job = play.submit(play.work.inputs[:count])
    play.wait_for(lambda: job.status().tasks.get("leased", 0) > 0, 60, "a lease")
    play.network.supervisor.kill(victim)
    play.wait_until_paid(job)
    check_results(play, job, count)


def test_reorg_of_five_blocks_in_the_middle_of_a_job_loses_nothing(play):
    count = 16 * 16
    job = play.submit(play.work.inputs[:count])
    play.wait_for(lambda: job.status().tasks.get("committed", 0) > 0, 90, "an epoch")
    play.network.chain.reorganise(5)
    play.wait_until_paid(job)
    check_results(play, job, count)


def test_lie_of_another_device_that_one_is_slashed(play):
    """By now every job's results were right; the device that lied lost its stake, and nobody else a wei."""
    liar = play.cast.devices[LIAR]
    devices = {
        plan.device.address: play.client.call("StakeVault", "deviceOf", plan.device.address)
        for plan in play.cast.devices
    }
    assert [address for address, device in devices.items() if device["convicted"]] == [liar.device.address]
    assert devices[liar.device.address]["stake"] == 0
