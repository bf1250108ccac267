"""The clocks of every kind of network: design section 4, a profile for each column.

Windows are seconds; only confirmations and the beacon count blocks. The deployment takes its constructor parameters
from here and its file repeats them as seconds, beside the clocks that only the market has.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

LOCAL_CHAIN_ID = 31337
TESTNET_CHAIN_ID = 31338
GWEI = 10**9


class UnknownProfileError(ValueError):
    """Raised for a name that no profile has."""


@dataclass(frozen=True)
class Profile:
    """One column of the clock table. `*_s` are seconds, `*_blocks` blocks.

    Of a local network: `base_fee_wei` is what its chain starts with; in the middle of the main job the chain loses its
    last `reorg_depth` blocks, fewer than the confirmations. A chain id of 0 is whatever the chain has.
    """

    name: str
    chain_id: int
    base_fee_wei: int
    reorg_depth: int
    block_time_s: int
    confirmations_blocks: int
    beacon_delay_blocks: int
    epoch_interval_s: int
    commit_s: int
    reveal_s: int
    window_s: int
    panel_commit_s: int
    panel_reveal_s: int
    lease_s: int
    heartbeat_s: int
    posting_grace_s: int
    post_by_after_expiry_s: int
    claim_s: int
    seat_period_s: int
    unbonding_s: int
    dissection_clock_s: int
    matching_tick_s: float

    def clocks(self) -> dict[str, float]:
        """Every clock by its name without the unit, in seconds; blocks are converted by the block time."""
        seconds: dict[str, float] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_s"):
                seconds[field.name.removesuffix("_s")] = value
            elif field.name.endswith("_blocks"):
                seconds[field.name.removesuffix("_blocks")] = value * self.block_time_s
        return seconds

    def whole_clocks(self) -> dict[str, int]:
        """Those of the clocks that are whole seconds, as a deployment's file holds them."""
        return {name: int(seconds) for name, seconds in self.clocks().items() if seconds == int(seconds)}


LOCAL = Profile(
    name="local",
    chain_id=LOCAL_CHAIN_ID,
    base_fee_wei=0,
    reorg_depth=0,
    block_time_s=1,
    confirmations_blocks=2,
    beacon_delay_blocks=2,
    epoch_interval_s=15,
    commit_s=15,
    reveal_s=8,
    window_s=10,
    panel_commit_s=12,
    panel_reveal_s=8,
    lease_s=10,
    heartbeat_s=3,
    posting_grace_s=30,
    post_by_after_expiry_s=120,
    claim_s=300,
    seat_period_s=10,
    unbonding_s=180,
    dissection_clock_s=30,
    matching_tick_s=0.5,
)

TESTNET = Profile(
    name="testnet",
    chain_id=TESTNET_CHAIN_ID,
    base_fee_wei=GWEI,
    reorg_depth=5,
    block_time_s=2,
    confirmations_blocks=6,
    beacon_delay_blocks=8,
    epoch_interval_s=30,
    commit_s=30,
    reveal_s=24,
    window_s=60,
    panel_commit_s=30,
    panel_reveal_s=24,
    lease_s=10,
    heartbeat_s=3,
    posting_grace_s=60,
    post_by_after_expiry_s=240,
    claim_s=600,
    seat_period_s=30,
    unbonding_s=600,
    dissection_clock_s=120,
    matching_tick_s=1.0,
)

PUBLIC = Profile(
    name="public",
    chain_id=0,
    base_fee_wei=0,
    reorg_depth=0,
    block_time_s=12,
    confirmations_blocks=12,
    beacon_delay_blocks=64,
    epoch_interval_s=600,
    commit_s=900,
    reveal_s=600,
    window_s=86_400,
    panel_commit_s=3_600,
    panel_reveal_s=3_600,
    lease_s=60,
    heartbeat_s=15,
    # Three epoch intervals: a settler that posts every interval is never taken for silent, even if it misses two.
    posting_grace_s=1_800,
    post_by_after_expiry_s=172_800,
    claim_s=2_592_000,
    seat_period_s=86_400,
    unbonding_s=604_800,
    dissection_clock_s=43_200,
    matching_tick_s=5.0,
)
"""A public test network. Block time, confirmations and beacon delay are Sepolia's; docs/testnet.md says how to change
the delay for another chain."""

PROFILES = {profile.name: profile for profile in (LOCAL, TESTNET, PUBLIC)}


def profile_named(name: str) -> Profile:
    """The profile of that name. Raises UnknownProfileError."""
    if name not in PROFILES:
        raise UnknownProfileError(f"there is no profile {name!r}; there are {', '.join(PROFILES)}")
    return PROFILES[name]
