"""The agent against the market itself needs the market's fixtures; the state machine a driver."""

import pytest

from tests.market.conftest import market_template, market_url  # noqa: F401
from tests.worker.driver import Driver


@pytest.fixture
def driver():
    """The machine with an open session, about to poll."""
    return Driver().open()
