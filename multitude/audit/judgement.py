"""What the rules say of each leaf, and whether seats, redraws and games said the same. Pure.

A leaf's *judgement* is the verdict that an honest seat gives: unavailable where the data does not back it, wrong where
no run gives a result or a run gives another, else right with its state digest. None where it cannot be told.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chain.codec import Event
from multitude.audit.evidence import Evidence, Leaf
from multitude.audit.facts import BallotOutcome, EpochFacts, GameState, position_of
from multitude.audit.findings import Finding, agrees, compared, differs, disagrees, shown, unknown
from protocol.errors import ProtocolError
from protocol.sampling import (
    APPEAL_SEATS,
    PANEL_SEATS,
    REDRAW_SEATS,
    ballot_seats,
    ballot_seed,
    drawn_tasks,
    panel_subject,
    redraw_subject,
    seats_of_leaf,
)
from protocol.verdicts import Verdict, state_digest, stored_hash

MAJORITY = {REDRAW_SEATS: 2, APPEAL_SEATS: 4}
_NO_DIGEST = bytes(32)


class Run(NamedTuple):
    """One task run again: right with its state digest, wrong, or None where it could not be run."""

    verdict: Verdict | None
    digest: bytes = _NO_DIGEST
    detail: str = ""


Runs = Mapping[tuple[int, int], Run]


@dataclass(frozen=True)
class Draw:
    """The verifiers of a leaf's seats in drawing order, and the positions that they replay."""

    seats: tuple[str, ...]
    positions: tuple[int, ...]


@dataclass(frozen=True)
class Judgement:
    """The verdict on a leaf, None where it cannot be told; `why` it is not right.

    `asked` is false where nothing was run on purpose.
    """

    verdict: Verdict | None
    digest: bytes = _NO_DIGEST
    why: str = ""
    asked: bool = True


_NOT_ASKED = Judgement(None, asked=False)


@dataclass(frozen=True)
class Ballot:
    """A redraw or a panel, recomputed: its seats (None where their randomness is not to be had) and its votes.

    `needed` equal votes decide it.
    """

    subject: bytes
    needed: int
    seats: tuple[str, ...] | None
    votes: Mapping[str, int]

    def voters(self, vote: int) -> tuple[str, ...]:
        """Verifiers that voted so, one for each seat, in drawing order."""
        return tuple(verifier for verifier in self.seats or () if self.votes.get(verifier) == vote)

    @property
    def outcome(self) -> int:
        """The vote that enough seats agree on, 0 for none."""
        seats = self.seats or ()
        counted = Counter(self.votes[verifier] for verifier in seats if verifier in self.votes)
        return next((vote for vote in sorted(counted) if counted[vote] >= self.needed), 0)


# --- draws


def draw_of(facts: EpochFacts, leaf: Leaf) -> Draw:
    """Who replays what of a leaf under the epoch's seed."""
    owner = facts.log.owner_of(leaf.device) or ""
    chosen = seats_of_leaf(facts.seed, leaf.hash, facts.drawn_from, owner)
    seats = tuple(facts.drawn_from[index].verifier for index in chosen)
    if leaf.unbacked is not None:
        return Draw(seats, ())
    data, stake = leaf.place.leaf, facts.stakes.get(leaf.device, 0)
    return Draw(seats, drawn_tasks(facts.seed, data.receipt, data.wus, stake, leaf.bid.rate_floor_ppm))


def check_draw(facts: EpochFacts, leaf: Leaf, draw: Draw) -> Finding:
    """The draw, its stake as events give it, its seats as the contract draws them."""
    topic = f"draw of leaf {leaf.number}"
    stake = facts.log.stake_before(leaf.device, (facts.head.post_block + 1, 0))
    counted = 0 if stake < facts.minimum_stake else stake
    wrong = differs("the stake at the posting", facts.stakes.get(leaf.device, 0), counted)
    if leaf.hash in facts.drawn_seats:
        wrong += differs("the seats", facts.drawn_seats[leaf.hash], draw.seats)
    tasks = f"{len(draw.positions)} of {leaf.place.leaf.receipt.count} tasks"
    return compared(topic, f"{tasks} at stake {counted}, seats of {shown(draw.seats)}", wrong)


