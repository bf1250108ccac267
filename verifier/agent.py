"""The verifier's agent: looks at the chain, asks `state.decide` what to do, and does it.

Sending goes through the outbox and replaying through the Celery queue, each under a name of its own: an instruction
that comes again before its effect shows does nothing.
"""

import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType

import structlog
from eth_account import Account
from kombu.exceptions import OperationalError as BrokerAway
from sqlalchemy.exc import InterfaceError, OperationalError

from chain.calls import SeatVerdict
from chain.errors import RpcFailed
from chain.fees import USUAL_FEES
from chain.outbox import Outbox
from protocol.merkle import ResultTree
from protocol.verdicts import ballot_commitment, epoch_salt, salt_of
from verifier import db
from verifier.audit import Duties, LeafEvidence
from verifier.context import Context
from verifier.errors import BlobUnavailable, ProgramUnfit
from verifier.facts import FactsReader
from verifier.pace import Pace
from verifier.replay import recompute
from verifier.state import (
    AttestProgram,
    AuditBallot,
    AuditEpoch,
    CommitEpoch,
    CommitVote,
    DrawSeed,
    Instruction,
    OpenChallenge,
    ResolveGame,
    RevealEpoch,
    RevealVote,
    SlashAttestor,
    decide,
)
from verifier.views import ChainView

_ATTEMPTS = 4
"""Some seven seconds of reverts. What is wanted still is queued again later (Outbox.want); a commit whose phase went by
while the node was away, and whose epoch is drawn anew, is not tried for minutes."""
_RESEND_AFTER_LOOKS = 8
"""Messages may be lost with a broker or a worker; what is still not replayed is queued again, ever more seldom."""
_RESEND_AFTER_LOOKS_MOST = 512

log = structlog.get_logger()

Dispatch = Callable[[bytes, int, bytes, int, list[int]], None]
"""Queues replays: scope, epoch id, head hash, leaf number, positions."""


