"""The agent against the market itself needs the market's fixtures."""

from tests.market.conftest import market_template, market_url  # noqa: F401