def wanted_runs(facts: EpochFacts, evidence: Evidence) -> dict[int, tuple[int, ...]]:
    """Positions to run by leaf: what the seed drew, and what a challenge accused."""
    wanted: dict[int, tuple[int, ...]] = {}
    for leaf in evidence.leaves.values():
        if leaf.unbacked is None and not leaf.faults():
            accused = {game.args["task"] for game in games_of(facts, leaf.number)}
            drawn = draw_of(facts, leaf).positions if facts.is_seeded else ()
            wanted[leaf.number] = tuple(sorted(accused | set(drawn)))
    return wanted


# --- judgements


def judge(facts: EpochFacts, leaf: Leaf, runs: Runs | None) -> Judgement:
    """The verdict that an honest seat gives on a leaf; without `runs` only what shows without one."""
    if leaf.unbacked is not None:
        return Judgement(Verdict.UNAVAILABLE, why=leaf.unbacked)
    faults = leaf.faults()
    if faults:
        position = min(faults)
        return Judgement(Verdict.WRONG, why=f"position {position}: {faults[position]}")
    if runs is None:
        return _NOT_ASKED
    found = [(k, runs.get((leaf.number, k), Run(None, detail="not run"))) for k in draw_of(facts, leaf).positions]
    # A wrong result decides the leaf, whatever of the rest cannot be run; then what nobody can run.
    for verdict in (Verdict.WRONG, None, Verdict.UNAVAILABLE):
        for position, run in found:
            if run.verdict == verdict:
                return Judgement(verdict, why=f"position {position}: {run.detail}")
    return Judgement(Verdict.RIGHT, state_digest([run.digest for _, run in found]))


def check_runs(leaf: Leaf, positions: Sequence[int], judgement: Judgement) -> Finding:
    """The drawn tasks that were run again. A lie is no disagreement: what was made of it may be."""
    topic = f"runs of leaf {leaf.number}"
    if judgement.verdict is None:
        return unknown(topic, judgement.why)
    if judgement.verdict == Verdict.RIGHT:
        return agrees(topic, f"{len(positions)} drawn tasks run again: output, WU and status are those signed")
    return agrees(topic, f"the leaf is {judgement.verdict.name.lower()}: {judgement.why}")


def check_verdicts(facts: EpochFacts, leaf: Leaf, draw: Draw, judgement: Judgement) -> Iterator[Finding]:
    """What each drawn seat revealed against the judgement."""
    if not judgement.asked:
        return
    for verifier in draw.seats:
        topic = f"verdict of {verifier} on leaf {leaf.number}"
        revealed = facts.reveals.get(verifier)
        if revealed is None:
            yield agrees(topic, "none was revealed: it counts for nothing")
            continue
        said, digest = verdict_on(revealed.verdicts, revealed.digests, leaf.number)
        yield _verdict_finding(topic, said, digest, judgement)


def _verdict_finding(topic: str, said: Verdict, digest: bytes, judgement: Judgement) -> Finding:
    found = judgement.verdict
    if said == Verdict.UNAVAILABLE and found != Verdict.UNAVAILABLE:
        return agrees(topic, "unavailable: the seat could not have the data then, which nothing shows now")
    if found is None:
        return unknown(topic, f"{said.name.lower()}; {judgement.why}")
    if said != found:
        why = f": {judgement.why}" if judgement.why else ""
        return disagrees(topic, f"revealed {said.name.lower()}, by the rules {found.name.lower()}{why}")
    if said == Verdict.RIGHT and digest != judgement.digest:
        return disagrees(topic, f"state digest {shown(digest)}, running the tasks gives {shown(judgement.digest)}")
    return agrees(topic, f"{said.name.lower()}, with the state digest {shown(digest)}")


def verdict_on(packed: int, digests: Sequence[bytes], leaf_number: int) -> tuple[Verdict, bytes]:
    """What a reveal says of one leaf, and its digest; nobody has checked that digests fit their verdicts."""
    said = Verdict(packed >> (2 * leaf_number) & 3)
    below = sum(1 for leaf in range(leaf_number) if packed >> (2 * leaf) & 3)
    return said, digests[below] if said and below < len(digests) else _NO_DIGEST


def check_reveals(facts: EpochFacts) -> Iterator[Finding]:
    """Every revealed verdict against the hash that the contract stores of it, and against the snapshot."""
    seats = Counter(seat.verifier for seat in facts.drawn_from)
    committed = {event.args["verifier"] for event in facts.log.named("Committed", epochId=facts.epoch_id)}
    for verifier, revealed in sorted(facts.reveals.items()):
        topic = f"reveal of {verifier}"
        found = stored_hash(revealed.verdicts, revealed.digests)
        wrong = differs("its hash", facts.verdict_hashes.get(verifier), found)
        wrong += [] if verifier in committed else ["it was never committed"]
        wrong += [] if seats[verifier] else ["its verifier has no seat in the snapshot"]
        yield compared(topic, f"hashed again; {seats[verifier]} of {len(facts.drawn_from)} seats", wrong)


