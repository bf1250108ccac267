"""The settler's rules of leasing, as pure functions of what is known about a device and a job."""

from dataclasses import dataclass

from protocol.money import PPM, amount_of, debit_of

STAKELESS_SPANS = 1
SHORT_LEASE_SECONDS = 1.0
LONG_LEASE_SECONDS = 4.0
ROUNDING_WEI = 3
"""A cumulative receipt is rounded down three times for all its leases together, a lease alone three times itself."""


@dataclass(frozen=True)
class LeasePolicy:
    """Limits of leasing: S_min in wei, the largest share of a job for one device and period, spans of a
    lease, and the expected replay in WU above which a leaf cannot be claimed."""

    minimum_stake: int
    max_share_ppm: int = 500_000
    max_spans: int = 16
    max_replay_wu: int | None = None


@dataclass(frozen=True)
class DeviceStanding:
    """A device as leasing sees it. `unfinal` is the pay in wei that it may still lose, `unattested` says that some of
    its accepted work has not come through its window, `lease_spans` what its last lease suggests for the next,
    `open_games` counts the challenges against it."""

    address: str
    bound: bool
    convicted: bool
    stake: int
    unfinal: int = 0
    unattested: bool = False
    lease_spans: int = 1
    open_games: int = 0


@dataclass(frozen=True)
class JobStanding:
    """A job as leasing sees it: `spans` in all, `open_spans` free, `held` by the device in this period; wei."""

    job_id: str
    open: bool
    spans: int
    open_spans: int
    held: int
    min_stake: int
    deadline: int
    budget: int
    reserved: int
    span_tasks: int
    task_limit_wu: int
    fee_ppm: int
    rate_floor_ppm: int


def is_stakeless(device: DeviceStanding, policy: LeasePolicy) -> bool:
    """True for a device that cannot pay for a dispute."""
    return device.stake < policy.minimum_stake or device.stake == 0


def device_refusal(device: DeviceStanding, policy: LeasePolicy) -> str | None:
    """Why the device gets no lease of any job now, None when it may have one."""
    if not device.bound:
        return "device_unbound"
    if device.convicted:
        return "device_convicted"
    if device.open_games:
        return "device_accused"
    if is_stakeless(device, policy):
        return "unattested_work" if device.unattested else None
    return "unfinal_pay" if device.unfinal >= device.stake else None


def share_left(job: JobStanding, policy: LeasePolicy) -> int:
    """Spans that the device may still take of the job in this period."""
    return -(-job.spans * policy.max_share_ppm // PPM) - job.held


def job_refusal(device: DeviceStanding, job: JobStanding, policy: LeasePolicy, now: float) -> str | None:
    """Why the device gets no lease of this job now, None when it may have one."""
    if not job.open:
        return "job_not_open"
    if now >= job.deadline:
        return "deadline_passed"
    if device.stake < job.min_stake:
        return "stake_below_minimum"
    if share_left(job, policy) <= 0:
        return "share_reached"
    return None


def reserve_of(job: JobStanding, spans: int, price: int) -> int:
    """The most in wei that a lease of so many full spans can cost the job."""
    amount = amount_of(spans * job.span_tasks * job.task_limit_wu, price)
    return debit_of(amount, job.fee_ppm, job.rate_floor_ppm) + ROUNDING_WEI


def affordable_spans(job: JobStanding, price: int, wanted: int) -> int:
    """How many of the wanted spans the job's budget still covers at their limit."""
    left = job.budget - job.reserved
    low, high = 0, wanted
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if reserve_of(job, middle, price) <= left else (low, middle - 1)
    return low


def spans_wanted(device: DeviceStanding, policy: LeasePolicy) -> int:
    """Spans of the device's next lease as far as the device alone decides: the most that it gets."""
    return STAKELESS_SPANS if is_stakeless(device, policy) else min(device.lease_spans, policy.max_spans)


def lease_size(device: DeviceStanding, job: JobStanding, price: int, live_devices: int, policy: LeasePolicy) -> int:
    """Spans of the device's next lease: what suits its speed, its share, the budget, and fair near the job's end."""
    fair = max(1, job.open_spans // max(1, live_devices))
    wanted = min(spans_wanted(device, policy), fair, job.open_spans, share_left(job, policy))
    return affordable_spans(job, price, max(0, wanted))


def next_size(spans: int, seconds: float, policy: LeasePolicy) -> int:
    """Spans that suit a device which took so long for its last lease: doubled under a second, halved over four."""
    if seconds < SHORT_LEASE_SECONDS:
        return min(policy.max_spans, spans * 2)
    if seconds > LONG_LEASE_SECONDS:
        return max(1, spans // 2)
    return spans
