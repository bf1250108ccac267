"""The frontier of a tree of results: what is needed of those accepted so far to add more at the end.

A receipt is cumulative: each lease's receipt carries the root over all results of its period. Hashing them all again
with every lease would cost a period the square of its tasks. The frontier holds the tops of the full subtrees over
the results so far, largest first, one for each bit that is set in their count: results that come after all the others
are added at a cost of their own number, and the root follows from at most 32 nodes (docs/protocol.md, section 3: a
tree is filled up with padding on the right).
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from protocol.encoding import from_hex, to_hex
from protocol.merkle import PADDING, Kind, Node, combine, depth_of


class Peak(NamedTuple):
    """The top of a full subtree of 2^level results."""

    level: int
    node: Node


class Frontier:
    """A tree of results that grows at its end. `combine` raises TreeInvalid where a sum leaves uint128."""

    def __init__(self, peaks: Iterable[Peak] = ()) -> None:
        self.peaks = list(peaks)

    @property
    def count(self) -> int:
        """Results in the tree."""
        return sum(1 << peak.level for peak in self.peaks)

    @property
    def top(self) -> Node:
        """The root with its sums, as ResultTree has it; TreeInvalid without results."""
        depth, peaks = depth_of(self.count), self.peaks[::-1]
        level, node = peaks[0]
        for peak in peaks[1:]:
            node = combine(Kind.RESULT, peak.node, _filled(node, level, peak.level))
            level = peak.level + 1
        return _filled(node, level, depth)

    def add(self, leaves: Iterable[Node]) -> None:
        """Adds leaves after the last one."""
        for leaf in leaves:
            peak = Peak(0, leaf)
            while self.peaks and self.peaks[-1].level == peak.level:
                peak = Peak(peak.level + 1, combine(Kind.RESULT, self.peaks.pop().node, peak.node))
            self.peaks.append(peak)

    def to_json(self) -> list[list[str]]:
        """Its peaks as they are kept in SQL."""
        return [[str(level), to_hex(node.hash), *map(str, node.sums)] for level, node in self.peaks]

    @classmethod
    def from_json(cls, value: Sequence[Sequence[str]]) -> "Frontier":
        """The frontier that was kept."""
        return cls(
            Peak(int(level), Node(from_hex(top, 32), (int(wu), int(squared)))) for level, top, wu, squared in value
        )


def _filled(node: Node, level: int, wanted: int) -> Node:
    """The node of `wanted` level over a node with nothing but padding right of it."""
    for below in range(level, wanted):
        node = combine(Kind.RESULT, node, _padding(below))
    return node


@lru_cache(maxsize=64)
def _padding(level: int) -> Node:
    if level == 0:
        return Node(PADDING, (0, 0))
    below = _padding(level - 1)
    return combine(Kind.RESULT, below, below)