# --- attestation


def attestors(facts: EpochFacts, leaf: Leaf, draw: Draw) -> tuple[str, ...] | None:
    """The verifiers to be paid for a leaf, one for each seat; None where the leaf is not attested."""
    redraws = redraws_of(facts, leaf)
    if redraws:
        return redraws[-1].voters(Verdict.RIGHT) if redraws[-1].outcome == Verdict.RIGHT else None
    revealed = [facts.reveals.get(verifier) for verifier in draw.seats]
    said = [verdict_on(one.verdicts, one.digests, leaf.number) for one in revealed if one is not None]
    agreed = len(said) == len(draw.seats) > 0 and len(set(said)) == 1 and said[0][0] == Verdict.RIGHT
    return draw.seats if agreed else None


def redraws_of(facts: EpochFacts, leaf: Leaf) -> list[Ballot]:
    """The redraws of a leaf in order."""
    owner = facts.log.owner_of(leaf.device) or ""
    found = []
    for event in facts.log.named("RedrawOpened", epochId=facts.epoch_id, leafHash=leaf.hash):
        subject = redraw_subject(facts.epoch_id, leaf.hash, event.args["round"])
        drawn = _seats_of(facts, subject, event.args["beaconRound"], facts.log.snapshot_at(event), REDRAW_SEATS, owner)
        votes = facts.log.named("BallotRevealed", subject=subject)
        found.append(
            Ballot(subject, MAJORITY[REDRAW_SEATS], drawn, {vote.args["verifier"]: vote.args["vote"] for vote in votes})
        )
    return found


def _seats_of(
    facts: EpochFacts, subject: bytes, beacon_round: int, snapshot: int, wanted: int, excluded: str
) -> tuple[str, ...] | None:
    randomness, seats = facts.block_hashes.get(beacon_round), facts.seats.get(snapshot)
    if randomness is None or seats is None:
        return None
    chosen = ballot_seats(ballot_seed(randomness, subject), subject, seats, wanted, (excluded,))
    return tuple(seats[index].verifier for index in chosen)


def check_redraws(facts: EpochFacts, leaf: Leaf, judgement: Judgement) -> Iterator[Finding]:
    """Subjects, seats, votes and outcomes of a leaf's redraws."""
    events = facts.log.named("RedrawOpened", epochId=facts.epoch_id, leafHash=leaf.hash)
    for event, ballot in zip(events, redraws_of(facts, leaf), strict=True):
        topic = f"redraw {event.args['round']} of leaf {leaf.number}"
        settled = facts.log.first("RedrawSettled", epochId=facts.epoch_id, subject=ballot.subject)
        outcome = BallotOutcome(ballot.outcome or BallotOutcome.HUNG)
        wrong = differs("the subject", event.args["subject"], ballot.subject)
        if settled is not None:
            wrong += differs("the outcome", BallotOutcome(settled.args["outcome"]).name, outcome.name)
        yield from _ballot_findings(topic, ballot, wrong, judgement)


def _ballot_findings(topic: str, ballot: Ballot, wrong: list[str], judgement: Judgement) -> Iterator[Finding]:
    if ballot.seats is None:
        yield unknown(topic, "the node lacks the block that drew its seats")
        return
    wrong = wrong + [f"{verifier} voted undrawn" for verifier in ballot.votes if verifier not in ballot.seats]
    yield compared(topic, f"seats of {shown(ballot.seats)}, {len(ballot.votes)} votes counted", wrong)
    for verifier, vote in sorted(ballot.votes.items()) if judgement.asked else ():
        said = Verdict(vote)
        name = f"vote of {verifier} in {topic}"
        if said == Verdict.UNAVAILABLE and judgement.verdict != Verdict.UNAVAILABLE:
            yield agrees(name, "unavailable: the seat could not have the data then, which nothing shows now")
        elif judgement.verdict is None:
            yield unknown(name, f"{said.name.lower()}; {judgement.why}")
        else:
            yield compared(name, said.name.lower(), differs("the vote", said.name, judgement.verdict.name))


