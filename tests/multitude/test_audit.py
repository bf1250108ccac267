"""An audit agrees with an honest epoch, names what differs in any other, and tells when it cannot tell."""

from dataclasses import replace

import pytest

from multitude.audit.errors import BlobMissing
from multitude.audit.facts import EpochState, EventLog
from multitude.audit.findings import Outcome
from protocol.epoch_data import EpochData
from protocol.verdicts import Verdict
from tests.multitude.audit_world import ROUND, World, settled_world, turned
from tests.verifier.epochs import address, lie_about

LIE = 30  # of bob, whose leaf is replayed whole


@pytest.fixture
def honest():
    return settled_world()


def topics(report, outcome):
    return {finding.topic for finding in report.findings if finding.outcome == outcome}


def wrong(report):
    assert report.exit_status == 1
    return topics(report, Outcome.DISAGREES)


# --- altered data


def test_report_altered_receipt_in_the_data_disagrees(honest):
    leaf = honest.entry.leaves[0]
    forged = replace(leaf, receipt=replace(leaf.receipt, amount=leaf.receipt.amount + 1))
    entry = replace(honest.entry, leaves=(forged, honest.entry.leaves[1]))
    honest.raw = EpochData(honest.head.settler, (entry,)).blob
    assert {"data", "entry 0"} <= wrong(honest.report())


def test_report_data_that_is_no_data_disagrees(honest):
    honest.raw = b"nonsense"
    assert "data" in wrong(honest.report())


def test_report_head_that_the_ledger_does_not_hold_disagrees(honest):
    honest.head_hash = b"\1" * 32
    assert wrong(honest.report(run=False)) == {"head"}


def test_report_job_debited_of_another_sum_disagrees(honest):
    honest.change("JobDebited", sum=1)
    assert wrong(honest.report(run=False)) == {"debits"}


# --- seed and draw


def test_report_round_that_was_known_at_the_posting_disagrees(honest):
    honest.change("EpochOpened", round=ROUND - 2)
    assert {"round", "seed"} <= wrong(honest.report(run=False))


def test_report_seed_of_another_block_hash_disagrees(honest):
    honest.block_hashes[ROUND] = b"\1" * 32
    assert wrong(honest.report(run=False)) == {"seed"}


def test_report_without_the_block_of_the_round_cannot_tell(honest):
    del honest.block_hashes[ROUND]
    report = honest.report(run=False)
    assert (report.exit_status, topics(report, Outcome.UNKNOWN)) == (2, {"seed"})


def test_report_stake_that_events_do_not_give_disagrees(honest):
    honest.change("Staked", amount=5)
    assert "draw of leaf 0" in wrong(honest.report())


# --- verdicts


def test_report_reveal_of_another_hash_disagrees(honest):
    honest.verdict_hashes[address("vera")] = b"\1" * 32
    assert wrong(honest.report(run=False)) == {f"reveal of {address('vera')}"}


def test_report_wrong_said_of_right_work_disagrees():
    report = World().seeded().judged(turned(1, Verdict.WRONG)).report()
    assert all(topic.endswith("on leaf 1") for topic in wrong(report))


def test_report_right_without_having_run_the_tasks_disagrees():
    world = World().seeded().judged(turned(1, Verdict.RIGHT))
    assert any("state digest" in finding.detail for finding in world.report().findings if "leaf 1" in finding.topic)
    assert world.report().exit_status == 1


def test_report_lie_attested_and_paid_disagrees():
    world = World(((LIE, lie_about(LIE)),)).seeded().judged(turned(1, Verdict.RIGHT)).claimed(0, 1)
    found = wrong(world.report())
    assert "claim of leaf 1" in found
    assert {f"verdict of {verifier} on leaf 1" for verifier in world.drawn(1)} <= found


def test_report_unavailable_said_of_right_work_agrees():
    world = World().seeded().judged(turned(1, Verdict.UNAVAILABLE)).claimed(0)
    assert world.report().exit_status == 0


