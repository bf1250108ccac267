"""Evidence, duties, replays on the real program, verdicts."""

from dataclasses import replace

import pytest

from protocol.merkle import TaskResult
from protocol.program import ProgramFacts
from protocol.sampling import Seat, drawn_tasks
from protocol.verdicts import NOTHING_DRAWN, Verdict
from tests.verifier.epochs import DOMAIN, RealEpoch, address, at_wrong_index, images, lie_about, real_epoch
from verifier.audit import (
    DeviceFacts,
    Evidence,
    conclude,
    duties_of_epoch,
    duties_of_panel,
    duties_of_redraw,
    gather,
    vote_of,
)
from verifier.db import Replay
from verifier.replay import Replayer

SEED = b"\x05" * 32
SEATS = [Seat(address("vera"), address("vera")), Seat(address("viktor"), address("viktor"))]
DEVICES = {address(name): DeviceFacts(address(name + "-owner"), 10**18) for name in ("ann", "bob")}
STAKELESS = {device: replace(facts, stake=0) for device, facts in DEVICES.items()}
VERIFIERS = [address("vera"), address("viktor")]


def evidence_of(epoch: RealEpoch) -> Evidence:
    return gather(epoch.blobs, 1, epoch.head, epoch.fees_ppm, DOMAIN)


@pytest.fixture(scope="module")
def honest() -> RealEpoch:
    return real_epoch()


def replays_for(epoch: RealEpoch, evidence: Evidence, draws: dict[int, tuple[int, ...]]) -> tuple[list[Replay], int]:
    replayer = Replayer(epoch.blobs, 30)
    try:
        done = [r for leaf, ks in draws.items() for r in replayer.replay(evidence.leaves[leaf], ks, epoch.programs)]
        return done, replayer.executions
    finally:
        replayer.close()


# --- evidence


def test_withheld_data_makes_every_leaf_unavailable_for_everybody(honest: RealEpoch):
    evidence = gather(type(honest.blobs)(), 1, honest.head, honest.fees_ppm, DOMAIN)
    assert evidence.missing == {0, 1}
    for me in VERIFIERS:
        audit = conclude(duties_of_epoch(evidence, SEED, SEATS, me, {}), [])
        assert audit is not None
        assert set(audit.verdicts.by_leaf.values()) == {Verdict.UNAVAILABLE}


def test_data_of_another_posting_is_no_evidence(honest: RealEpoch):
    other = replace(honest.head.entries[0], sum=honest.head.entries[0].sum + 1)
    assert gather(honest.blobs, 1, honest.head._replace(entries=(other,)), honest.fees_ppm, DOMAIN).missing == {0, 1}
    assert gather(honest.blobs, 1, honest.head, {}, DOMAIN).missing == {0, 1}


def test_leaf_that_its_device_did_not_sign_is_missing_and_the_other_stays():
    evidence = evidence_of(real_epoch(forged_signature=True))
    assert evidence.missing == {1}
    assert set(evidence.leaves) == {0}


# --- duties


def test_every_leaf_is_somebodys_and_nobody_judges_its_own_device(honest: RealEpoch):
    evidence = evidence_of(honest)
    owned = {device: DeviceFacts(address("vera"), 10**18) for device in DEVICES}
    assert duties_of_epoch(evidence, SEED, SEATS, address("vera"), owned).draws == {}
    assert set(duties_of_epoch(evidence, SEED, SEATS, address("viktor"), owned).draws) == {0, 1}
    shared = [set(duties_of_epoch(evidence, SEED, SEATS, me, DEVICES).draws) for me in VERIFIERS]
    assert shared[0] | shared[1] == {0, 1}


def test_draws_are_those_of_the_rule_and_a_stakeless_device_is_replayed_whole(honest: RealEpoch):
    evidence = evidence_of(honest)
    found = {}
    for me in VERIFIERS:
        found |= duties_of_epoch(evidence, SEED, SEATS, me, DEVICES).draws
    for number, positions in found.items():
        leaf = evidence.leaves[number].place.leaf
        assert positions == drawn_tasks(SEED, leaf.receipt, leaf.wus, 10**18, 100_000)
        assert len(positions) < leaf.receipt.count
    whole = duties_of_redraw(evidence, 0, SEED, STAKELESS)
    assert whole.draws == {0: tuple(range(24))}