# --- games


def games_of(facts: EpochFacts, leaf_number: int) -> list[Event]:
    """The challenges of a leaf."""
    return facts.log.named("ChallengeOpened", epochId=facts.epoch_id, leafNumber=leaf_number)


def check_games(facts: EpochFacts, leaf: Leaf, runs: Runs | None) -> Iterator[Finding]:
    """Panels of a leaf's challenges: seats, votes, outcome, and what the accused task gives."""
    for game in games_of(facts, leaf.number):
        judgement = _judge_task(leaf, game.args["task"], runs)
        topic = f"challenge of task {game.args['task']} of leaf {leaf.number}"
        drawn = facts.log.named("PanelDrawn", gameId=game.args["gameId"])
        ballots = [_panel(facts, game, event) for event in drawn]
        for event, ballot in zip(drawn, ballots, strict=True):
            wrong = differs("the subject", event.args["subject"], ballot.subject)
            yield from _ballot_findings(f"panel {event.args['round']} of the {topic}", ballot, wrong, judgement)
        yield from _check_outcome(facts, game, topic, ballots, judgement)


def _panel(facts: EpochFacts, game: Event, drawn: Event) -> Ballot:
    subject = panel_subject(game.args["gameId"], drawn.args["round"])
    wanted = APPEAL_SEATS if drawn.args["round"] else PANEL_SEATS
    place = drawn.args["beaconRound"], drawn.args["snapshot"]
    seats = _seats_of(facts, subject, *place, wanted, game.args["opener"])
    votes = facts.log.named("VoteRevealed", gameId=game.args["gameId"], subject=subject)
    return Ballot(subject, MAJORITY[wanted], seats, {vote.args["verifier"]: vote.args["vote"] for vote in votes})


def _judge_task(leaf: Leaf, position: int, runs: Runs | None) -> Judgement:
    if leaf.unbacked is not None:
        return Judgement(Verdict.UNAVAILABLE, why=leaf.unbacked)
    faults = leaf.faults()
    if position in faults:
        return Judgement(Verdict.WRONG, why=faults[position])
    if runs is None:
        return _NOT_ASKED
    run = runs.get((leaf.number, position), Run(None, detail="not run"))
    return Judgement(run.verdict, run.digest, run.detail)


def _check_outcome(
    facts: EpochFacts, game: Event, topic: str, ballots: Sequence[Ballot], judgement: Judgement
) -> Iterator[Finding]:
    resolved = facts.log.first("ChallengeResolved", gameId=game.args["gameId"])
    if resolved is None or not ballots:
        yield agrees(topic, "not resolved yet")
        return
    said = GameState(resolved.args["outcome"])
    convicted = facts.log.first("Convicted", device=game.args["device"])
    if convicted is not None and position_of(convicted) < position_of(resolved) and said == GameState.HUNG:
        yield agrees(topic, "ended with every bond back: the device was convicted already")
        return
    if ballots[-1].seats is None:
        yield unknown(topic, "the node lacks the block that drew its panel")
        return
    by_votes = {Verdict.RIGHT: GameState.REJECTED, Verdict.WRONG: GameState.UPHELD}
    wrong = differs("the outcome", said.name, by_votes.get(Verdict(ballots[-1].outcome), GameState.HUNG).name)
    if judgement.verdict is not None and said != GameState.HUNG:
        should = by_votes.get(judgement.verdict, GameState.HUNG)
        wrong += [] if said == should else [f"{said.name.lower()}, though running the task gives {should.name.lower()}"]
    yield compared(topic, f"{said.name.lower()}: votes counted", wrong)


def judgements(facts: EpochFacts, evidence: Evidence, runs: Runs | None) -> Iterator[Finding]:
    """Every finding on draws, runs, reveals, redraws and games of a seeded epoch."""
    yield from check_reveals(facts)
    for number, leaf in sorted(evidence.leaves.items()):
        try:
            draw = draw_of(facts, leaf)
        except ProtocolError as error:
            yield disagrees(f"draw of leaf {number}", error.reason)
            continue
        judgement = judge(facts, leaf, runs)
        yield check_draw(facts, leaf, draw)
        if judgement.asked:
            yield check_runs(leaf, draw.positions, judgement)
        yield from check_verdicts(facts, leaf, draw, judgement)
        yield from check_redraws(facts, leaf, judgement)
        yield from check_games(facts, leaf, runs)
