"""Quotes: a few of the buyer's own inputs are run in the sandbox, and the rest is arithmetic."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sqlalchemy import select

from execution import DeviceFailure, Sandbox
from market.blobs.store import BlobMissing
from market.context import Context
from market.offers.models import Offer
from market.offers.service import live_seconds
from market.problems import Problem
from market.programs import service as programs
from protocol.encoding import from_hex
from protocol.manifest import InputEntry, Manifest
from protocol.money import PPM, amount_of, fee_of
from protocol.wasm import Limits

SAMPLES_MOST = 8
SECONDS_MOST = 2.0
SPAN_SECONDS = 3.0
LIMIT_OVER_MAX = 2
"""The suggested task limit, over the most that a sample took."""
DEFAULT_NS_PER_WU = 1.0
RATE_FLOOR_PPM = 100_000


@dataclass(frozen=True)
class Quote:
    """What a job would cost: WU, wei, seconds on the devices that are there. The budget covers every task's limit."""

    wu_min: int
    wu_mean: int
    wu_max: int
    task_limit_wu: int
    price: int
    amount: int
    fee: int
    surcharge: int
    budget: int
    span_tasks: int
    expected_seconds: float
    samples: int


def quote(context: Context, program_id: str, manifest_id: str, rate_floor_ppm: int) -> Quote:
    """Runs at most 8 inputs for at most 2 seconds. Problem 404, 422 `manifest_missing`, `quote_failed`."""
    program = programs.get(context, program_id)
    try:
        manifest = Manifest.parse(context.blobs.get(manifest_id))
    except BlobMissing:
        raise Problem(422, "manifest_missing", "the manifest was not uploaded") from None
    limits = Limits(program.limit_wu, program.memory_pages, program.frame_bytes)
    module = context.blobs.get(program.rewritten_hash)
    samples = Random(from_hex(manifest_id, 32)).sample(manifest.inputs, min(SAMPLES_MOST, len(manifest.inputs)))
    costs, seconds = _run(context, module, limits, samples)
    return _priced(context, costs, seconds, len(manifest.inputs), program.limit_wu, rate_floor_ppm)


def _run(context: Context, module: bytes, limits: Limits, samples: Sequence[InputEntry]) -> tuple[list[int], float]:
    """WU of the samples that were finished in time, and the seconds they took."""
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
    return costs, spent


def _input(context: Context, entry: InputEntry) -> bytes:
    if entry.data is not None:
        return entry.data
    try:
        return context.blobs.get("0x" + entry.hash.hex())
    except BlobMissing:
        raise Problem(422, "input_missing", "an input was not uploaded") from None


def _priced(context: Context, costs: Sequence[int], seconds: float, tasks: int, limit_wu: int, floor_ppm: int) -> Quote:
    mean = -(-sum(costs) // len(costs))
    task_limit = min(limit_wu, LIMIT_OVER_MAX * max(costs))
    price, ns_per_wu, devices = _book(context)
    amount = amount_of(tasks * mean, price)
    most = amount_of(tasks * task_limit, price)
    surcharge = most * floor_ppm // (2 * PPM)
    task_seconds = max(mean * ns_per_wu / 1e9, seconds / len(costs) / 10)
    return Quote(
        wu_min=min(costs),
        wu_mean=mean,
        wu_max=max(costs),
        task_limit_wu=task_limit,
        price=price,
        amount=amount,
        fee=fee_of(amount, context.fee_ppm),
        surcharge=amount * floor_ppm // (2 * PPM),
        budget=most + fee_of(most, context.fee_ppm) + surcharge + tasks,
        span_tasks=max(1, min(256, int(SPAN_SECONDS / max(task_seconds, 1e-6)))),
        expected_seconds=round(tasks * task_seconds / max(1, devices), 3),
        samples=len(costs),
    )


def _book(context: Context) -> tuple[int, float, int]:
    """The dearest live ask in wei per GWU, the median speed in ns per WU, and the number of live devices."""
    with context.sessions() as session:
        since = context.moment(-live_seconds(context))
        query = select(Offer.min_price, Offer.ns_per_wu).where(Offer.polled_at > since)
        rows = session.execute(query).all()
    speeds = sorted(speed for _, speed in rows if speed)
    median = speeds[len(speeds) // 2] if speeds else DEFAULT_NS_PER_WU
    return max((price for price, _ in rows), default=10**9), median, len(rows)
