"""Fixtures of the market's tests: real PostgreSQL and Valkey, a fake of our own chain gateway."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from market.db import upgrade
from tests.market.world import World, world_on

if TYPE_CHECKING:
    from deploy.local.postgres import Database


@pytest.fixture(scope="session")
def market_template(make_database: Callable[..., str]) -> str:
    """The name of a migrated database to copy."""
    url = make_database()
    upgrade(url)
    return url.rpartition("/")[2]


@pytest.fixture
def market_url(make_database: Callable[..., str], market_template: str, postgres: "Database") -> Iterator[str]:
    """A migrated database of the test's own."""
    url = make_database(market_template)
    yield url
    postgres.drop(url.rpartition("/")[2])


@pytest.fixture
def world(market_url: str, valkey_url: str, tmp_path: Path) -> Iterator[World]:
    """A market with a fake chain."""
    with world_on(market_url, valkey_url, tmp_path) as made:
        yield made
