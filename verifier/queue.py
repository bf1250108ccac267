"""The body of the replay task: what is planned and not yet recorded is run, once."""

from typing import Protocol

import sqlalchemy as sa
import structlog

from protocol.program import ProgramFacts
from verifier import db
from verifier.audit import Evidence
from verifier.replay import Replayer
from verifier.views import ChainView

log = structlog.get_logger()


class Parts(Protocol):
    """What the task needs of a `Context`."""

    @property
    def engine(self) -> sa.Engine:
        """The verifier's database."""

    @property
    def replayer(self) -> Replayer:
        """Runs tasks."""

    def evidence_of(self, epoch_id: int, head_hash: bytes, /) -> Evidence | None:
        """The evidence of an epoch; None when the chain no longer has it."""

    def read_view(self) -> ChainView:
        """The view of all events."""

    def programs(self, view: ChainView, /) -> dict[bytes, ProgramFacts]:
        """What is registered of each program."""


def replay_in(
    parts: Parts, scope: bytes, epoch_id: int, head_hash: bytes, leaf_number: int, positions: list[int]
) -> None:
    """The task's body: what is recorded already is not run again."""
    bound = log.bind(epoch=epoch_id, leaf=leaf_number, scope=scope.hex()[:8])
    waiting = db.unplayed(parts.engine, scope, leaf_number, positions)
    evidence = parts.evidence_of(epoch_id, head_hash) if waiting else None
    if evidence is None or leaf_number not in evidence.leaves:
        bound.info("nothing to replay")
        return
    programs = parts.programs(parts.read_view())
    done = parts.replayer.replay(evidence.leaves[leaf_number], waiting, programs)
    db.record(parts.engine, scope, done)
    bound.info("replayed", tasks=len(done))
