"""Quotes: a few of the buyer's own inputs are run in the sandbox, and the rest is arithmetic over live offers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from execution import DeviceFailure, Sandbox
from market.blobs.store import BlobMissing
from market.context import Context
from market.matching.policy import ROUNDING_WEI
from market.problems import Problem
from market.programs.models import Program
from market.quotes import book
from market.quotes.book import Ask, Cost
from protocol.encoding import from_hex
from protocol.manifest import InputEntry, Manifest
from protocol.money import amount_of, debit_of, fee_of
from protocol.wasm import Limits

SAMPLES_MOST = 8
SECONDS_MOST = 2.0
SPAN_SECONDS = 3.0
LIMIT_OVER_MAX = 2
"""The suggested task limit, over the most that a sample took."""
RATE_FLOOR_PPM = 10_000


@dataclass(frozen=True)
class Wishes:
    """What the buyer asks for beyond the work: the least share replayed in ppm, the least stake of a device in wei."""

    rate_floor_ppm: int = RATE_FLOOR_PPM
    min_stake: int = 0


@dataclass(frozen=True)
class Quote:
    """What a job would cost: WU, wei, seconds on the devices that are there.

    `cap` is the budget that covers every task at its limit at `price`, the dearest ask: nothing above it can be spent.
    """

    tasks: int
    costs: tuple[int, ...]
    task_limit_wu: int
    span_tasks: int
    price: int
    price_low: int
    fee_ppm: int
    cap: int
    expected: Cost
    devices: int
    wu_per_second: float
    work_seconds: float
    attested_seconds: float
    final_seconds: float
    drivers: tuple[str, ...]

    @property
    def mean_wu(self) -> int:
        """WU of an average sample, rounded up."""
        return -(-sum(self.costs) // len(self.costs))

    @property
    def fee(self) -> int:
        """The settler's fee on the expected pay."""
        return fee_of(self.expected.amount, self.fee_ppm)

    @property
    def expected_cost(self) -> int:
        """What the buyer is expected to pay in all."""
        return self.expected.amount + self.fee + self.expected.surcharge


def quote(context: Context, program_id: str, manifest_id: str, wishes: Wishes) -> Quote:
    """Runs at most 8 inputs for at most 2 seconds.

    Problem 422 `program_unknown`, `program_refused`, `manifest_missing`, `input_missing`, `quote_failed`,
    409 `no_capacity` where nobody who may work on it is there.
    """
    with context.sessions() as session:
        program = _program(session.get(Program, program_id))
        asks, live = book.read(context, session, program, wishes.min_stake)
    if not asks:
        raise Problem(409, "no_capacity", "no device that may work on this is there now", live=live)
    try:
        manifest = Manifest.parse(context.blobs.get(manifest_id))
    except BlobMissing:
        raise Problem(422, "manifest_missing", "the manifest was not uploaded", blob=manifest_id) from None
    limits = Limits(program.limit_wu, program.memory_pages, program.frame_bytes)
    module = context.blobs.get(program.rewritten_hash)
    samples = Random(from_hex(manifest_id, 32)).sample(manifest.inputs, min(SAMPLES_MOST, len(manifest.inputs)))
    costs = _run(context, module, limits, samples)
    return _priced(context, asks, costs, len(manifest.inputs), program.limit_wu, wishes)


def _program(program: Program | None) -> Program:
    if program is None:
        raise Problem(422, "program_unknown", "the program is not known here")
    if program.state != "registered":
        raise Problem(422, "program_refused", "the program is not registered on the chain (yet)")
    return program


def _run(context: Context, module: bytes, limits: Limits, samples: Sequence[InputEntry]) -> tuple[int, ...]:
    """WU of the samples that were finished in time."""
    costs: list[int] = []
    spent = 0.0
    with Sandbox(module, limits, wall_limit_s=SECONDS_MOST) as sandbox:
        for sample in samples:
            data = _input(context, sample)
            started = time.monotonic()
            try:
                costs.append(sandbox.run(data).wu)
            except DeviceFailure as failure:
                if not costs:
                    raise Problem(422, "quote_failed", f"a sample did not finish: {failure.reason}") from None
                break
            spent += time.monotonic() - started
            if spent > SECONDS_MOST:
                break
    return tuple(costs)


def _input(context: Context, entry: InputEntry) -> bytes:
    if entry.data is not None:
        return entry.data
    name = "0x" + entry.hash.hex()
    try:
        return context.blobs.get(name)
    except BlobMissing:
        raise Problem(422, "input_missing", "an input was not uploaded", blob=name) from None


def _priced(
    context: Context, asks: Sequence[Ask], costs: tuple[int, ...], tasks: int, limit_wu: int, wishes: Wishes
) -> Quote:
    mean = -(-sum(costs) // len(costs))
    task_limit = min(limit_wu, LIMIT_OVER_MAX * max(costs))
    median = sorted(ask.wu_per_second for ask in asks)[len(asks) // 2]
    span_tasks = max(1, min(256, tasks, int(SPAN_SECONDS * median / mean)))
    price, floor = max(ask.price for ask in asks), wishes.rate_floor_ppm
    work = book.seconds_of(asks, tasks, mean, span_tasks)
    attested = work + sum(context.clock(name) for name in ("epoch_interval", "commit", "reveal"))
    cap = cap_of(tasks, span_tasks, task_limit, price, context.fee_ppm, floor)
    expected = book.expected(asks, tasks, mean, floor)
    return Quote(
        tasks=tasks,
        costs=costs,
        task_limit_wu=task_limit,
        span_tasks=span_tasks,
        price=price,
        price_low=min(ask.price for ask in asks),
        fee_ppm=context.fee_ppm,
        cap=cap,
        expected=expected,
        devices=len(asks),
        wu_per_second=sum(ask.wu_per_second for ask in asks),
        work_seconds=work,
        attested_seconds=attested,
        final_seconds=attested + context.clock("window"),
        drivers=_drivers(asks, costs, tasks, task_limit, cap, expected, floor),
    )


def cap_of(tasks: int, span_tasks: int, task_limit: int, price: int, fee_ppm: int, floor_ppm: int) -> int:
    """The most that leases of all spans reserve together, each full and at its limit, in wei.

    The last span counts as a full one, as leasing reserves it.
    """
    spans = -(-tasks // span_tasks)
    amount = amount_of(spans * span_tasks * task_limit, price)
    return debit_of(amount, fee_ppm, floor_ppm) + ROUNDING_WEI * spans


def _drivers(
    asks: Sequence[Ask], costs: Sequence[int], tasks: int, limit: int, cap: int, expected: Cost, floor: int
) -> tuple[str, ...]:
    """What the numbers follow from, in sentences."""
    low, high = min(ask.price for ask in asks), max(ask.price for ask in asks)
    lines = [
        f"{len(costs)} of {tasks} inputs were run: {min(costs):,} to {max(costs):,} WU each, and no others.",
        f"The cap covers every task at {limit:,} WU, its limit: {cap / max(1, expected.amount):.1f} times the pay.",
        f"{len(asks)} devices offer now, at {low:,} to {high:,} wei per GWU; the cap is at the dearest.",
        f"About {expected.replayed_ppm / 10_000:.1f} % of the work is replayed; "
        + ("stakes ask for more than the floor." if expected.replayed_ppm > floor else "that is the floor asked for."),
    ]
    stakeless = sum(1 for ask in asks if ask.stake == 0)
    if stakeless:
        lines.append(f"{stakeless} of the devices have no stake: all of their work is replayed, one lease at a time.")
    return tuple(lines)
