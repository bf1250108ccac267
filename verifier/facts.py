"""Reads what `state.decide` wants to know beside the events: phases, seats, and how far the replays are."""

from functools import lru_cache

from chain.errors import ContractReverted
from protocol.sampling import drawn_tasks, seats_of_leaf
from protocol.verdicts import Verdict
from verifier import db
from verifier.audit import (
    Duties,
    LeafEvidence,
    conclude,
    duties_of_epoch,
    duties_of_panel,
    duties_of_redraw,
    scope_of_ballot,
    scope_of_epoch,
    vote_of,
)
from verifier.context import Context
from verifier.pace import window
from verifier.state import Audit, BallotPhase, EpochState, Facts, GameState
from verifier.views import BallotView, ChainView, EpochView

_SEED_PATIENCE_BLOCKS = 4
_PROGRAMS_A_LOOK = 4
_GAME_PHASES = {
    GameState.DRAWING: BallotPhase.DRAWING,
    GameState.COMMITTING: BallotPhase.COMMITTING,
    GameState.REVEALING: BallotPhase.REVEALING,
}


class FactsReader:
    """Reads facts for one verifier. What can no longer change is asked for once; `forget` after a reorganisation."""

    def __init__(self, context: Context, me: str) -> None:
        self._context = context
        self._me = me
        self._over: set[int | bytes] = set()
        self._seats: dict[bytes, tuple[str, ...]] = {}
        self._looks = 0
        self._audits: dict[bytes, Audit] = {}
        self._duties: dict[bytes, Duties] = {}
        self._seats_in = lru_cache(maxsize=8)(context.seats_in)

    def forget(self) -> None:
        """Forgets what was read of the chain."""
        self._over.clear()
        self._seats.clear()
        self._duties.clear()
        self._seats_in.cache_clear()

    def read(self, view: ChainView) -> Facts:
        """The facts of this moment."""
        epochs = self._epoch_states(view)
        games = self._game_states(view)
        ballots = self._ballot_phases(view, games)
        seats = {subject: self._seats_of(view.ballots[subject]) for subject in ballots}
        may_commit = frozenset(epoch_id for epoch_id in epochs if self._holds_seats(view.epochs[epoch_id]))
        mine = [subject for subject in ballots if self._me in seats[subject]]
        return Facts(
            me=self._me,
            epochs=epochs,
            games=games,
            ballots=ballots,
            seats=seats,
            audits={i: a for i in may_commit if (a := self._audit_of(view.epochs[i])) is not None},
            votes={s: v for s in mine if (v := self._vote_of(view, view.ballots[s])) is not None},
            drawn_for_program=self._programs(view),
            may_commit=may_commit,
        )

    # --- duties

    def epoch_duties(self, epoch: EpochView) -> tuple[bytes, Duties | None]:
        """The scope of an epoch's audit and what is to be judged in it; None while its data may still come."""
        assert epoch.seed is not None
        scope = scope_of_epoch(epoch.head, epoch.seed)
        if scope not in self._duties:
            evidence = self._context.evidence_of(epoch.epoch_id, epoch.head.hash)
            if evidence is None:
                return scope, None
            devices = self._context.device_facts(evidence)
            seats = self._seats_in(epoch.head.snapshot)
            self._duties[scope] = duties_of_epoch(evidence, epoch.seed, seats, self._me, devices)
        return scope, self._duties[scope]

    def ballot_duties(self, view: ChainView, ballot: BallotView) -> tuple[bytes, Duties | None]:
        """The scope of a ballot's audit and what is to be judged in it; None while its data may still come."""
        epoch = view.epochs[ballot.epoch_id]
        assert epoch.seed is not None
        scope = scope_of_ballot(epoch.head, epoch.seed, ballot.subject)
        if scope not in self._duties:
            evidence = self._context.evidence_of(epoch.epoch_id, epoch.head.hash)
            if evidence is None:
                return scope, None
            if ballot.game_id is not None:
                task = view.games[ballot.game_id].task
                self._duties[scope] = duties_of_panel(evidence, ballot.leaf_number, task)
            else:
                devices = self._context.device_facts(evidence)
                self._duties[scope] = duties_of_redraw(evidence, ballot.leaf_number, epoch.seed, devices)
        return scope, self._duties[scope]

    def drawn_for(self, epoch: EpochView, leaf: LeafEvidence) -> list[str]:
        """Verifiers that the seed drew for a leaf."""
        assert epoch.seed is not None
        owner = self._context.client.call("StakeVault", "deviceOf", leaf.device)["owner"]
        seats = self._seats_in(epoch.head.snapshot)
        return [seats[index].verifier for index in seats_of_leaf(epoch.seed, leaf.leaf_hash, seats, owner)]

    def is_drawn(self, epoch: EpochView, leaf: LeafEvidence, position: int) -> bool:
        """True when the seed had this position of the receipt replayed."""
        assert epoch.seed is not None
        data, bid = leaf.place.leaf, leaf.place.entry.bid
        stake = int(self._context.client.call("StakeVault", "stakeAt", leaf.device, epoch.head.post_block))
        return position in drawn_tasks(epoch.seed, data.receipt, data.wus, stake, bid.rate_floor_ppm)

    # --- phases

    def _epoch_states(self, view: ChainView) -> dict[int, EpochState]:
        states: dict[int, EpochState] = {}
        for epoch_id, epoch in view.epochs.items():
            if epoch_id in self._over or not epoch.head.entries:
                continue
            state = EpochState(self._context.client.call("Attestations", "stateOf", epoch_id))
            if state in (EpochState.FINAL, EpochState.VOID):
                self._over.add(epoch_id)
            elif state != EpochState.POSTED or self._seed_is_late(epoch):
                states[epoch_id] = state
        return states

    def _seed_is_late(self, epoch: EpochView) -> bool:
        return self._context.client.head().number > epoch.round + _SEED_PATIENCE_BLOCKS

    def _game_states(self, view: ChainView) -> dict[bytes, GameState]:
        states: dict[bytes, GameState] = {}
        for game_id, game in view.games.items():
            if game_id in self._over:
                continue
            states[game_id] = GameState(self._context.client.call("Panel", "stateOf", game_id))
            if game.outcome is not None and states[game_id] in (GameState.REJECTED, GameState.HUNG):
                self._over.add(game_id)
        return states

    def _ballot_phases(self, view: ChainView, games: dict[bytes, GameState]) -> dict[bytes, BallotPhase]:
        phases: dict[bytes, BallotPhase] = {}
        for subject, ballot in view.ballots.items():
            if ballot.settled or subject in self._over:
                continue
            phase = self._phase_of(view, ballot, games)
            if phase == BallotPhase.ENDED:
                continue
            phases[subject] = phase
        return phases

    def _phase_of(self, view: ChainView, ballot: BallotView, games: dict[bytes, GameState]) -> BallotPhase:
        if ballot.game_id is None:
            return BallotPhase(self._context.client.call("Attestations", "ballotPhase", ballot.subject))
        game = view.games[ballot.game_id]
        if game.subject != ballot.subject or ballot.game_id not in games:
            return BallotPhase.ENDED
        return _GAME_PHASES.get(games[ballot.game_id], BallotPhase.ENDED)

    # --- seats, replays

    def _holds_seats(self, epoch: EpochView) -> bool:
        return any(seat.verifier == self._me for seat in self._seats_in(epoch.head.snapshot))

    def _seats_of(self, ballot: BallotView) -> tuple[str, ...]:
        if ballot.subject not in self._seats:
            try:
                if ballot.game_id is None:
                    drawn = self._context.client.call("Attestations", "ballotSeats", ballot.subject)
                else:
                    drawn = self._context.client.call("Panel", "panelSeats", ballot.game_id)
            except ContractReverted:
                return ()
            self._seats[ballot.subject] = tuple(drawn)
        return self._seats[ballot.subject]

    def _audit_of(self, epoch: EpochView) -> Audit | None:
        if epoch.seed is None:
            return None
        scope, duties = self.epoch_duties(epoch)
        if duties is None:
            return None
        if scope not in self._audits:
            audit = conclude(duties, db.played(self._context.engine, scope))
            if audit is None:
                return None
            self._audits[scope] = audit
        return self._audits[scope]

    def _vote_of(self, view: ChainView, ballot: BallotView) -> Verdict | None:
        scope, duties = self.ballot_duties(view, ballot)
        return None if duties is None else vote_of(duties, db.played(self._context.engine, scope))

    def _programs(self, view: ChainView) -> frozenset[bytes]:
        waiting = [p.program_id for p in view.programs.values() if not p.complete and self._me not in p.attested_by]
        drawn = set()
        self._looks += 1
        for program_id in window(waiting, self._looks, _PROGRAMS_A_LOOK):
            try:
                verifiers = self._context.client.call("ProgramRegistry", "drawnVerifiers", program_id)
            except ContractReverted:
                continue
            if self._me in verifiers:
                drawn.add(program_id)
        return frozenset(drawn)
