"""What the chain has said so far, folded from its events: epochs, ballots, games, programs. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from chain.calls import Head
from protocol.errors import EncodingInvalid
from protocol.program import ProgramFacts
from protocol.verdicts import Verdict


class EventLike(Protocol):
    """What a view reads of an event."""

    @property
    def name(self) -> str:
        """The event's name."""

    @property
    def args(self) -> Mapping[str, Any]:
        """Its arguments by name; bytes as bytes, structs as mappings."""


class RevealedVerdicts(NamedTuple):
    """Verdicts as a verifier revealed them: nobody has checked that the digests fit."""

    packed: int
    digests: tuple[bytes, ...]

    def on(self, leaf_number: int) -> Verdict:
        """The verdict on one leaf."""
        return Verdict(self.packed >> (2 * leaf_number) & 3)


@dataclass
class EpochView:
    """One epoch."""

    epoch_id: int
    head: Head
    round: int = 0
    seed: bytes | None = None
    committed: set[str] = field(default_factory=set)
    revealed: dict[str, RevealedVerdicts] = field(default_factory=dict)
    settled: set[bytes] = field(default_factory=set)
    voided: bool = False


@dataclass
class BallotView:
    """One ballot: the redraw of a leaf, or the votes of a panel (then `game_id` is set)."""

    subject: bytes
    epoch_id: int
    leaf_number: int
    game_id: bytes | None = None
    committed: set[str] = field(default_factory=set)
    revealed: dict[str, int] = field(default_factory=dict)
    settled: bool = False


@dataclass
class GameView:
    """One challenge before the panel; `task` is the position in the receipt."""

    game_id: bytes
    epoch_id: int
    device: str
    opener: str
    leaf_number: int
    task: int
    subject: bytes | None = None
    outcome: int | None = None


@dataclass
class ProgramView:
    """One registered program that asked for attestation."""

    program_id: bytes
    facts: ProgramFacts
    draws: int = 0
    attested_by: set[str] = field(default_factory=set)
    complete: bool = False


@dataclass
class ChainView:
    """Everything a verifier follows, by id; `fees_ppm` by job."""

    epochs: dict[int, EpochView] = field(default_factory=dict)
    ballots: dict[bytes, BallotView] = field(default_factory=dict)
    games: dict[bytes, GameView] = field(default_factory=dict)
    programs: dict[bytes, ProgramView] = field(default_factory=dict)
    fees_ppm: dict[bytes, int] = field(default_factory=dict)
    convicted: set[str] = field(default_factory=set)

    def fold(self, events: Iterable[EventLike]) -> None:
        """Takes in events in chain order; those of other concerns are passed over."""
        for event in events:
            handler = _HANDLERS.get(event.name)
            if handler is not None:
                handler(self, event.args)

    def is_convicted(self, device: str) -> bool:
        """True when a game against the device was upheld: nothing of it can be challenged again."""
        return device in self.convicted


def _job_opened(view: ChainView, args: Mapping[str, Any]) -> None:
    view.fees_ppm[bytes(args["jobId"])] = int(args["feePpm"])


def _posted(view: ChainView, args: Mapping[str, Any]) -> None:
    epoch_id = int(args["epochId"])
    known = view.epochs.get(epoch_id)
    fresh = EpochView(epoch_id, Head.of(args["head"]))
    fresh.round = known.round if known else 0
    view.epochs[epoch_id] = fresh


def _epoch_opened(view: ChainView, args: Mapping[str, Any]) -> None:
    # The opening comes before the posting in a transaction's log.
    epoch_id = int(args["epochId"])
    if epoch_id not in view.epochs:
        nothing = Head("", b"", int(args["snapshot"]), 0, 0, (), ())
        view.epochs[epoch_id] = EpochView(epoch_id, nothing)
    view.epochs[epoch_id].round = int(args["round"])


def _seeded(view: ChainView, args: Mapping[str, Any]) -> None:
    view.epochs[int(args["epochId"])].seed = bytes(args["seed"])


def _committed(view: ChainView, args: Mapping[str, Any]) -> None:
    view.epochs[int(args["epochId"])].committed.add(str(args["verifier"]))


