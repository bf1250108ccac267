"""Fixtures of the SDK's tests: a fake market and clients of it, with and without a chain."""

import pytest

from multitude import Client
from tests.multitude.fake_market import FakeMarket, running

KEY = b"\7" * 32


@pytest.fixture
def market():
    yield from running(FakeMarket())


@pytest.fixture
def client(market):
    """A client without a chain: nothing can be deposited or verified."""
    with Client(market.url, KEY) as made:
        yield made
