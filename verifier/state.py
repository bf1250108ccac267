"""What a verifier does next: a pure function of what the chain says and of what it has replayed.

Nothing is remembered between two calls: a verifier that starts again decides the same. Each instruction is named by
what it is about, and carrying one out twice has the effect of once.

    epoch    seeded -> audit -> commit -> (all committed) reveal -> (window) challenge what is wrong
    ballot   drawn  -> audit -> commit -> reveal            a leaf's redraw, or a panel's vote
    game     past its appeal time -> resolve; upheld -> slash the seats that attested the convicted task
    program  drawn  -> recompute -> attest
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from protocol.verdicts import Verdict, Verdicts
from verifier.views import BallotView, ChainView, EpochView, GameView


class EpochState(IntEnum):
    """IAttestations.EpochState."""

    NONE = 0
    POSTED = 1
    SEEDED = 2
    COMMITTING = 3
    REVEALING = 4
    WINDOW = 5
    FINAL = 6
    VOID = 7


class GameState(IntEnum):
    """IDisputeGame.GameState."""

    NONE = 0
    DRAWING = 1
    COMMITTING = 2
    REVEALING = 3
    DECIDED = 4  # may be appealed; from the next state on nothing changes, whether it was carried out or not
    UPHELD = 5
    REJECTED = 6
    HUNG = 7


class BallotPhase(IntEnum):
    """Ballot.Phase: where a ballot's clock stands. It is drawn by its first commitment, so both first phases commit."""

    NONE = 0
    DRAWING = 1
    COMMITTING = 2
    REVEALING = 3
    ENDED = 4

    @property
    def takes_commitments(self) -> bool:
        """True while a drawn verifier may commit."""
        return self in (BallotPhase.DRAWING, BallotPhase.COMMITTING)


@dataclass(frozen=True)
class Audit:
    """What replaying one's draws of an epoch gave: verdicts, and the wrong task (a position) of each wrong leaf."""

    verdicts: Verdicts
    wrong: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What is known beside the events.

    Epochs, games, ballots and programs that are not in these mappings are over, or not this verifier's business.
    """

    me: str
    epochs: Mapping[int, EpochState] = field(default_factory=dict)
    games: Mapping[bytes, GameState] = field(default_factory=dict)
    ballots: Mapping[bytes, BallotPhase] = field(default_factory=dict)
    seats: Mapping[bytes, tuple[str, ...]] = field(default_factory=dict)
    audits: Mapping[int, Audit] = field(default_factory=dict)
    votes: Mapping[bytes, Verdict] = field(default_factory=dict)
    drawn_for_program: frozenset[bytes] = frozenset()
    may_commit: frozenset[int] = frozenset()


@dataclass(frozen=True)
class DrawSeed:
    """Push an epoch whose beacon round is there."""

    epoch_id: int


@dataclass(frozen=True)
class AuditEpoch:
    """Replay one's draws of an epoch."""

    epoch_id: int


@dataclass(frozen=True)
class CommitEpoch:
    """Commit to the verdicts on an epoch."""

    epoch_id: int
    verdicts: Verdicts


@dataclass(frozen=True)
class RevealEpoch:
    """Reveal the verdicts on an epoch."""

    epoch_id: int
    verdicts: Verdicts


@dataclass(frozen=True)
class OpenChallenge:
    """Accuse a task (a position in the receipt) of a leaf, the seat being the bond."""

    epoch_id: int
    leaf_number: int
    task: int


@dataclass(frozen=True)
class AuditBallot:
    """Replay what a ballot is about."""

    subject: bytes


@dataclass(frozen=True)
class CommitVote:
    """Commit a vote."""

    subject: bytes
    vote: Verdict


@dataclass(frozen=True)
class RevealVote:
    """Reveal a vote."""

    subject: bytes
    vote: Verdict


@dataclass(frozen=True)
class ResolveGame:
    """Carry out a decided game."""

    game_id: bytes


@dataclass(frozen=True)
class SlashAttestor:
    """Show that a seat attested the task that was convicted."""

    game_id: bytes
    verifier: str


@dataclass(frozen=True)
class AttestProgram:
    """Recompute a program and attest it; `draw` counts its draws of seats, each of which is attested anew."""

    program_id: bytes
    draw: int


Instruction = (
    DrawSeed
    | AuditEpoch
    | CommitEpoch
    | RevealEpoch
    | OpenChallenge
    | AuditBallot
    | CommitVote
    | RevealVote
    | ResolveGame
    | SlashAttestor
    | AttestProgram
)


def decide(view: ChainView, facts: Facts) -> list[Instruction]:
    """All that can be done now, epochs first."""
    instructions: list[Instruction] = []
    for epoch_id, state in facts.epochs.items():
        instructions += _of_epoch(view, view.epochs[epoch_id], state, facts)
    for subject, phase in facts.ballots.items():
        instructions += _of_ballot(view.ballots[subject], phase, facts)
    for game_id, game_state in facts.games.items():
        instructions += _of_game(view, view.games[game_id], game_state, facts)
    for program_id in facts.drawn_for_program:
        program = view.programs[program_id]
        if not program.complete and facts.me not in program.attested_by:
            instructions.append(AttestProgram(program_id, program.draws))
    return instructions


def _of_epoch(view: ChainView, epoch: EpochView, state: EpochState, facts: Facts) -> Iterator[Instruction]:
    if state == EpochState.POSTED:
        yield DrawSeed(epoch.epoch_id)
        return
    if epoch.epoch_id not in facts.may_commit or epoch.seed is None:
        return
    audit = facts.audits.get(epoch.epoch_id)
    if audit is None:
        if state in (EpochState.SEEDED, EpochState.COMMITTING):
            yield AuditEpoch(epoch.epoch_id)
    elif state in (EpochState.SEEDED, EpochState.COMMITTING) and facts.me not in epoch.committed:
        yield CommitEpoch(epoch.epoch_id, audit.verdicts)
    elif state == EpochState.REVEALING and facts.me in epoch.committed - epoch.revealed.keys():
        yield RevealEpoch(epoch.epoch_id, audit.verdicts)
    elif state == EpochState.WINDOW and facts.me in epoch.revealed:
        accused = {game.leaf_number for game in view.games.values() if game.epoch_id == epoch.epoch_id}
        for leaf_number, task in audit.wrong.items():
            if leaf_number not in accused:
                yield OpenChallenge(epoch.epoch_id, leaf_number, task)


def _of_ballot(ballot: BallotView, phase: BallotPhase, facts: Facts) -> Iterator[Instruction]:
    if facts.me not in facts.seats.get(ballot.subject, ()):
        return
    vote = facts.votes.get(ballot.subject)
    if vote is None:
        if phase.takes_commitments:
            yield AuditBallot(ballot.subject)
    elif phase.takes_commitments and facts.me not in ballot.committed:
        yield CommitVote(ballot.subject, vote)
    elif phase == BallotPhase.REVEALING and facts.me in ballot.committed - ballot.revealed.keys():
        yield RevealVote(ballot.subject, vote)


def _of_game(view: ChainView, game: GameView, state: GameState, facts: Facts) -> Iterator[Instruction]:
    if game.outcome is None:
        if state in (GameState.UPHELD, GameState.REJECTED, GameState.HUNG):
            yield ResolveGame(game.game_id)
        return
    if state != GameState.UPHELD:
        return
    epoch = view.epochs[game.epoch_id]
    for verifier, verdicts in epoch.revealed.items():
        if verdicts.on(game.leaf_number) == Verdict.RIGHT and verifier != facts.me:
            yield SlashAttestor(game.game_id, verifier)
