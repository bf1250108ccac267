"""What others ask: the middle of the live offers in a market's public order book, for a contributor to begin with."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from worker import agreed
from worker.errors import MarketUnreachable

PRICE_END = 1 << 128


class Asked(NamedTuple):
    """The middle of what `devices` live devices ask, wei per GWU: half of them ask no more."""

    middle: int
    devices: int


def asked_now(markets: Sequence[str]) -> Asked | None:
    """Of the first market that answers; None while nobody offers there. Raises MarketUnreachable, SettingsInvalid."""
    url, book = agreed.first_answer(markets, "/v1/book")
    try:
        return middle_of(book)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MarketUnreachable(f"{url} has no order book: {error!r}") from error


def middle_of(book: Mapping[str, object]) -> Asked | None:
    """The middle of the asks of GET /v1/book, each counted for each device; None where there are none.

    KeyError, TypeError, ValueError or OverflowError for what is no book.
    """
    levels = sorted((int(ask["priceWeiPerGWU"]), int(ask["devices"])) for ask in _list(book["asks"]))
    if any(not 0 <= price < PRICE_END or devices < 1 for price, devices in levels):
        raise ValueError("a level that is none")
    devices = counted = sum(number for _, number in levels)
    for price, number in reversed(levels):
        counted -= number
        if 2 * counted < devices:
            return Asked(price, devices)
    return None


def _list(value: object) -> list[Mapping[str, str]]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value