def test_report_leaf_paid_without_attestation_disagrees():
    world = World().seeded().judged(turned(1, Verdict.UNAVAILABLE)).claimed(0, 1)
    assert wrong(world.report(run=False)) == {"claim of leaf 1"}


# --- redraws

RIGHT, WRONG, UNAVAILABLE = Verdict.RIGHT, Verdict.WRONG, Verdict.UNAVAILABLE


def redrawn(*votes, outcome=1):
    return World().seeded().judged(turned(1, UNAVAILABLE)).redrawn(1, *votes, outcome=outcome)


def test_report_redraw_settled_against_its_votes_disagrees():
    world = redrawn(RIGHT, UNAVAILABLE, UNAVAILABLE).claimed(0, 1)
    assert {"redraw 1 of leaf 1", "claim of leaf 1"} <= wrong(world.report(run=False))


def test_report_redraw_vote_of_an_undrawn_seat_disagrees():
    world = redrawn(RIGHT, RIGHT, RIGHT).claimed(0, 1)
    world.change("BallotRevealed", verifier=address("nobody"))
    assert "redraw 1 of leaf 1" in wrong(world.report(run=False))


def test_report_redraw_that_calls_right_work_wrong_disagrees():
    world = redrawn(WRONG, WRONG, RIGHT, outcome=2).claimed(0).voided(1)
    found = wrong(world.report())
    assert len(found) == 2
    assert all(topic.startswith("vote of") for topic in found)
    assert world.report(run=False).exit_status == 0


def test_report_redraw_whose_block_is_gone_cannot_tell():
    world = redrawn(RIGHT, RIGHT, UNAVAILABLE).claimed(0, 1)
    del world.block_hashes[22]
    report = world.report(run=False)
    assert (report.exit_status, topics(report, Outcome.UNKNOWN)) == (2, {"redraw 1 of leaf 1", "claim of leaf 1"})


def test_report_redraw_that_attests_pays_its_majority_and_agrees():
    assert redrawn(RIGHT, RIGHT, UNAVAILABLE).claimed(0, 1).report().exit_status == 0


# --- lies that were found


def test_report_liar_convicted_and_void_agrees():
    world = World(((LIE, lie_about(LIE)),)).seeded().judged().convicted(1, LIE - 24).claimed(0).voided(1)
    report = world.report()
    assert report.exit_status == 0, [finding for finding in report.findings if finding.outcome != Outcome.AGREES]
    details = {finding.topic: finding.detail for finding in report.findings}
    assert "wrong" in details["runs of leaf 1"]


def test_report_honest_device_convicted_disagrees():
    world = World().seeded().judged(turned(1, Verdict.WRONG)).convicted(1, LIE - 24).claimed(0).voided(1)
    assert f"challenge of task {LIE - 24} of leaf 1" in wrong(world.report())


def test_report_panel_that_lets_a_lie_stand_disagrees():
    world = World(((LIE, lie_about(LIE)),)).seeded().judged().convicted(1, LIE - 24, Verdict.RIGHT).claimed(0)
    assert f"challenge of task {LIE - 24} of leaf 1" in wrong(world.report())


def test_report_panel_of_undrawn_seats_disagrees():
    world = World(((LIE, lie_about(LIE)),)).seeded().judged().convicted(1, LIE - 24).claimed(0).voided(1)
    world.change("VoteRevealed", verifier=address("nobody"))
    assert any(topic.startswith("panel 0") for topic in wrong(world.report()))


def test_report_void_without_a_reason_disagrees():
    world = World().seeded().judged().claimed(0).voided(1)
    assert wrong(world.report(run=False)) == {"void of leaf 1"}


# --- money


