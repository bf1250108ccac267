"""Amounts and clocks that the contracts are deployed with; pure data, no Brownie.

Amounts follow from P, the expected price of a task; clocks from the profile that MULTITUDE_PROFILE names (`public` for
public test networks). A JSON object of this class's fields in MULTITUDE_PARAMETERS changes single ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from deploy.local.profiles import Profile, profile_named

PROFILE_VARIABLE = "MULTITUDE_PROFILE"
PARAMETERS_VARIABLE = "MULTITUDE_PARAMETERS"

EXPECTED_PRICE_WEI = 10**15


class ParametersInvalidError(ValueError):
    """Raised for an unknown field, or one that is not a positive integer."""


def profile_of(environment: Mapping[str, str]) -> Profile:
    """The profile that MULTITUDE_PROFILE names, `local` if none. Raises UnknownProfileError."""
    return profile_named(environment.get(PROFILE_VARIABLE) or "local")


@dataclass(frozen=True)
class Parameters:
    """One deployment's numbers. `*_s` are seconds, `*_wei` token wei, `*_native_wei` the chain's own coin."""

    expected_price_wei: int
    beacon_delay_blocks: int
    seed_timeout_s: int
    commit_s: int
    reveal_s: int
    window_s: int
    claim_s: int
    panel_draw_s: int
    panel_commit_s: int
    panel_reveal_s: int
    panel_appeal_s: int
    posting_grace_s: int
    seat_period_s: int
    unbonding_s: int
    max_replay_wu: int
    challenge_bond_native_wei: int
    faucet_cooldown_s: int

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or value < 1:
                raise ParametersInvalidError(f"{field.name} is not an integer of 1 or more: {value!r}")

    @classmethod
    def of_profile(cls, profile: Profile, expected_price_wei: int = EXPECTED_PRICE_WEI) -> Self:
        """The parameters of a network with this profile."""
        return cls(
            expected_price_wei=expected_price_wei,
            beacon_delay_blocks=profile.beacon_delay_blocks,
            seed_timeout_s=3 * profile.commit_s,
            commit_s=profile.commit_s,
            reveal_s=profile.reveal_s,
            window_s=profile.window_s,
            claim_s=profile.claim_s,
            panel_draw_s=profile.panel_commit_s,
            panel_commit_s=profile.panel_commit_s,
            panel_reveal_s=profile.panel_reveal_s,
            panel_appeal_s=profile.panel_reveal_s,
            posting_grace_s=profile.posting_grace_s,
            seat_period_s=profile.seat_period_s,
            unbonding_s=profile.unbonding_s,
            max_replay_wu=20 * 10**9,
            challenge_bond_native_wei=10**16,
            faucet_cooldown_s=60,
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The profile that MULTITUDE_PROFILE names (`local` if none), changed by what MULTITUDE_PARAMETERS holds.

        Raises ParametersInvalidError, UnknownProfileError.
        """
        base = cls.of_profile(profile_of(environment))
        try:
            changes = json.loads(environment.get(PARAMETERS_VARIABLE) or "{}")
        except json.JSONDecodeError as error:
            raise ParametersInvalidError(f"{PARAMETERS_VARIABLE} is not JSON: {error}") from None
        return base.changed(changes)

    def changed(self, changes: object) -> Self:
        """These parameters with some fields changed; wei may be decimal strings. Raises ParametersInvalidError."""
        names = {field.name for field in fields(self)}
        if not isinstance(changes, dict) or not names.issuperset(changes):
            raise ParametersInvalidError(f"not an object of {', '.join(sorted(names))}: {changes!r}")
        values = {name: int(value) if isinstance(value, str) else value for name, value in changes.items()}
        return replace(self, **values)

    @property
    def minimum_stake_wei(self) -> int:
        """S_min of a device."""
        return 10 * self.expected_price_wei

    @property
    def seat_stake_wei(self) -> int:
        """Stake of one seat."""
        return 1_000 * self.expected_price_wei

    @property
    def epoch_bond_wei(self) -> int:
        """What a settler has locked for each unfinished epoch."""
        return 1_000 * self.expected_price_wei

    @property
    def settler_bond_wei(self) -> int:
        """The bond that a settler is expected to keep: ten epochs at once."""
        return 10_000 * self.expected_price_wei

    @property
    def faucet_wei(self) -> int:
        """What the faucet hands out at once: a settler's bond and as much again."""
        return 20_000 * self.expected_price_wei

    @property
    def conviction_path_s(self) -> int:
        """The longest time from a posting to the conviction that follows from it, an appeal included."""
        epoch = self.seed_timeout_s + self.commit_s + self.reveal_s + self.window_s
        panel = self.panel_draw_s + self.panel_commit_s + self.panel_reveal_s
        return epoch + 2 * panel + self.panel_appeal_s

    def clocks(self) -> dict[str, int]:
        """Every clock by its name without the unit, in seconds."""
        named = {name.removesuffix("_s"): value for name, value in asdict(self).items() if name.endswith("_s")}
        return {**named, "conviction_path": self.conviction_path_s}

    def amounts(self) -> dict[str, str]:
        """Everything that is no clock, as decimal strings."""
        derived = ("minimum_stake", "seat_stake", "epoch_bond", "settler_bond", "faucet")
        own: dict[str, Any] = {name: value for name, value in asdict(self).items() if not name.endswith("_s")}
        own.update({f"{name}_wei": getattr(self, f"{name}_wei") for name in derived})
        return {name: str(value) for name, value in own.items()}
