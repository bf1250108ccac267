"""What stake does, in plain words, before anybody puts tokens at risk: pure arithmetic on the rules of the design."""

from dataclasses import dataclass

from protocol.money import BONDED_TASKS, PPM
from protocol.sampling import p_ppm

WEI_PER_TOKEN = 10**18
RATE_FLOOR_PPM = 10_000
"""The least rate that a bid may ask for."""


@dataclass(frozen=True)
class Effect:
    """Of a stake in wei on tasks of one price: the share replayed, and the share of the pay that it costs, in ppm."""

    stake: int
    replayed_ppm: int
    deducted_ppm: int


def effect_of(stake: int, task_price: int, minimum_stake: int) -> Effect:
    """What a stake does; below the minimum it counts as none."""
    counted = stake if stake >= minimum_stake else 0
    by_rule = p_ppm(task_price, counted, 0)
    return Effect(stake, max(RATE_FLOOR_PPM, by_rule), by_rule // 2)


def explain(now: int, after: int, task_price: int, minimum_stake: int) -> str:
    """What changes when the stake goes from `now` to `after` wei, for tasks of `task_price` wei (0: not known yet)."""
    if not task_price:
        return (
            "This device has no accepted task yet, so its average task price is not known. At 300 task prices of stake "
            "1.5 % of its tasks are replayed, at 100 it is 4.4 %, below 4.5 every one."
        )
    before, then = (effect_of(stake, task_price, minimum_stake) for stake in (now, after))
    lines = [
        f"An average task of this device is worth {tokens(task_price)}.",
        _effect_line(before),
        _effect_line(then),
        f"Pay is bonded until the stake is {BONDED_TASKS} task prices: {tokens(BONDED_TASKS * task_price)}.",
    ]
    if after < minimum_stake:
        lines.append(f"A stake below {tokens(minimum_stake)} counts as none.")
    return "\n".join(lines)


def _effect_line(effect: Effect) -> str:
    replayed, deducted = _percent(effect.replayed_ppm), _percent(effect.deducted_ppm)
    return (
        f"At a stake of {tokens(effect.stake)}, {replayed} of such tasks are replayed, "
        f"and {deducted} of the pay goes to those who replay them."
    )


RISK = (
    "Stake is at risk: if this device signs a wrong result and is convicted, its whole stake is taken, unbonding stake "
    "too. A fault of the machine (a bit flip, overclocking) costs stake like a lie."
)


def tokens(wei: int) -> str:
    """Wei as tokens, exactly."""
    whole, rest = divmod(wei, WEI_PER_TOKEN)
    return f"{whole}{f'.{rest:018d}'.rstrip('0') if rest else ''} MANY"


def wei_of(text: str) -> int:
    """Wei of "12.5" (tokens) or "1000wei". ValueError for anything else, parts of a wei too."""
    plain = text.strip().lower()
    if plain.endswith("wei"):
        return _whole(plain.removesuffix("wei").strip())
    whole, dot, rest = plain.removesuffix("many").strip().partition(".")
    if len(rest) > 18 or not (whole or rest) or (dot and not rest):
        raise ValueError(f"{text} is no amount of tokens")
    return _whole(whole or "0") * WEI_PER_TOKEN + _whole(rest.ljust(18, "0"))


def _whole(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{digits} is no amount")
    return int(digits)


def _percent(ppm: int) -> str:
    return f"{ppm * 100 / PPM:.2f}".rstrip("0").rstrip(".") + " %"
