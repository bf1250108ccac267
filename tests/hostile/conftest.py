"""Fixtures of hostile clients: the market of tests/market with its fake chain, real PostgreSQL and Valkey, and a real
uvicorn in front of it."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.hostile.server import Served, served
from tests.market.conftest import market_template, market_url, world
from tests.market.world import World, world_on

if TYPE_CHECKING:
    from deploy.local.postgres import Database
    from deploy.local.valkey import Broker

__all__ = ["market_template", "market_url", "serve", "world"]


@pytest.fixture
def serve(world: World) -> Iterator[Served]:
    """The world's API on a port of this machine, with the options of `multitude market serve`."""
    with served(world.context) as running:
        yield running


@pytest.fixture(scope="module")
def shared(
    make_database: Callable[..., str],
    market_template: str,
    postgres: "Database",
    valkey: "Broker",
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """A market that the tests of a module share: they leave it as they found it, or do not mind."""
    from deploy.local.valkey import DATABASES

    url = make_database(market_template)
    with world_on(url, valkey.url(DATABASES - 1), tmp_path_factory.mktemp("shared")) as made:
        yield made
    postgres.drop(url.rpartition("/")[2])


@pytest.fixture(scope="module")
def shared_serve(shared: World) -> Iterator[Served]:
    """The shared market on a port."""
    with served(shared.context) as running:
        yield running
