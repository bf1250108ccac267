"""How far a chain may change under us, and how long we wait before we believe that it has."""

from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

REORG_BLOCKS_MOST = 2_000
"""A reorganisation, or a node's fall-back to an older state, is followed this deep; past it ReorgTooDeep is raised."""

CATCH_UP = timedelta(seconds=5)
"""A node behind a balancer may answer from an older head; one that fell back is believed after this time."""


def utc_now() -> datetime:
    """The time of day, with its zone."""
    return datetime.now(UTC)


def count_gone(blocks: Sequence[T], is_there: Callable[[T], bool]) -> int:
    """How many of some blocks, newest first, the chain no longer has: one that it has vouches for all before it.

    Asks once where none is gone, else as often as halving takes.
    """
    if not blocks or is_there(blocks[0]):
        return 0
    gone, there = 0, len(blocks)
    while there - gone > 1:
        middle = (gone + there) // 2
        gone, there = (gone, middle) if is_there(blocks[middle]) else (middle, there)
    return there


class Patience:
    """Tells what lasts from what passes: a doubt is believed when it has stood for CATCH_UP without a break."""

    def __init__(self, clock: Callable[[], datetime] = utc_now, wait: timedelta = CATCH_UP) -> None:
        self._clock = clock
        self._wait = wait
        self._since: dict[Hashable, datetime] = {}

    def is_over(self, key: Hashable, doubtful: bool = True) -> bool:
        """True when the doubt about `key` has lasted; it then starts anew. Without doubt it is forgotten."""
        if not doubtful:
            self._since.pop(key, None)
            return False
        over = self._clock() - self._since.setdefault(key, self._clock()) >= self._wait
        if over:
            del self._since[key]
        return over