@pytest.mark.parametrize("part", ["amount", "fee", "deduction", "surcharge", "paid", "bonded"])
def test_report_claim_of_one_wei_more_disagrees(honest, part):
    claimed = next(event for event in honest.events if event.name == "Claimed")
    honest.change("Claimed", money=claimed.args["money"] | {part: claimed.args["money"][part] + 1})
    assert "claim of leaf 0" in wrong(honest.report(run=False))


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("Transfer", {"value": 1}),
        ("Transfer", {"to": address("thief")}),
        ("JobSettled", {"accounts": [address("thief")], "amounts": [1]}),
        ("Bonded", {"amount": 1}),
        ("JobSettled", {"spent": 1}),
        ("JobSettled", {"debit": 1}),
    ],
)
def test_report_payment_to_others_than_the_rules_say_disagrees(honest, name, args):
    honest.change(name, **args)
    assert wrong(honest.report(run=False)) == {"payment in block 40"}


def test_report_device_convicted_before_its_claim_disagrees(honest):
    honest.emit("Convicted", 39, device=address("ann"), slashed=0, toWinners=0, burned=0)
    honest.events.sort(key=lambda event: event.block_number)
    assert "claim of leaf 0" in wrong(honest.report(run=False))


def test_report_claim_before_the_epoch_is_final_disagrees(honest):
    honest.state = EpochState.WINDOW
    assert wrong(honest.report(run=False)) == {"state"}


def test_report_rest_that_is_not_the_posted_sum_less_what_was_settled_disagrees():
    world = World().seeded().judged().claimed(0)
    world.left += 1
    assert wrong(world.report(run=False)) == {"rest of entry 0"}


def test_stake_before_counts_what_an_earlier_leaf_of_the_same_claim_bonds(honest):
    log = EventLog(honest.events)
    claimed = [event for event in honest.events if event.name == "Claimed"]
    bonded = claimed[1].args["money"]["bonded"]
    assert bonded > 0
    place = claimed[1].block_number, claimed[1].log_index
    assert log.stake_before(address("bob"), place) == 0
    assert log.stake_before(address("bob"), (place[0], place[1] + 1)) == bonded


# --- what cannot be told, and what agrees


def test_report_without_inputs_or_module_cannot_tell(honest):
    bid = honest.entry.bid
    for missing in (bid.manifest, honest.epoch.programs[bid.program_id].original_hash):
        kept = honest.blobs.held.pop(missing)
        report = honest.report()
        honest.blobs.held[missing] = kept
        assert report.exit_status == 2
        assert "runs of leaf 1" in topics(report, Outcome.UNKNOWN)


def test_report_epoch_that_waits_for_its_seed_cannot_tell():
    world = World(stored_seed=bytes(32))
    world.state = EpochState.POSTED
    assert topics(world.report(), Outcome.UNKNOWN) == {"seed"}


def test_report_void_epoch_agrees():
    world = World(stored_seed=bytes(32))
    world.state = EpochState.VOID
    assert world.report().exit_status == 0
    world.emit("EpochVoided", 90, epochId=1)
    assert wrong(world.report()) == {"rest of entry 0"}
    world.left, world.settled = 0, 3
    assert world.report().exit_status == 0


def test_report_honest_epoch_agrees_and_names_every_comparison(honest):
    report = honest.report()
    assert report.exit_status == 0, [finding for finding in report.findings if finding.outcome != Outcome.AGREES]
    expected = {
        "head",
        "round",
        "seed",
        "data",
        "entry 0",
        "leaf 0",
        "leaf 1",
        "payment in block 40",
        "rest of entry 0",
    }
    expected |= {f"{what} of leaf {leaf}" for what in ("draw", "runs", "claim") for leaf in (0, 1)}
    assert expected <= topics(report, Outcome.AGREES)
    assert report.to_json()["outcome"] == "agrees"


def test_blobs_that_are_missing_are_no_disagreement(honest):
    with pytest.raises(BlobMissing):
        honest.blobs.get(b"\1" * 32)
