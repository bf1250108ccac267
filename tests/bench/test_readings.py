"""What the benches read of a market and of a chain is there: a job on a real database, an epoch on a real chain."""

import pytest
from sqlalchemy import text

from deploy.bench.delay import first_attested_at
from deploy.bench.epoch import Case, play_epoch
from deploy.bench.ground import make_ground
from deploy.bench.throughput import LENGTH, _delivered
from tests.market.conftest import market_template, market_url, world  # noqa: F401 - fixtures

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def length_s(engine, job):
    with engine.connect() as connection:
        return connection.scalar(text(LENGTH), {"job": job})


def test_throughput_is_read_from_the_first_lease_to_the_last_accepted_result(world):  # noqa: F811
    device = world.device("one")
    job, another = world.open_job(), world.open_job(world.bid(salt=b"\x01" * 32))
    engine = world.context.engine
    assert (_delivered(engine, job), length_s(engine, job)) == (0, None)
    while world.job(job)["tasks"]["accepted"] < 5:
        device.do_next()
        world.clock.advance(2)
    assert _delivered(engine, job) == world.job(job)["tasks"]["accepted"]
    assert length_s(engine, job) > 0
    assert (_delivered(engine, another), length_s(engine, another)) == (0, None)


def test_delay_is_read_from_the_last_reveal_of_the_first_epoch(supervisor, tmp_path_factory):
    ground = make_ground(supervisor, tmp_path_factory.mktemp("readings"), 1)
    first = play_epoch(ground, Case(4, 1, 2))
    play_epoch(ground, Case(4, 1, 2), 1)
    revealed = first_attested_at(ground.client)
    opened, claimed = (ground.client.block(one.block_number).timestamp for one in (first.opened, first.claimed))
    assert opened <= revealed < claimed