def test_result_at_a_wrong_index_is_wrong_without_a_run():
    evidence = evidence_of(real_epoch(lies=((3, at_wrong_index(3)),)))
    duties = duties_of_redraw(evidence, 0, SEED, DEVICES)
    assert (duties.draws, duties.faults) == ({}, {0: 3})
    assert vote_of(duties, []) == Verdict.WRONG
    assert vote_of(duties_of_panel(evidence, 0, 3), []) == Verdict.WRONG


# --- replays


def test_honest_epoch_replays_exactly_its_draws_and_attests(honest: RealEpoch):
    evidence = evidence_of(honest)
    drawn = 0
    for me in VERIFIERS:
        duties = duties_of_epoch(evidence, SEED, SEATS, me, DEVICES)
        done, executions = replays_for(honest, evidence, dict(duties.draws))
        assert executions == len(list(duties.pairs)) == len(done)
        drawn += executions
        audit = conclude(duties, done)
        assert audit is not None
        assert set(audit.verdicts.by_leaf.values()) <= {Verdict.RIGHT}
        assert audit.wrong == {}
    assert 0 < drawn < len(images())


def test_two_verifiers_that_run_the_same_draw_give_the_same_digest(honest: RealEpoch):
    evidence = evidence_of(honest)
    duties = duties_of_redraw(evidence, 0, SEED, STAKELESS)
    audits = [conclude(duties, replays_for(honest, evidence, dict(duties.draws))[0]) for _ in range(2)]
    assert audits[0] == audits[1]
    assert audits[0] is not None
    assert audits[0].verdicts.digest_of(0) not in (None, NOTHING_DRAWN, bytes(32))


def test_lie_that_is_drawn_is_wrong_and_named():
    epoch = real_epoch(lies=((5, lie_about(5)),))
    evidence = evidence_of(epoch)
    duties = duties_of_redraw(evidence, 0, SEED, STAKELESS)
    audit = conclude(duties, replays_for(epoch, evidence, dict(duties.draws))[0])
    assert audit is not None
    assert audit.verdicts.by_leaf == {0: Verdict.WRONG}
    assert audit.wrong == {0: 5}


def test_inflated_wu_is_wrong():
    dearer = replace(real_epoch().data.entries[0].leaves[0].results[2], wu=999_999)
    epoch = real_epoch(lies=((2, dearer),))
    evidence = evidence_of(epoch)
    done, _ = replays_for(epoch, evidence, {0: (1, 2)})
    assert [replay.verdict for replay in done] == [Verdict.RIGHT, Verdict.WRONG]


def test_status_that_the_run_does_not_have_is_wrong():
    trapped = TaskResult.of_output(2, b"", 1_000_000, status=1)
    epoch = real_epoch(lies=((2, trapped),))
    done, _ = replays_for(epoch, evidence_of(epoch), {0: (2,)})
    assert done[0].verdict == Verdict.WRONG


def test_replay_that_cannot_have_its_inputs_or_program_is_unavailable_never_wrong(honest: RealEpoch):
    evidence = evidence_of(honest)
    bid = honest.data.entries[0].bid
    for missing in (bid.manifest, honest.programs[bid.program_id].original_hash):
        starved = RealEpoch(type(honest.blobs)(dict(honest.blobs.held)), honest.head, honest.data, {}, honest.programs)
        del starved.blobs.held[missing]
        done, executions = replays_for(starved, evidence, {0: (0, 1)})
        assert {replay.verdict for replay in done} == {Verdict.UNAVAILABLE}
        assert executions == 0


def test_program_registered_with_other_facts_is_refused(honest: RealEpoch):
    evidence = evidence_of(honest)
    bid = honest.data.entries[0].bid
    facts = honest.programs[bid.program_id]
    forged: dict[bytes, ProgramFacts] = {bid.program_id: replace(facts, rewritten_hash=b"\x01" * 32)}
    lying = RealEpoch(honest.blobs, honest.head, honest.data, {}, forged)
    done, _ = replays_for(lying, evidence, {0: (0,)})
    assert done[0].verdict == Verdict.UNAVAILABLE


def test_conclusion_waits_for_every_replay(honest: RealEpoch):
    evidence = evidence_of(honest)
    duties = duties_of_redraw(evidence, 0, SEED, STAKELESS)
    done, _ = replays_for(honest, evidence, dict(duties.draws))
    assert conclude(duties, done[:-1]) is None
    assert vote_of(duties, done) == Verdict.RIGHT
