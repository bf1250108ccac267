"""From a quote and a buyer's terms to a bid. Pure: the time and the salt are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from protocol.encoding import ZERO_ADDRESS, from_hex
from protocol.manifest import Manifest
from protocol.messages import Bid
from protocol.money import amount_of, debit_of

OUTPUT_BYTES_MAX = 1 << 20


@dataclass(frozen=True)
class Quote:
    """The market's word before money moves: WU for a task, the price in wei per GWU, spans, expected seconds."""

    wu_mean: int
    wu_max: int
    task_limit_wu: int
    price_wei_per_gwu: int
    span_tasks: int
    expected_seconds: float

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The quote as the API tells it."""
        wu = value["wuPerTask"]
        return cls(
            int(wu["mean"]),
            int(wu["max"]),
            int(value["taskLimitWU"]),
            int(value["priceWeiPerGWU"]),
            int(value["spanTasks"]),
            float(value["expectedSeconds"]),
        )

    @property
    def task_price_wei(self) -> int:
        """What an average task costs at the quoted price."""
        return amount_of(self.wu_mean, self.price_wei_per_gwu)


@dataclass(frozen=True)
class Terms:
    """What a buyer may set; None takes the quote's. Wei, ppm, seconds from now.

    `rate_floor_ppm` is the least share of tasks to be replayed: more certainty, at a surcharge.
    """

    max_price_wei_per_gwu: int | None = None
    budget_wei: int | None = None
    span_tasks: int | None = None
    task_limit_wu: int | None = None
    rate_floor_ppm: int = 10_000
    min_stake_wei: int = 0
    max_fee_ppm: int = 30_000
    max_output_bytes: int = OUTPUT_BYTES_MAX
    deadline_s: int = 3_600
    settler: str = ZERO_ADDRESS


def budget_for(tasks: int, task_limit_wu: int, terms: Terms, price_wei_per_gwu: int) -> int:
    """Wei that cover every task at its limit, the highest fee and the whole surcharge; what is not spent comes back."""
    return debit_of(amount_of(tasks * task_limit_wu, price_wei_per_gwu), terms.max_fee_ppm, terms.rate_floor_ppm)


def build_bid(
    buyer: str, program_id: str, manifest: Manifest, quote: Quote, terms: Terms, now: int, salt: bytes
) -> Bid:
    """The bid over a manifest; `now` in Unix seconds. Raises EncodingInvalid for terms that no job opens on."""
    price = quote.price_wei_per_gwu if terms.max_price_wei_per_gwu is None else terms.max_price_wei_per_gwu
    limit = quote.task_limit_wu if terms.task_limit_wu is None else terms.task_limit_wu
    tasks = len(manifest.inputs)
    bid = Bid(
        buyer=buyer,
        program_id=from_hex(program_id, 32, "programId"),
        inputs_root=manifest.inputs_root,
        manifest=manifest.blob_id,
        task_count=tasks,
        span_tasks=quote.span_tasks if terms.span_tasks is None else terms.span_tasks,
        task_limit_wu=limit,
        max_output_bytes=terms.max_output_bytes,
        max_price_wei_per_gwu=price,
        budget=budget_for(tasks, limit, terms, price) if terms.budget_wei is None else terms.budget_wei,
        rate_floor_ppm=terms.rate_floor_ppm,
        min_stake=terms.min_stake_wei,
        deadline=now + terms.deadline_s,
        settler=terms.settler,
        max_fee_ppm=terms.max_fee_ppm,
        salt=salt,
    )
    bid.check_rules()
    return bid
