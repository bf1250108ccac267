"""The exit conditions of the main job: altered summaries fail, each for its own reason."""

import json
from dataclasses import replace

import pytest

from chain.accounting import GasLine
from deploy.local.__main__ import parse
from deploy.local.mainjob.cast import make_cast
from deploy.local.mainjob.play import write_summary
from deploy.local.mainjob.summary import BuyerLine, DeviceLine, Findings, LiarLine, ReorgLine, Summary, failures

WEI = 10**15


def device(number, honest=True, **changes):
    line = DeviceLine(f"0x{number:040x}", honest, 300 * WEI, 350, 35_000_000, 100, 60, 10, 30, 0)
    return replace(line, **changes)


LIAR = device(5, honest=False, paid_wei=0, deducted_wei=0, bonded_wei=0, slashed_wei=300 * WEI)

GOOD = Summary(
    profile="local",
    chain_id=31337,
    tasks=1_797,
    accuracy=0.98,
    held_out=500,
    device=[*(device(number) for number in range(1, 5)), LIAR],
    liar=LiarLine(190, 1e-9),
    drawn=190,
    overhead=0.12,
    gas={"EpochLedger.claim": GasLine(3, 900_000)},
    gas_per_task=900_000 / 1_797,
    buyer=BuyerLine(1_000, 700, 7, 30, 300),
    conserved=True,
    seconds=150.0,
)
HONEST = replace(GOOD, device=[device(number) for number in range(1, 6)], liar=None)


def with_device(summary, index, **changes):
    lines = list(summary.device)
    lines[index] = replace(lines[index], **changes)
    return replace(summary, device=lines)


def test_failures_good_runs_have_none():
    assert failures(GOOD, Findings(slashes=1), liar=True) == []
    assert failures(HONEST, Findings(), liar=False) == []


TESTNET = replace(GOOD, profile="testnet", reorg=ReorgLine(5, 100, 3, 3))


def test_failures_testnet_run_must_have_its_reorganisation():
    assert failures(TESTNET, Findings(), liar=True) == []
    assert failures(replace(TESTNET, reorg=None), Findings(), liar=True) == ["not measured: reorg"]


@pytest.mark.parametrize(
    ("summary", "reason"),
    [
        (replace(TESTNET, reorg=ReorgLine(5, 100, 3, 2)), "lost 1 transactions for good"),
        (replace(TESTNET, reorg=ReorgLine(5, 100, 0, 0)), "took no transaction away"),
        (replace(GOOD, conserved=False), "does not hold what it owes"),
        (replace(GOOD, conserved=None), "not measured: conserved"),
        (replace(GOOD, gas=None), "not measured: gas"),
        (replace(GOOD, buyer=None), "not measured: buyer"),
        (replace(GOOD, buyer=replace(GOOD.buyer, refunded_wei=299)), "escrowed is not spent + refunded"),
        (replace(GOOD, buyer=replace(GOOD.buyer, fees_wei=671)), "does not contain fees"),
        (with_device(GOOD, 4, slashed_wei=0), "the liar was not slashed"),
        (with_device(GOOD, 4, slashed_wei=299 * WEI), "the liar was not slashed"),
        (with_device(GOOD, 4, paid_wei=1), "the liar was paid"),
        (with_device(GOOD, 4, bonded_wei=1), "the liar was paid"),
        (with_device(GOOD, 0, slashed_wei=1), "is honest and was slashed"),
        (with_device(GOOD, 0, paid_wei=61), "gross is not paid + bonded + deducted"),
        (with_device(GOOD, 4, honest=True), "0 liars, not 1"),
        (replace(GOOD, liar=None), "not measured: liar"),
        (replace(GOOD, liar=LiarLine(149, 1e-9)), "told 149 lies"),
        (replace(GOOD, liar=LiarLine(190, 1e-6)), "would all have been missed"),
    ],
)
def test_failures_altered_summary_says_why(summary, reason):
    found = failures(summary, Findings(slashes=1), liar=True)
    assert any(reason in line for line in found), found


@pytest.mark.parametrize(
    ("findings", "reason"),
    [
        (Findings(wrong_outputs=[3]), "first that of task 3"),
        (Findings(unsettled=[1, 2]), "2 tasks were not paid"),
        (Findings(redone_by_liar=[7]), "not redone by others"),
        (Findings(honest_losses=["BondBurned 0x1"]), "an honest party lost: BondBurned 0x1"),
        (Findings(trouble=["TookTooLong: waited"]), "TookTooLong"),
    ],
)
def test_failures_altered_findings_say_why(findings, reason):
    found = failures(GOOD, findings, liar=True)
    assert len(found) == 1
    assert reason in found[0]


def test_failures_without_liar_any_slash_fails():
    assert failures(HONEST, Findings(slashes=1), liar=False) == ["the vault slashed 1 times"]
    assert "there is a liar" in failures(GOOD, Findings(), liar=False)


def test_to_json_wei_are_strings_and_unmeasured_null(tmp_path):
    value = json.loads(write_summary(tmp_path, GOOD).read_text())
    assert value["device"][4]["slashed_wei"] == str(300 * WEI)
    assert (value["device"][0]["tasks"], value["device"][0]["honest"]) == (350, True)
    assert value["gas"] == {"EpochLedger.claim": {"calls": 3, "gas": 900_000}}
    assert value["buyer"]["escrowed_wei"] == "1000"
    empty = json.loads(write_summary(tmp_path, Summary(profile="local")).read_text())
    assert set(empty) == set(value)
    assert {name for name, part in empty.items() if part is not None} == {"profile"}


def test_summary_has_the_fields_of_the_issue():
    value = GOOD.to_json()
    assert list(value) == [
        *("profile", "chain_id", "tasks", "accuracy", "held_out", "device", "liar", "drawn", "overhead", "gas"),
        *("gas_per_task", "buyer", "conserved", "reorg", "seconds"),
    ]
    assert list(value["device"][0]) == [
        *("address", "honest", "stake_wei", "tasks", "wu", "gross_wei", "paid_wei", "deducted_wei", "bonded_wei"),
        "slashed_wei",
    ]
    assert list(value["liar"]) == ["wrong_tasks", "miss_probability"]
    buyer = ["escrowed_wei", "spent_wei", "fees_wei", "verification_wei", "refunded_wei"]
    assert list(value["buyer"]) == buyer


def test_parse_takes_what_make_gives():
    assert parse(["--profile", "local", "--liar", "0", "--exit"]).liar == "0"
    assert parse(["--no-liar"]).liar == "0"
    assert parse(["--liar", "--no-exit"]).exit is False
    assert parse([]).liar == "1"
    with pytest.raises(SystemExit):
        parse(["--profile", "mainnet"])


def test_make_cast_has_distinct_keys_and_one_liar_at_most():
    people = list(make_cast(True).people())
    assert len({person.address for person in people}) == len(people) == 16
    assert [plan.stake_tasks for plan in make_cast(True).devices] == [1_000, 300, 100, 0, 300]
    assert [plan.lies for plan in make_cast(True).devices] == [False] * 4 + [True]
    assert not any(plan.lies for plan in make_cast(False).devices)


def test_write_key_is_for_its_owner_alone(tmp_path):
    path = make_cast(True).settler.write_key(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert bytes.fromhex(path.read_text().strip()) == make_cast(True).settler.key
