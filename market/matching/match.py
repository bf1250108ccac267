"""The seam of matching: offers and bids in, assignments out. Price-time for now."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ask:
    """A device's offer; `price` in wei per GWU, `since` orders equal prices, `refused` jobs are not for it now."""

    device: str
    price: int
    since: float
    programs: frozenset[str] | None = None
    memory_pages: int = 65_536
    refused: frozenset[str] = frozenset()
    attested_only: bool = False


@dataclass(frozen=True)
class OpenBid:
    """A job that wants devices; `max_price` in wei per GWU, `since` orders equal prices, `open_spans` is its demand."""

    job_id: str
    program_id: str
    max_price: int
    since: float
    open_spans: int
    memory_pages: int = 0
    attested: bool = True


@dataclass(frozen=True)
class Assignment:
    """A device works for a job at this price in wei per GWU."""

    device: str
    job_id: str
    price: int


def suits(ask: Ask, bid: OpenBid) -> bool:
    """True when the device would take the job and the job would pay it."""
    return (
        ask.price <= bid.max_price
        and (ask.programs is None or bid.program_id in ask.programs)
        and ask.memory_pages >= bid.memory_pages
        and (bid.attested or not ask.attested_only)
        and bid.job_id not in ask.refused
    )


def match(asks: Sequence[Ask], bids: Sequence[OpenBid]) -> list[Assignment]:
    """Price-time: the cheapest devices choose first, each takes the best paying bid with a span left for it.

    A device is paid what it asks. Every device is assigned at most once, a bid never more devices than open spans.
    """
    left = {bid.job_id: bid.open_spans for bid in bids}
    ordered = sorted(bids, key=lambda bid: (-bid.max_price, bid.since, bid.job_id))
    made = []
    for ask in sorted(asks, key=lambda ask: (ask.price, ask.since, ask.device)):
        bid = next((bid for bid in ordered if left[bid.job_id] > 0 and suits(ask, bid)), None)
        if bid is not None:
            left[bid.job_id] -= 1
            made.append(Assignment(ask.device, bid.job_id, ask.price))
    return made
