"""The rules of leasing, alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.matching.policy import (
    DeviceStanding,
    JobStanding,
    LeasePolicy,
    affordable_spans,
    device_refusal,
    job_refusal,
    lease_size,
    next_size,
    reserve_of,
)
from protocol.money import amount_of, debit_of

POLICY = LeasePolicy(minimum_stake=100, max_share_ppm=500_000, max_spans=16)
DEVICE = DeviceStanding("0xd", bound=True, convicted=False, stake=1000, lease_spans=8)
JOB = JobStanding("0xj", True, 113, 113, 0, 0, 1000, 10**12, 0, 16, 10**9, 10_000, 100_000)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bound": False}, "device_unbound"),
        ({"convicted": True}, "device_convicted"),
        ({"unfinal": 1000}, "unfinal_pay"),
        ({"unfinal": 999}, None),
        ({"stake": 99, "unattested": True}, "unattested_work"),
        ({"stake": 99, "unattested": False, "unfinal": 500}, None),
        ({"stake": 0, "unattested": True}, "unattested_work"),
        ({"open_games": 1}, "device_accused"),
    ],
)
def test_device_refusal_names_the_rule(change: dict[str, object], reason: str | None) -> None:
    assert device_refusal(replace(DEVICE, **change), POLICY) == reason  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "now", "reason"),
    [
        ({"open": False}, 0, "job_not_open"),
        ({}, 1000, "deadline_passed"),
        ({"min_stake": 1001}, 0, "stake_below_minimum"),
        ({"held": 57}, 0, "share_reached"),
        ({"held": 56}, 0, None),
    ],
)
def test_job_refusal_names_the_rule(change: dict[str, object], now: float, reason: str | None) -> None:
    assert job_refusal(DEVICE, replace(JOB, **change), POLICY, now) == reason  # type: ignore[arg-type]


def test_lease_size_of_a_stakeless_device_is_one_span() -> None:
    assert lease_size(replace(DEVICE, stake=99), JOB, 1, 1, POLICY) == 1


@pytest.mark.parametrize(
    ("change", "size"), [({}, 8), ({"open_spans": 20}, 4), ({"held": 54}, 3), ({"open_spans": 0}, 0)]
)
def test_lease_size_is_fair_and_within_the_share(change: dict[str, object], size: int) -> None:
    assert lease_size(DEVICE, replace(JOB, **change), 1, 5, POLICY) == size  # type: ignore[arg-type]


@given(st.integers(1, 10**6), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 16))
def test_affordable_spans_never_exceed_the_budget(price: int, budget: int, reserved: int, wanted: int) -> None:
    job = replace(JOB, budget=budget, reserved=reserved)
    spans = affordable_spans(job, price, wanted)
    assert spans == 0 or reserved + reserve_of(job, spans, price) <= budget
    assert spans == wanted or reserved + reserve_of(job, spans + 1, price) > budget


@given(st.lists(st.integers(1, 10**9 * 16), min_size=1, max_size=20), st.integers(1, 10**18))
def test_reserves_of_leases_cover_their_cumulative_debit(wus: list[int], price: int) -> None:
    reserved = sum(reserve_of(replace(JOB, span_tasks=1, task_limit_wu=wu), 1, price) for wu in wus)
    assert debit_of(amount_of(sum(wus), price), JOB.fee_ppm, JOB.rate_floor_ppm) <= reserved


@pytest.mark.parametrize(("seconds", "size"), [(0.5, 16), (1.0, 8), (4.0, 8), (4.1, 4)])
def test_next_size_follows_the_devices_speed(seconds: float, size: int) -> None:
    assert next_size(8, seconds, POLICY) == size
    assert next_size(1, 100, POLICY) == 1
    assert next_size(16, 0, POLICY) == 16
