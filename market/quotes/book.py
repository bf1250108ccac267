"""What live devices offer for a program now, and what a job of some size would come to on them. Pure but for `read`.

Who may work on it: bound to an owner, neither convicted nor accused, with the stake and the memory that are asked for,
willing to take the program. A price far above what most ask is left out: one absurd offer is no price.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from market.context import Context
from market.offers.models import Offer
from market.offers.service import live_seconds
from market.programs.models import Program
from market.sessions.models import Device
from protocol.money import PPM, amount_of, rule_ppm

DEFAULT_NS_PER_WU = 1.0
OUTLIER = 10
"""Asks above so many times the median ask are left out."""


class Ask(NamedTuple):
    """A live device: its ask in wei per GWU, its speed, its stake in wei."""

    price: int
    ns_per_wu: float
    stake: int

    @property
    def wu_per_second(self) -> float:
        """Its speed."""
        return 1e9 / self.ns_per_wu


class Cost(NamedTuple):
    """What an amount of even tasks is expected to cost, in wei; `replayed_ppm` is the expected share replayed."""

    amount: int
    deduction: int
    surcharge: int
    replayed_ppm: int


def read(context: Context, session: Session, program: Program, min_stake: int) -> tuple[list[Ask], int]:
    """The asks for a program, cheapest first, and how many devices are there at all."""
    query = (
        select(Offer, Device)
        .join(Device, Device.address == Offer.device)
        .where(Offer.polled_at > context.moment(-live_seconds(context)), Offer.valid_until > context.moment())
    )
    rows = session.execute(query).all()
    able = [
        (offer.min_price, offer.ns_per_wu, device.stake)
        for offer, device in rows
        if device.owner is not None
        and not device.convicted
        and not device.open_games
        and device.stake >= min_stake
        and offer.memory_pages >= program.memory_pages
        and (offer.programs is None or program.program_id in offer.programs)
        and (program.attested or not offer.attested_only)
    ]
    return sensible(able), len(rows)


def sensible(rows: Sequence[tuple[int, float | None, int]]) -> list[Ask]:
    """Asks (price, ns per WU or None, stake), cheapest first, without outliers; an unknown speed is the median."""
    if not rows:
        return []
    speeds = sorted(speed for _, speed, _ in rows if speed)
    median = speeds[len(speeds) // 2] if speeds else DEFAULT_NS_PER_WU
    asks = sorted(Ask(price, speed or median, stake) for price, speed, stake in rows)
    most = asks[(len(asks) - 1) // 2].price * OUTLIER
    return [ask for ask in asks if ask.price <= most]


def expected(asks: Sequence[Ask], tasks: int, task_wu: int, floor_ppm: int) -> Cost:
    """The cost of so many tasks of so many WU, shared out among all asks by their speed."""
    speed = sum(ask.wu_per_second for ask in asks)
    amount = deduction = surcharge = replayed = 0.0
    for ask in asks:
        share = ask.wu_per_second / speed
        pay = share * amount_of(tasks * task_wu, ask.price)
        rule = rule_ppm(amount_of(task_wu, ask.price), task_wu, task_wu * task_wu, ask.stake)
        amount += pay
        deduction += pay * rule / (2 * PPM)
        surcharge += pay * max(0, floor_ppm - rule) / (2 * PPM)
        replayed += share * max(rule, floor_ppm)
    return Cost(round(amount), round(deduction), round(surcharge), round(replayed))


def seconds_of(asks: Sequence[Ask], tasks: int, task_wu: int, span_tasks: int) -> float:
    """Seconds of work on all asks at once: by their speed together, and at least one span on one of them."""
    fastest = sorted(asks, key=lambda ask: ask.ns_per_wu)[: max(1, -(-tasks // span_tasks))]
    together = tasks * task_wu / sum(ask.wu_per_second for ask in fastest)
    return max(together, min(tasks, span_tasks) * task_wu / fastest[0].wu_per_second)
