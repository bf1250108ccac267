"""What the chain says of an epoch, at one block. Pure; `reader` fills it in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

from chain.calls import Head, SeatVerdict, bid_of
from chain.codec import Event
from protocol.errors import EncodingInvalid
from protocol.messages import Bid
from protocol.program import ProgramFacts
from protocol.sampling import Seat


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
    """IDisputeGame.GameState; those that a game can end in."""

    UPHELD = 5
    REJECTED = 6
    HUNG = 7


class BallotOutcome(IntEnum):
    """IAttestations.BallotOutcome."""

    PENDING = 0
    RIGHT = 1
    WRONG = 2
    UNAVAILABLE = 3
    HUNG = 4


class Job(NamedTuple):
    """A job as it was opened."""

    bid: Bid
    fee_ppm: int
    settler: str


class Outstanding(NamedTuple):
    """What an entry has left: wei of its debit, and a bit for each settled leaf."""

    sum: int
    settled: int


class EventLog:
    """The deployment's events in order."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = sorted(events, key=position_of)
        self._by_name: dict[str, list[Event]] = {}
        for event in self.events:
            self._by_name.setdefault(event.name, []).append(event)

    def named(self, *names: str, **arguments: object) -> list[Event]:
        """Events of these names with these arguments, in order."""
        found = [event for name in names for event in self._by_name.get(name, ())]
        found = [event for event in found if all(event.args[key] == value for key, value in arguments.items())]
        return found if len(names) == 1 else sorted(found, key=position_of)

    def first(self, name: str, **arguments: object) -> Event | None:
        """The first such event."""
        return next(iter(self.named(name, **arguments)), None)

    def owner_of(self, device: str) -> str | None:
        """Whom a device was bound to, for good."""
        bound = self.first("Bound", device=device)
        return None if bound is None else str(bound.args["owner"])

    def snapshot_at(self, event: Event) -> int:
        """The number of the newest snapshot of seats when the event happened."""
        taken = [one for one in self.named("SnapshotTaken") if position_of(one) < position_of(event)]
        return int(taken[-1].args["snapshot"]) if taken else 0

    def stake_before(self, device: str, before: tuple[int, int]) -> int:
        """Stake in wei just before a position, out of everything that moved it.

        A claim counts where it says what it bonds, not where the vault takes it in: the next leaf of the same claim
        finds that stake already.
        """
        stake = 0
        names = ("Staked", "UnstakeRequested", "Claimed", "Convicted")
        for event in self.named(*names, device=device):
            if position_of(event) >= before:
                break
            if event.name == "Convicted":
                stake = 0
            elif event.name == "Claimed":
                stake += int(event.args["money"]["bonded"])
            else:
                stake += int(event.args["amount"]) * (1 if event.name == "Staked" else -1)
        return stake

    @cached_property
    def jobs(self) -> dict[bytes, Job]:
        """Jobs by id."""
        opened = self.named("JobOpened")
        return {e.args["jobId"]: Job(bid_of(e.args["bid"]), e.args["feePpm"], e.args["settler"]) for e in opened}

    @cached_property
    def programs(self) -> dict[bytes, ProgramFacts]:
        """What is registered, by program id; an entry that no program can have is left out."""
        found = {}
        for event in self.named("Registered"):
            try:
                found[event.args["programId"]] = ProgramFacts(*event.args["program"].values())
            except (EncodingInvalid, TypeError):
                continue
        return found


@dataclass(frozen=True)
class EpochFacts:
    """One epoch: its posting, what the contracts hold of it, and the log that it stands in.

    `seats` by snapshot, `block_hashes` by beacon round where the node has the block, `verdict_hashes` by verifier;
    known once the epoch's data is: `stakes` in wei by device at the posting, `drawn_seats` (verifiers) by leaf hash.
    """

    epoch_id: int
    posted: Event
    state: EpochState
    head_hash: bytes
    seed: bytes
    outstanding: tuple[Outstanding, ...]
    log: EventLog
    minimum_stake: int
    beacon_delay: int
    seats: Mapping[int, tuple[Seat, ...]] = field(default_factory=dict)
    block_hashes: Mapping[int, bytes] = field(default_factory=dict)
    stakes: Mapping[str, int] = field(default_factory=dict)
    drawn_seats: Mapping[bytes, tuple[str, ...]] = field(default_factory=dict)
    verdict_hashes: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def head(self) -> Head:
        """What was posted."""
        return Head.of(self.posted.args["head"])

    @cached_property
    def opened(self) -> Event | None:
        """The event that fixed the beacon's round."""
        return self.log.first("EpochOpened", epochId=self.epoch_id)

    @property
    def is_seeded(self) -> bool:
        """Whether there was a draw."""
        return any(self.seed)

    @cached_property
    def reveals(self) -> dict[str, SeatVerdict]:
        """Revealed verdicts by verifier."""
        events = self.log.named("Revealed", epochId=self.epoch_id)
        return {event.args["verifier"]: SeatVerdict.of(event.args) for event in events}

    @property
    def drawn_from(self) -> tuple[Seat, ...]:
        """The seats that leaves are drawn among."""
        return self.seats.get(self.head.snapshot, ())


def position_of(event: Event) -> tuple[int, int]:
    """Where an event stands in the chain: block, index of the log."""
    return event.block_number, event.log_index


def draws_of(log: EventLog, epoch_id: int) -> set[tuple[int, int]]:
    """(beacon round, snapshot of seats) of an epoch's draw, and of those of its redraws and games."""
    found = {(e.args["round"], e.args["snapshot"]) for e in log.named("EpochOpened", epochId=epoch_id)}
    found |= {(e.args["beaconRound"], log.snapshot_at(e)) for e in log.named("RedrawOpened", epochId=epoch_id)}
    for game in log.named("ChallengeOpened", epochId=epoch_id):
        drawn = log.named("PanelDrawn", gameId=game.args["gameId"])
        found |= {(event.args["beaconRound"], event.args["snapshot"]) for event in drawn}
    return found
