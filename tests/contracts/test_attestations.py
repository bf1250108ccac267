"""Attestations: seed, commitments, reveals, and which leaves they attest."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.verdicts import Verdict, Verdicts
from tests.contracts.actors import Device, Epoch, VerifierActor, Work
from tests.contracts.chain import advance, mine, reverts
from tests.contracts.verdict_stories import (
    COMMITTING,
    FINAL,
    POSTED,
    REVEALING,
    SEEDED,
    WINDOW,
    act,
    committed,
    is_seat,
    one_seat,
    state,
    two_seats,
)
from tests.contracts.world import PARAMETERS, P

pytest_plugins = ("tests.contracts.stories", "tests.contracts.verdict_stories")


# --- who calls


def test_open_by_stranger_reverts(market: Any) -> None:
    with reverts("Attestations_OnlyLedger"):
        market.world.attestations.open(99, 0, {"from": market.stranger})


# --- the seed


def test_drawSeed_before_the_round_reverts(market: Any, epoch: Epoch) -> None:
    with reverts("Attestations_SeedMissing"):
        market.world.attestations.drawSeed(epoch.id, {"from": market.stranger})


def test_drawSeed_of_no_epoch_reverts(market: Any) -> None:
    with reverts("Attestations_WrongState"):
        market.world.attestations.drawSeed(99, {"from": market.stranger})


def test_drawSeed_twice_reverts(market: Any, epoch: Epoch) -> None:
    epoch.draw_seed()
    with reverts("Attestations_WrongState"):
        market.world.attestations.drawSeed(epoch.id, {"from": market.stranger})


def test_drawSeed_is_the_protocols(market: Any, epoch: Epoch) -> None:
    epoch.draw_seed()
    assert epoch.seed == epoch.seed_ahead() != bytes(32)


# --- committing


def test_commit_before_the_round_reverts(market: Any, epoch: Epoch) -> None:
    with reverts("Attestations_SeedMissing"):
        market.world.attestations.commit(epoch.id, b"\x01" * 32, {"from": market.verifiers[0].account})


def test_commit_without_a_seat_reverts(market: Any, epoch: Epoch) -> None:
    epoch.draw_seed()
    with reverts("Attestations_NoSeat"):
        market.world.attestations.commit(epoch.id, b"\x01" * 32, {"from": market.stranger})


def test_commit_with_a_seat_taken_after_the_snapshot_reverts(market: Any, epoch: Epoch) -> None:
    advance(PARAMETERS.seat_period_s)
    late = VerifierActor(market.world, "late")
    again = market.settler.post(market.rich.work(epoch.works[0].job, [9])).draw_seed()
    with reverts("Attestations_NoSeat"):
        market.world.attestations.commit(again.id, b"\x01" * 32, {"from": late.account})


def test_commit_twice_reverts(market: Any, epoch: Epoch) -> None:
    epoch.draw_seed()
    market.verifiers[0].commit(epoch)
    with reverts("Attestations_AlreadyActed"):
        market.verifiers[0].commit(epoch)


def test_commit_zero_reverts(market: Any, epoch: Epoch) -> None:
    """It would count as a commitment each time, and end the phase for the others."""
    epoch.draw_seed()
    with reverts("Attestations_CommitmentZero"):
        market.world.attestations.commit(epoch.id, bytes(32), {"from": market.verifiers[0].account})


def test_commit_late_reverts(market: Any, epoch: Epoch) -> None:
    epoch.draw_seed()
    advance(PARAMETERS.commit_s)
    with reverts("Attestations_WrongState"):
        market.verifiers[0].commit(epoch)


def test_commit_first_draws_the_seed(market: Any, epoch: Epoch, work: Work) -> None:
    mine(PARAMETERS.beacon_delay_blocks + 1)
    transaction = market.world.attestations.commit(epoch.id, b"\x01" * 32, {"from": market.verifiers[0].account})
    assert bytes(transaction.events["Seeded"]["seed"]) == epoch.seed_ahead()


def test_commit_by_all_ends_the_phase(market: Any, epoch: Epoch) -> None:
    epoch.draw_seed()
    states = [state(epoch)]
    for verifier in market.verifiers:
        verifier.commit(epoch)
        states.append(state(epoch))
    assert states == [SEEDED, *[COMMITTING] * 4, REVEALING]


# --- revealing


def test_reveal_while_others_may_commit_reverts(market: Any, epoch: Epoch) -> None:
    epoch.draw_seed()
    market.verifiers[0].commit(epoch)
    with reverts("Attestations_WrongState"):
        market.verifiers[0].reveal(epoch)


def test_reveal_late_reverts(market: Any, epoch: Epoch) -> None:
    committed(market, epoch)
    advance(PARAMETERS.reveal_s)
    with reverts("Attestations_WrongState"):
        market.verifiers[0].reveal(epoch)


def test_reveal_copied_commitment_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    """A verifier that did no work sends the commitment of another and, later, what that one revealed."""
    epoch.draw_seed()
    worker, copier = market.verifiers[:2]
    worker.commit(epoch)
    commitment = worker.find(epoch).commitment(worker.salt(epoch), worker.address, epoch.id)
    market.world.attestations.commit(epoch.id, commitment, {"from": copier.account})
    advance(PARAMETERS.commit_s)
    worker.reveal(epoch)
    verdicts = worker.revealed[epoch.id]
    arguments = (epoch.id, worker.salt(epoch), verdicts.packed, verdicts.digests)
    with reverts("Attestations_CommitmentMismatch"):
        market.world.attestations.reveal(*arguments, {"from": copier.account})


@pytest.mark.parametrize("changed", ["salt", "verdicts", "digests"])
def test_reveal_something_else_reverts(market: Any, epoch: Epoch, work: Work, changed: str) -> None:
    epoch.all_say(work, Verdict.RIGHT)
    committed(market, epoch)
    verifier = market.verifiers[0]
    given = {"salt": verifier.salt(epoch), "verdicts": 1, "digests": verifier.revealed[epoch.id].digests}
    given[changed] = {"salt": bytes(32), "verdicts": 2, "digests": [bytes(32)]}[changed]
    with reverts("Attestations_CommitmentMismatch"):
        market.world.attestations.reveal(epoch.id, *given.values(), {"from": verifier.account})


def test_reveal_without_commitment_reverts(market: Any, epoch: Epoch) -> None:
    epoch.draw_seed()
    advance(PARAMETERS.commit_s)
    with reverts("Attestations_CommitmentMismatch"):
        market.world.attestations.reveal(epoch.id, bytes(32), 0, [], {"from": market.verifiers[0].account})


def test_reveal_with_a_digest_too_many_reverts(market: Any, epoch: Epoch) -> None:
    epoch.draw_seed()
    verifier = market.verifiers[0]
    spoilt = Verdicts(0, ())
    object.__setattr__(spoilt, "digests", (bytes(32),))
    commitment = spoilt.commitment(bytes(32), verifier.address, epoch.id)
    market.world.attestations.commit(epoch.id, commitment, {"from": verifier.account})
    advance(PARAMETERS.commit_s)
    with reverts("Attestations_DigestCount"):
        market.world.attestations.reveal(epoch.id, bytes(32), 0, [bytes(32)], {"from": verifier.account})


def test_reveal_twice_reverts(market: Any, epoch: Epoch) -> None:
    committed(market, epoch)
    market.verifiers[0].reveal(epoch)
    with reverts("Attestations_AlreadyActed"):
        market.verifiers[0].reveal(epoch)


def test_reveal_by_all_ends_the_phase_and_stores_hashes(market: Any, epoch: Epoch) -> None:
    committed(market, epoch)
    with reverts("Attestations_WrongState"):
        market.world.attestations.finalAt(epoch.id)
    for verifier in market.verifiers:
        assert state(epoch) == REVEALING
        verifier.reveal(epoch)
        stored = bytes(market.world.attestations.verdictHash(epoch.id, verifier.address))
        assert stored == verifier.revealed[epoch.id].hash
    assert state(epoch) == WINDOW
    epoch.end_window()
    assert state(epoch) == FINAL


def test_stateOf_goes_on_by_time_alone(market: Any, epoch: Epoch) -> None:
    assert state(epoch) == POSTED
    epoch.draw_seed()
    seen = []
    for seconds in (PARAMETERS.commit_s, PARAMETERS.reveal_s, PARAMETERS.window_s):
        seen.append(state(epoch))
        advance(seconds)
    assert [*seen, state(epoch)] == [SEEDED, REVEALING, WINDOW, FINAL]


# --- the draw of seats


def test_drawnSeats_same_as_python(market: Any, epoch: Epoch, work: Work) -> None:
    epoch.draw_seed(two_seats(epoch, work))
    arguments = (epoch.id, epoch.leaf_hash(work), work.device.owner.address)
    assert [str(seat) for seat in market.world.attestations.drawnSeats(*arguments)] == epoch.seats_of(work)


def test_drawnSeats_skips_the_owners_seats(market: Any) -> None:
    partial = market.verifiers[0]
    own = Device(market.world, "own", 100 * P, owner=partial.signer)
    work = own.work(market.buyer.open_job(market.settler), [0])
    epoch = market.settler.post(work)
    for _ in range(5):
        mine(3)
        seats = epoch.seats_of(work, epoch.seed_ahead())
        assert partial.address not in seats
        assert seats


# --- attested or not


def test_claim_on_a_seat_that_was_not_drawn_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    """A confederate says "right" of a leaf that was drawn for another, who is silent."""
    epoch.draw_seed(one_seat(epoch, work))
    (drawn,) = is_seat(market, epoch, work)
    confederate = next(verifier for verifier in market.verifiers if verifier is not drawn)
    confederate.says(epoch, work, Verdict.RIGHT)
    confederate.commit(epoch)
    advance(PARAMETERS.commit_s)
    confederate.reveal(epoch)
    epoch.end_window()
    epoch.verdicts = lambda *_: [confederate.seat_verdict(epoch)]  # type: ignore[method-assign]
    with reverts("Attestations_LeafNotAttested"):
        epoch.claim()


def test_claim_without_the_drawn_seats_verdict_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    epoch.attest(one_seat(epoch, work)).end_window()
    epoch.verdicts = lambda *_: []  # type: ignore[method-assign]
    with reverts("Attestations_VerdictMissing"):
        epoch.claim()


def test_claim_with_a_forged_verdict_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    epoch.all_say(work, Verdict.WRONG).attest(one_seat(epoch, work)).end_window()
    (drawn,) = is_seat(market, epoch, work)
    epoch.verdicts = lambda *_: [(drawn.address, 1, [b"\x01" * 32])]  # type: ignore[method-assign]
    with reverts("Attestations_VerdictMismatch"):
        epoch.claim()


def test_claim_two_seats_with_other_digests_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    epoch.draw_seed(two_seats(epoch, work))
    is_seat(market, epoch, work)[0].digest_salt = b"copied without a run"
    act(market, epoch)
    with reverts("Attestations_LeafNotAttested"):
        epoch.end_window().claim()


def test_claim_one_of_two_seats_silent_reverts(market: Any, epoch: Epoch, work: Work) -> None:
    epoch.draw_seed(two_seats(epoch, work))
    act(market, epoch, silent=is_seat(market, epoch, work)[1:])
    with reverts("Attestations_LeafNotAttested"):
        epoch.end_window().claim()
