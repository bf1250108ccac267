"""What a verifier does next, from what the chain says."""

from typing import Any, NamedTuple

import pytest

from protocol.verdicts import Verdict, Verdicts
from verifier import state
from verifier.state import Audit, BallotPhase, EpochState, Facts, GameState, decide
from verifier.views import ChainView

ME, OTHER = "0x" + "11" * 20, "0x" + "22" * 20
SUBJECT, GAME, PROGRAM = b"s" * 32, b"g" * 32, b"p" * 32
RIGHT = Audit(Verdicts.of({0: (Verdict.RIGHT, b"d" * 32)}))
WRONG = Audit(Verdicts.of({0: (Verdict.WRONG, bytes(32))}), {0: 7})


class Said(NamedTuple):
    name: str
    args: dict[str, Any]


def view_of(*events: Said) -> ChainView:
    view = ChainView()
    view.fold(events)
    return view


def posted() -> Said:
    entry = {"jobId": b"j" * 32, "subroot": b"r" * 32, "count": 1, "sum": 5}
    head = {
        "settler": OTHER, "dataId": b"i" * 32, "snapshot": 0, "postedAt": 1, "postBlock": 1, "entries": [entry],
        "periods": [0],
    }  # fmt: skip
    return Said("Posted", {"epochId": 1, "settler": OTHER, "head": head})


SEEDED = Said("Seeded", {"epochId": 1, "seed": b"e" * 32})


def committed(verifier: str = ME) -> Said:
    return Said("Committed", {"epochId": 1, "verifier": verifier})


def revealed(audit: Audit, verifier: str = ME) -> Said:
    verdicts = audit.verdicts
    return Said(
        "Revealed", {"epochId": 1, "verifier": verifier, "verdicts": verdicts.packed, "digests": verdicts.digests}
    )


def challenge() -> Said:
    return Said(
        "ChallengeOpened",
        {"gameId": GAME, "epochId": 1, "device": OTHER, "opener": OTHER, "leafNumber": 0, "task": 7},
    )


def facts(phase: EpochState, audit: Audit | None = None, **more: Any) -> Facts:
    audits = {} if audit is None else {1: audit}
    return Facts(ME, epochs={1: phase}, audits=audits, may_commit=frozenset({1}), **more)


def test_epoch_without_seats_in_its_snapshot_asks_for_nothing():
    nothing = Facts(ME, epochs={1: EpochState.COMMITTING}, audits={1: RIGHT})
    assert decide(view_of(posted(), SEEDED), nothing) == []


def test_epoch_whose_seed_is_late_is_pushed():
    assert decide(view_of(posted()), facts(EpochState.POSTED)) == [state.DrawSeed(1)]


def test_seeded_epoch_is_audited_then_committed_once():
    view = view_of(posted(), SEEDED)
    assert decide(view, facts(EpochState.SEEDED)) == [state.AuditEpoch(1)]
    assert decide(view, facts(EpochState.COMMITTING, RIGHT)) == [state.CommitEpoch(1, RIGHT.verdicts)]
    view.fold([committed()])
    assert decide(view, facts(EpochState.COMMITTING, RIGHT)) == []


def test_audit_that_comes_after_the_commit_phase_is_not_revealed():
    view = view_of(posted(), SEEDED, committed(OTHER))
    assert decide(view, facts(EpochState.REVEALING, RIGHT)) == []


def test_commitment_is_revealed_once_and_only_while_revealing():
    view = view_of(posted(), SEEDED, committed())
    assert decide(view, facts(EpochState.REVEALING, RIGHT)) == [state.RevealEpoch(1, RIGHT.verdicts)]
    view.fold([revealed(RIGHT)])
    assert decide(view, facts(EpochState.REVEALING, RIGHT)) == []


def test_wrong_leaf_is_challenged_in_the_window_unless_somebody_has():
    view = view_of(posted(), SEEDED, committed(), revealed(WRONG))
    assert decide(view, facts(EpochState.REVEALING, WRONG)) == []
    assert decide(view, facts(EpochState.WINDOW, WRONG)) == [state.OpenChallenge(1, 0, 7)]
    view.fold([challenge()])
    assert decide(view, facts(EpochState.WINDOW, WRONG)) == []


