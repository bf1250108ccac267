"""The seam of matching."""

from hypothesis import given
from hypothesis import strategies as st

from market.matching.match import Ask, Assignment, OpenBid, match


def test_match_ask_above_every_bid_gets_nothing() -> None:
    assert match([Ask("d", 11, 0)], [OpenBid("j", "p", 10, 0, 5)]) == []


def test_match_device_without_the_program_or_memory_gets_nothing() -> None:
    bid = OpenBid("j", "p", 10, 0, 5, memory_pages=16)
    assert match([Ask("a", 1, 0, frozenset({"other"})), Ask("b", 1, 0, None, 15)], [bid]) == []


def test_match_program_without_attestation_goes_to_a_device_that_recomputes_it() -> None:
    bid = OpenBid("j", "p", 10, 0, 5, attested=False)
    tab, desktop = Ask("tab", 1, 0, attested_only=True), Ask("desktop", 2, 0)
    assert match([tab, desktop], [bid]) == [Assignment("desktop", "j", 2)]
    assert match([tab], [OpenBid("j", "p", 10, 0, 5, attested=True)]) == [Assignment("tab", "j", 1)]


def test_match_refused_job_goes_to_the_next() -> None:
    bids = [OpenBid("rich", "p", 10, 0, 5), OpenBid("poor", "p", 5, 0, 5)]
    assert match([Ask("d", 1, 0, refused=frozenset({"rich"}))], bids) == [Assignment("d", "poor", 1)]


def test_match_cheapest_device_takes_the_best_bid_first() -> None:
    bids = [OpenBid("late", "p", 10, 1, 1), OpenBid("early", "p", 10, 0, 1)]
    asks = [Ask("dear", 9, 0), Ask("cheap", 1, 5)]
    assert match(asks, bids) == [Assignment("cheap", "early", 1), Assignment("dear", "late", 9)]


asks = st.lists(
    st.builds(Ask, st.text("abcdef", min_size=1), st.integers(0, 20), st.floats(0, 9)), unique_by=lambda a: a.device
)
bids = st.lists(
    st.builds(
        OpenBid, st.text("xyz", min_size=1), st.just("p"), st.integers(0, 20), st.floats(0, 9), st.integers(0, 3)
    ),
    unique_by=lambda b: b.job_id,
)


@given(asks, bids)
def test_match_is_individually_rational_and_within_demand(asks: list[Ask], bids: list[OpenBid]) -> None:
    made = match(asks, bids)
    price = {ask.device: ask.price for ask in asks}
    most = {bid.job_id: bid.max_price for bid in bids}
    assert all(price[a.device] <= a.price <= most[a.job_id] for a in made)
    assert len({a.device for a in made}) == len(made)
    for bid in bids:
        assert sum(a.job_id == bid.job_id for a in made) <= bid.open_spans
