"""From a quote and a buyer's terms to a bid. Pure: the time and the salt are given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from multitude.buyer.display import duration, html_card, tokens
from multitude.buyer.wire import list_of, number_of, object_of, seconds_of
from protocol.encoding import ZERO_ADDRESS, from_hex
from protocol.manifest import Manifest
from protocol.messages import Bid
from protocol.money import amount_of, debit_of

OUTPUT_BYTES_MAX = 1 << 20
DRIVERS_MOST = 20


@dataclass(frozen=True)
class Quote:
    """The market's word before money moves, from running a sample of the inputs.

    Amounts and prices in token wei (a price for a GWU), work in WU, times in seconds. `cap` is the budget that a bid on
    this quote locks: every task at its limit at the highest price, with fee and surcharge. Nothing above it can be
    spent; what is not spent comes back. `expected_cost` is what the job probably costs, `fees` and `surcharge` being
    parts of it; `deduction` is taken from the devices' pay. `drivers` are sentences: what makes the price.
    """

    tasks: int
    sampled: int
    wu_min: int
    wu_mean: int
    wu_max: int
    task_limit_wu: int
    span_tasks: int
    price_wei_per_gwu: int
    price_low: int
    price_high: int
    fee_ppm: int
    cap: int
    expected_cost: int
    fees: int
    surcharge: int
    deduction: int
    replayed_ppm: int
    devices: int
    expected_seconds: float
    attested_seconds: float
    final_seconds: float
    drivers: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The quote as the API tells it. Raises ApiHostile."""
        wu, prices = object_of(value.get("wuPerTask"), "wuPerTask"), object_of(value.get("priceRange"), "priceRange")
        checks, capacity = (object_of(value.get(name), name) for name in ("verification", "capacity"))
        return cls(
            tasks=number_of(value, "tasks"),
            sampled=number_of(value, "sampled"),
            wu_min=number_of(wu, "min"),
            wu_mean=number_of(wu, "mean"),
            wu_max=number_of(wu, "max"),
            task_limit_wu=number_of(value, "taskLimitWU"),
            span_tasks=number_of(value, "spanTasks"),
            price_wei_per_gwu=number_of(value, "priceWeiPerGWU"),
            price_low=number_of(prices, "low"),
            price_high=number_of(prices, "high"),
            fee_ppm=number_of(value, "feePpm"),
            cap=number_of(value, "cap"),
            expected_cost=number_of(value, "expectedCost"),
            fees=number_of(value, "fees"),
            surcharge=number_of(checks, "surcharge"),
            deduction=number_of(checks, "deduction"),
            replayed_ppm=number_of(checks, "replayedPpm"),
            devices=number_of(capacity, "devices"),
            expected_seconds=seconds_of(value, "expectedSeconds"),
            attested_seconds=seconds_of(value, "attestedSeconds"),
            final_seconds=seconds_of(value, "finalSeconds"),
            drivers=tuple(str(text)[:500] for text in list_of(value, "drivers", DRIVERS_MOST)),
        )

    @property
    def task_price_wei(self) -> int:
        """What an average task costs at the quoted price."""
        return amount_of(self.wu_mean, self.price_wei_per_gwu)

    def to_json(self) -> dict[str, Any]:
        """Everything; amounts and WU as decimal strings."""
        counts = ("tasks", "sampled", "span_tasks", "fee_ppm", "replayed_ppm", "devices")
        return {name: str(v) if type(v) is int and name not in counts else v for name, v in vars(self).items()}

    def rows(self) -> list[tuple[str, str]]:
        """The quote for people: what, and how much of it."""
        return [
            ("tasks", f"{self.tasks} ({self.sampled} were run to tell)"),
            ("work for a task", f"{self.wu_mean:,} WU on average, {self.wu_min:,} to {self.wu_max:,} seen"),
            (
                "price",
                f"{tokens(self.price_low)} to {tokens(self.price_high)} for a GWU, asked by {self.devices} devices",
            ),
            (
                "expected cost",
                f"{tokens(self.expected_cost)}, of it fees {tokens(self.fees)}, checks {tokens(self.surcharge)}",
            ),
            ("at most", f"{tokens(self.cap)}: locked when the job opens; what is not spent comes back"),
            ("replayed", f"{self.replayed_ppm / 10_000:.2g} % of the work, by verifiers drawn after it is committed"),
            ("time", f"{duration(self.expected_seconds)} of work, final after {duration(self.final_seconds)}"),
            *(("because", text) for text in self.drivers),
        ]

    def _repr_html_(self) -> str:
        return html_card("Quote", self.rows())


@dataclass(frozen=True)
class Terms:
    """What a buyer may set; None takes the quote's. Wei, ppm, seconds from now.

    `rate_floor_ppm` is the least share of tasks to be replayed: more certainty, at a surcharge. `max_fee_ppm` is the
    most that the settler may keep of the pay.
    """

    max_price_wei_per_gwu: int | None = None
    budget_wei: int | None = None
    span_tasks: int | None = None
    task_limit_wu: int | None = None
    rate_floor_ppm: int = 10_000
    min_stake_wei: int = 0
    max_fee_ppm: int | None = None
    max_output_bytes: int = OUTPUT_BYTES_MAX
    deadline_s: int = 3_600
    settler: str = ZERO_ADDRESS


def budget_for(tasks: int, task_limit_wu: int, price_wei_per_gwu: int, fee_ppm: int, rate_floor_ppm: int) -> int:
    """Wei that cover every task at its limit, the highest fee and the whole surcharge; what is not spent comes back."""
    return debit_of(amount_of(tasks * task_limit_wu, price_wei_per_gwu), fee_ppm, rate_floor_ppm)


def build_bid(
    buyer: str, program_id: str, manifest: Manifest, quote: Quote, terms: Terms, now: int, salt: bytes
) -> Bid:
    """The bid over a manifest; `now` in Unix seconds. Raises EncodingInvalid for terms that no job opens on.

    The budget is the quote's cap, or where the terms change what the cap was made of, worked out again.
    """
    price = _chosen(terms.max_price_wei_per_gwu, quote.price_wei_per_gwu)
    limit = _chosen(terms.task_limit_wu, quote.task_limit_wu)
    fee_ppm = _chosen(terms.max_fee_ppm, quote.fee_ppm)
    tasks = len(manifest.inputs)
    as_quoted = (price, limit, fee_ppm, tasks) == (
        quote.price_wei_per_gwu,
        quote.task_limit_wu,
        quote.fee_ppm,
        quote.tasks,
    )
    budget = quote.cap if as_quoted else budget_for(tasks, limit, price, fee_ppm, terms.rate_floor_ppm)
    bid = Bid(
        buyer=buyer,
        program_id=from_hex(program_id, 32, "programId"),
        inputs_root=manifest.inputs_root,
        manifest=manifest.blob_id,
        task_count=tasks,
        span_tasks=_chosen(terms.span_tasks, quote.span_tasks),
        task_limit_wu=limit,
        max_output_bytes=terms.max_output_bytes,
        max_price_wei_per_gwu=price,
        budget=_chosen(terms.budget_wei, budget),
        rate_floor_ppm=terms.rate_floor_ppm,
        min_stake=terms.min_stake_wei,
        deadline=now + terms.deadline_s,
        settler=terms.settler,
        max_fee_ppm=fee_ppm,
        salt=salt,
    )
    bid.check_rules()
    return bid


def _chosen(wish: int | None, quoted: int) -> int:
    return quoted if wish is None else wish
