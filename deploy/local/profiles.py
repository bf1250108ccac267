"""The clocks of a local network: design section 4, columns `local` and `PROFILE=testnet`.

Windows are seconds; only confirmations and the beacon count blocks. The deployment takes its constructor parameters
from here and network.json repeats them as seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

LOCAL_CHAIN_ID = 31337


class UnknownProfileError(ValueError):
    """Raised for a profile name that is neither `local` nor `testnet`."""


@dataclass(frozen=True)
class Profile:
    """One column of the clock table. `*_s` are seconds, `*_blocks` blocks."""

    name: str
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


LOCAL = Profile(
    name="local",
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

PROFILES = {profile.name: profile for profile in (LOCAL, TESTNET)}


def profile_named(name: str) -> Profile:
    """The profile of that name. Raises UnknownProfileError."""
    if name not in PROFILES:
        raise UnknownProfileError(f"there is no profile {name!r}; there are {', '.join(PROFILES)}")
    return PROFILES[name]