class Agent:
    """One verifier. `dispatch` queues replays."""

    def __init__(self, context: Context, dispatch: Dispatch) -> None:
        self._context = context
        self._dispatch = dispatch
        self._me = context.settings.address
        self._view = ChainView()
        self._is_stale = True
        self._facts = FactsReader(context, self._me)
        self._dispatched: dict[bytes, tuple[int, int]] = {}
        self._unfit: set[bytes] = set()
        self._pace = Pace()
        account = Account.from_key(context.settings.key)
        self._outbox = Outbox(
            context.engine,
            context.client,
            account,
            context.settings.confirmations,
            policy=USUAL_FEES._replace(ceiling=context.settings.fee_ceiling_wei_per_gas),
        )
        self._handlers: dict[type, Callable[..., None]] = {
            DrawSeed: self._draw_seed,
            AuditEpoch: self._audit_epoch,
            CommitEpoch: self._commit_epoch,
            RevealEpoch: self._reveal_epoch,
            OpenChallenge: self._open_challenge,
            AuditBallot: self._audit_ballot,
            CommitVote: self._commit_vote,
            RevealVote: self._reveal_vote,
            ResolveGame: self._resolve_game,
            SlashAttestor: self._slash_attestor,
            AttestProgram: self._attest_program,
        }

    def run(self, stop: threading.Event) -> None:
        """Looks and acts until `stop` is set. A node, a database or a broker that is away is waited for."""
        log.info("verifier runs", address=self._me)
        while not stop.is_set():
            try:
                self.step()
            except RpcFailed as error:
                log.warning("the node is away", reason=str(error))
            except (OperationalError, InterfaceError) as error:
                self._is_stale = True  # events may have been stored that the view has not seen
                log.warning("the database is away", reason=str(error.orig))
            except BrokerAway as error:
                log.warning("the broker is away", reason=str(error))
            stop.wait(self._context.settings.poll_s)

    def step(self) -> list[Instruction]:
        """One look at the chain and all that follows from it."""
        self._pace.begin_look()
        if self._is_stale:
            self._read_again()
        result = self._context.indexer.sync()
        if result.removed:
            self._read_again()
        else:
            self._view.fold(result.new)
        instructions = decide(self._view, self._facts.read(self._view))
        for instruction in instructions:
            self._handlers[type(instruction)](instruction)
        self._outbox.pump()
        return instructions

    def _read_again(self) -> None:
        self._context.create_tables()
        self._view = self._context.read_view()
        self._facts.forget()
        self._is_stale = False

    # --- epochs

    def _draw_seed(self, todo: DrawSeed) -> None:
        # Once: it reverts where somebody else was quicker, and is wanted again where nobody was.
        self._send("drawSeed", str(todo.epoch_id), "Attestations", "drawSeed", (todo.epoch_id,), attempts=1)

    def _audit_epoch(self, todo: AuditEpoch) -> None:
        scope, duties = self._facts.epoch_duties(self._view.epochs[todo.epoch_id])
        self._replay(scope, todo.epoch_id, duties)

    def _commit_epoch(self, todo: CommitEpoch) -> None:
        salt = epoch_salt(self._context.settings.key, todo.epoch_id)
        commitment = todo.verdicts.commitment(salt, self._me, todo.epoch_id)
        self._send("commit", self._epoch_ident(todo.epoch_id), "Attestations", "commit", (todo.epoch_id, commitment))

    def _reveal_epoch(self, todo: RevealEpoch) -> None:
        salt = epoch_salt(self._context.settings.key, todo.epoch_id)
        args = (todo.epoch_id, salt, todo.verdicts.packed, todo.verdicts.digests)
        self._send("reveal", self._epoch_ident(todo.epoch_id), "Attestations", "reveal", args)

    def _epoch_ident(self, epoch_id: int) -> str:
        """Names an epoch under its seed: after a reorganisation both may be others."""
        seed = self._view.epochs[epoch_id].seed or b""
        return f"{epoch_id}/{seed.hex()[:16]}"

    def _open_challenge(self, todo: OpenChallenge) -> None:
        epoch = self._view.epochs[todo.epoch_id]
        leaf = self._leaf(todo.epoch_id, todo.leaf_number)
        if leaf is None or self._view.is_convicted(leaf.device):
            return
        drawn = set(self._facts.drawn_for(epoch, leaf))
        said = [
            SeatVerdict(v, verdicts.packed, verdicts.digests) for v, verdicts in epoch.revealed.items() if v in drawn
        ]
        args = (leaf.reference(), leaf.place.leaf.signature, todo.task, said)
        self._send("challenge", f"{self._epoch_ident(todo.epoch_id)}/{todo.leaf_number}", "Panel", "open", args)

    # --- ballots and games

    def _audit_ballot(self, todo: AuditBallot) -> None:
        ballot = self._view.ballots[todo.subject]
        scope, duties = self._facts.ballot_duties(self._view, ballot)
        self._replay(scope, ballot.epoch_id, duties)

    def _commit_vote(self, todo: CommitVote) -> None:
        salt = salt_of(self._context.settings.key, todo.subject)
        commitment = ballot_commitment(salt, self._me, todo.subject, todo.vote)
        game_id = self._view.ballots[todo.subject].game_id
        if game_id is None:
            self._send("voteCommit", todo.subject.hex(), "Attestations", "commitBallot", (todo.subject, commitment))
        else:
            self._send("voteCommit", todo.subject.hex(), "Panel", "commitVote", (game_id, commitment))

    def _reveal_vote(self, todo: RevealVote) -> None:
        salt = salt_of(self._context.settings.key, todo.subject)
        game_id = self._view.ballots[todo.subject].game_id
        if game_id is None:
            args = (todo.subject, salt, int(todo.vote))
            self._send("voteReveal", todo.subject.hex(), "Attestations", "revealBallot", args)
        else:
            self._send("voteReveal", todo.subject.hex(), "Panel", "revealVote", (game_id, salt, int(todo.vote)))

    def _resolve_game(self, todo: ResolveGame) -> None:
        self._send("resolve", todo.game_id.hex(), "Panel", "resolve", (todo.game_id,))

    def _slash_attestor(self, todo: SlashAttestor) -> None:
        game = self._view.games[todo.game_id]
        epoch = self._view.epochs[game.epoch_id]
        leaf = self._leaf(game.epoch_id, game.leaf_number)
        said = epoch.revealed[todo.verifier]
        if leaf is None or todo.verifier not in self._facts.drawn_for(epoch, leaf):
            return
        if not self._facts.is_drawn(epoch, leaf, game.task):
            return
        verdict = SeatVerdict(todo.verifier, said.packed, said.digests)
        args = (todo.game_id, leaf.reference(), leaf.place.entry.bid, _result_proof(leaf, game.task), verdict)
        self._send("slashAttestor", f"{todo.game_id.hex()}/{todo.verifier}", "Panel", "slashAttestor", args)

    # --- programs

    def _attest_program(self, todo: AttestProgram) -> None:
        if todo.program_id in self._unfit or not self._pace.take(todo.program_id):
            return
        try:
            recompute(self._context.blobs, self._view.programs[todo.program_id].facts)
        except ProgramUnfit as error:
            self._unfit.add(todo.program_id)
            log.warning("a program is not what it says", program=todo.program_id.hex(), reason=str(error))
        except BlobUnavailable as error:
            log.info("a program's module is not there", program=todo.program_id.hex(), reason=str(error))
        else:
            self._send(
                "attest", f"{todo.program_id.hex()}/{todo.draw}", "ProgramRegistry", "attest", (todo.program_id,)
            )

    # --- inside

    def _leaf(self, epoch_id: int, leaf_number: int) -> LeafEvidence | None:
        evidence = self._context.evidence_of(epoch_id, self._view.epochs[epoch_id].head.hash)
        return None if evidence is None else evidence.leaves.get(leaf_number)

    def _replay(self, scope: bytes, epoch_id: int, duties: Duties | None) -> None:
        if duties is None:
            return
        left, pause = self._dispatched.get(scope, (0, _RESEND_AFTER_LOOKS))
        if left > 0:
            self._dispatched[scope] = left - 1, pause
            return
        db.plan(self._context.engine, scope, epoch_id, duties.pairs)
        head_hash = self._view.epochs[epoch_id].head.hash
        for leaf_number, positions in duties.draws.items():
            for chunk in _chunks(positions, self._context.settings.replay_chunk):
                self._dispatch(scope, epoch_id, head_hash, leaf_number, chunk)
        self._dispatched[scope] = pause - 1, min(2 * pause, _RESEND_AFTER_LOOKS_MOST)

    def _send(
        self, purpose: str, ident: str, contract: str, function: str, args: Sequence[object], attempts: int = _ATTEMPTS
    ) -> None:
        with self._context.engine.begin() as connection:
            if self._outbox.want(connection, purpose, ident, contract, function, args, attempts=attempts):
                log.info("send", purpose=purpose, about=ident)


def _chunks(positions: Sequence[int], size: int) -> list[list[int]]:
    return [list(positions[start : start + size]) for start in range(0, len(positions), size)]


def _result_proof(leaf: LeafEvidence, position: int) -> tuple[object, ...]:
    """IPanel.ResultProof of one result in the receipt's tree."""
    results = leaf.place.leaf.results
    result, path = results[position], ResultTree(results).proof(position)
    return (
        result.task_index,
        result.output_length,
        result.output_root,
        result.wu,
        result.status,
        tuple(node.hash for node in path),
        tuple(node.sums for node in path),
    )


def install_signal_handlers(stop: threading.Event) -> None:
    """SIGINT and SIGTERM end the loop after the step that is under way."""

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)