def _revealed(view: ChainView, args: Mapping[str, Any]) -> None:
    verdicts = RevealedVerdicts(int(args["verdicts"]), tuple(bytes(digest) for digest in args["digests"]))
    view.epochs[int(args["epochId"])].revealed[str(args["verifier"])] = verdicts


def _leaf_settled(view: ChainView, args: Mapping[str, Any]) -> None:
    view.epochs[int(args["epochId"])].settled.add(bytes(args["receiptDigest"]))


def _epoch_voided(view: ChainView, args: Mapping[str, Any]) -> None:
    view.epochs[int(args["epochId"])].voided = True


def _redraw_opened(view: ChainView, args: Mapping[str, Any]) -> None:
    subject = bytes(args["subject"])
    view.ballots[subject] = BallotView(subject, int(args["epochId"]), int(args["leafNumber"]))


def _challenge_opened(view: ChainView, args: Mapping[str, Any]) -> None:
    game_id = bytes(args["gameId"])
    known = view.games.get(game_id)
    view.games[game_id] = GameView(
        game_id,
        int(args["epochId"]),
        str(args["device"]),
        str(args["opener"]),
        int(args["leafNumber"]),
        int(args["task"]),
        known.subject if known else None,
    )


def _panel_drawn(view: ChainView, args: Mapping[str, Any]) -> None:
    game_id, subject = bytes(args["gameId"]), bytes(args["subject"])
    game = view.games[game_id]
    game.subject = subject
    view.ballots[subject] = BallotView(subject, game.epoch_id, game.leaf_number, game_id)


def _ballot_committed(view: ChainView, args: Mapping[str, Any]) -> None:
    view.ballots[bytes(args["subject"])].committed.add(str(args["verifier"]))


def _ballot_revealed(view: ChainView, args: Mapping[str, Any]) -> None:
    view.ballots[bytes(args["subject"])].revealed[str(args["verifier"])] = int(args["vote"])


def _redraw_settled(view: ChainView, args: Mapping[str, Any]) -> None:
    view.ballots[bytes(args["subject"])].settled = True


def _challenge_resolved(view: ChainView, args: Mapping[str, Any]) -> None:
    game = view.games[bytes(args["gameId"])]
    game.outcome = int(args["outcome"])
    if game.subject is not None:
        view.ballots[game.subject].settled = True


def _program_registered(view: ChainView, args: Mapping[str, Any]) -> None:
    program_id = bytes(args["programId"])
    try:
        facts = ProgramFacts(*args["program"].values())
    except (EncodingInvalid, TypeError):
        return  # nobody can run it, so nobody need look at it
    view.programs[program_id] = ProgramView(program_id, facts)


def _attestation_requested(view: ChainView, args: Mapping[str, Any]) -> None:
    program = view.programs.get(bytes(args["programId"]))
    if program is not None:
        program.draws += 1
        program.attested_by.clear()


def _program_attested(view: ChainView, args: Mapping[str, Any]) -> None:
    program = view.programs.get(bytes(args["programId"]))
    if program is not None:
        program.attested_by.add(str(args["verifier"]))
        program.complete = bool(args["complete"])


def _convicted(view: ChainView, args: Mapping[str, Any]) -> None:
    view.convicted.add(str(args["device"]))


_HANDLERS = {
    "Convicted": _convicted,
    "JobOpened": _job_opened,
    "Posted": _posted,
    "EpochOpened": _epoch_opened,
    "Seeded": _seeded,
    "Committed": _committed,
    "Revealed": _revealed,
    "Claimed": _leaf_settled,
    "LeafVoided": _leaf_settled,
    "EpochVoided": _epoch_voided,
    "RedrawOpened": _redraw_opened,
    "ChallengeOpened": _challenge_opened,
    "PanelDrawn": _panel_drawn,
    "BallotCommitted": _ballot_committed,
    "VoteCommitted": _ballot_committed,
    "BallotRevealed": _ballot_revealed,
    "VoteRevealed": _ballot_revealed,
    "RedrawSettled": _redraw_settled,
    "ChallengeResolved": _challenge_resolved,
    "Registered": _program_registered,
    "AttestationRequested": _attestation_requested,
    "ProgramAttested": _program_attested,
}
