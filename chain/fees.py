"""What a transaction offers for its gas, and how it is raised when it is stuck. Pure. Wei per gas throughout."""

from datetime import timedelta
from typing import NamedTuple, Self

GWEI = 10**9


class Fees(NamedTuple):
    """EIP-1559: the most that is paid, and the part of it that the block's builder gets."""

    most: int
    tip: int

    def raised(self) -> Self:
        """An eighth more of both, rounded up and at least 1 wei: the least that nodes take for a replacement."""
        return self._replace(most=_eighth_more(self.most), tip=_eighth_more(self.tip))

    def at_least(self, other: "Fees") -> Self:
        """The larger of both."""
        return self._replace(most=max(self.most, other.most), tip=max(self.tip, other.tip))

    def capped(self, ceiling: int) -> Self:
        """Neither above the ceiling."""
        return self._replace(most=min(self.most, ceiling), tip=min(self.tip, ceiling))


class FeePolicy(NamedTuple):
    """`ceiling` is the most that is ever offered; a transaction that waited for `bump_after` is replaced by one that
    offers more, `bumps_most` times at most."""

    ceiling: int = 1_000 * GWEI
    bump_after: timedelta = timedelta(seconds=30)
    bumps_most: int = 12

    def market(self, base_fee: int, tip: int) -> Fees | None:
        """What a new transaction offers: room for six full blocks. None while the base fee is above the ceiling."""
        if base_fee > self.ceiling:
            return None
        return Fees(2 * base_fee + tip, tip).capped(self.ceiling)

    def bumped(self, fees: Fees, market: Fees | None, bumps: int) -> Fees | None:
        """The fees of the next replacement after `bumps` of them; None where ceiling or count forbid it."""
        more = fees.raised() if market is None else fees.raised().at_least(market)
        return None if bumps >= self.bumps_most or more.most > self.ceiling else more


USUAL_FEES = FeePolicy()


def _eighth_more(wei: int) -> int:
    return max(wei + 1, -(-wei * 9 // 8))