def test_ballot_of_other_seats_asks_for_nothing():
    view = view_of(posted(), SEEDED, Said("RedrawOpened", {"subject": SUBJECT, "epochId": 1, "leafNumber": 0}))
    quiet = Facts(ME, ballots={SUBJECT: BallotPhase.COMMITTING}, seats={SUBJECT: (OTHER,)})
    assert decide(view, quiet) == []


@pytest.mark.parametrize("vote", [Verdict.RIGHT, Verdict.WRONG, Verdict.UNAVAILABLE])
def test_drawn_ballot_is_audited_committed_and_revealed(vote: Verdict):
    view = view_of(posted(), SEEDED, Said("RedrawOpened", {"subject": SUBJECT, "epochId": 1, "leafNumber": 0}))

    def at(phase: BallotPhase, votes: dict[bytes, Verdict]) -> list[state.Instruction]:
        return decide(view, Facts(ME, ballots={SUBJECT: phase}, seats={SUBJECT: (OTHER, ME)}, votes=votes))

    assert at(BallotPhase.DRAWING, {}) == [state.AuditBallot(SUBJECT)]
    assert at(BallotPhase.COMMITTING, {}) == [state.AuditBallot(SUBJECT)]
    assert at(BallotPhase.DRAWING, {SUBJECT: vote}) == [state.CommitVote(SUBJECT, vote)]
    assert at(BallotPhase.COMMITTING, {SUBJECT: vote}) == [state.CommitVote(SUBJECT, vote)]
    assert at(BallotPhase.REVEALING, {SUBJECT: vote}) == []
    view.fold([Said("BallotCommitted", {"subject": SUBJECT, "verifier": ME})])
    assert at(BallotPhase.REVEALING, {SUBJECT: vote}) == [state.RevealVote(SUBJECT, vote)]
    view.fold([Said("BallotRevealed", {"subject": SUBJECT, "verifier": ME, "vote": int(vote)})])
    assert at(BallotPhase.REVEALING, {SUBJECT: vote}) == []


def test_game_is_resolved_once_and_not_before_its_appeal_time():
    view = view_of(posted(), SEEDED, challenge())
    assert decide(view, Facts(ME, games={GAME: GameState.DECIDED})) == []
    ready = Facts(ME, games={GAME: GameState.HUNG})
    assert decide(view, ready) == [state.ResolveGame(GAME)]
    view.fold([Said("ChallengeResolved", {"gameId": GAME, "outcome": int(GameState.HUNG)})])
    assert decide(view, ready) == []


def test_upheld_game_names_the_others_that_attested():
    view = view_of(posted(), SEEDED, revealed(RIGHT, OTHER), revealed(WRONG), challenge())
    view.fold([Said("ChallengeResolved", {"gameId": GAME, "outcome": int(GameState.UPHELD)})])
    assert decide(view, Facts(ME, games={GAME: GameState.UPHELD})) == [state.SlashAttestor(GAME, OTHER)]


def test_drawn_program_is_attested_until_it_was():
    fields = (1, b"o" * 32, b"w" * 32, bytes(32), b"m" * 32, 10, 1, 1024, 1)
    names = ("class", "originalHash", "rewrittenHash", "codeRoot", "initialMemoryRoot", "limitWU", "memoryPages",
             "frameBytes", "toolVersion")  # fmt: skip
    program = dict(zip(names, fields, strict=True))
    view = view_of(Said("Registered", {"programId": PROGRAM, "program": program}))
    drawn = Facts(ME, drawn_for_program=frozenset({PROGRAM}))
    view.fold([Said("AttestationRequested", {"programId": PROGRAM})])
    assert decide(view, drawn) == [state.AttestProgram(PROGRAM, 1)]
    view.fold([Said("ProgramAttested", {"programId": PROGRAM, "verifier": ME, "complete": False})])
    assert decide(view, drawn) == []
    view.fold([Said("AttestationRequested", {"programId": PROGRAM})])
    assert decide(view, drawn) == [state.AttestProgram(PROGRAM, 2)]


def test_program_that_breaks_the_rules_is_passed_over():
    view = view_of(Said("Registered", {"programId": PROGRAM, "program": {"class": 77}}))
    assert view.programs == {}
