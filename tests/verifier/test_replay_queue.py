"""The replay queue's task on a real database: everything that is drawn runs once, however often it is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from protocol.program import ProgramFacts
from protocol.verdicts import Verdict
from tests.verifier.epochs import DOMAIN, RealEpoch, lie_about, real_epoch
from verifier import db
from verifier.audit import DeviceFacts, Evidence, duties_of_redraw, gather, scope_of_epoch
from verifier.queue import replay_in
from verifier.replay import Replayer
from verifier.views import ChainView

SEED = b"\x05" * 32


@dataclass
class MemoryParts:
    """What the task uses of a Context, around an epoch in memory."""

    engine: sa.Engine
    epoch: RealEpoch
    replayer: Replayer

    def evidence_of(self, epoch_id: int, head_hash: bytes) -> Evidence | None:
        if head_hash != self.epoch.head.hash:
            return None
        return gather(self.epoch.blobs, epoch_id, self.epoch.head, self.epoch.fees_ppm, DOMAIN)

    def read_view(self) -> ChainView:
        return ChainView()

    def programs(self, _view: ChainView) -> dict[bytes, ProgramFacts]:
        return self.epoch.programs


@pytest.fixture
def parts(postgres_url: str) -> Iterator[MemoryParts]:
    epoch = real_epoch(lies=((1, lie_about(1)),))
    replayer = Replayer(epoch.blobs, 30)
    engine = sa.create_engine(postgres_url)
    db.metadata.create_all(engine)
    yield MemoryParts(engine, epoch, replayer)
    replayer.close()
    engine.dispose()


def run(parts: MemoryParts, scope: bytes, positions: list[int], head_hash: bytes | None = None) -> None:
    replay_in(parts, scope, 1, head_hash or parts.epoch.head.hash, 0, positions)


def test_task_of_an_epoch_that_a_reorganisation_took_away_runs_nothing(parts: MemoryParts):
    db.plan(parts.engine, b"s" * 32, 1, [(0, 0)])
    run(parts, b"s" * 32, [0], head_hash=b"x" * 32)
    assert parts.replayer.executions == 0
    assert db.played(parts.engine, b"s" * 32) == []


def test_positions_that_nobody_planned_are_not_run(parts: MemoryParts):
    run(parts, b"s" * 32, [0, 1])
    assert parts.replayer.executions == 0


def test_queue_runs_exactly_the_draws_and_each_once(parts: MemoryParts):
    evidence = parts.evidence_of(1, parts.epoch.head.hash)
    assert evidence is not None
    devices = {leaf.device: DeviceFacts("0x" + "00" * 20, 0) for leaf in evidence.leaves.values()}
    duties = duties_of_redraw(evidence, 0, SEED, devices)
    scope = scope_of_epoch(parts.epoch.head, SEED)
    for _ in range(2):
        db.plan(parts.engine, scope, 1, duties.pairs)
        run(parts, scope, list(duties.draws[0]))
    assert parts.replayer.executions == len(duties.draws[0]) == len(db.played(parts.engine, scope))
    said = {replay.position: replay.verdict for replay in db.played(parts.engine, scope)}
    assert said[1] == Verdict.WRONG
    assert set(said.values()) == {Verdict.RIGHT, Verdict.WRONG}
    count, wu = db.replayed_wu(parts.engine)
    assert count == len(duties.draws[0])
    assert wu > 0


def test_recorded_verdict_is_never_changed(parts: MemoryParts):
    db.plan(parts.engine, b"s" * 32, 1, [(0, 0)])
    first = db.Replay(0, 0, Verdict.RIGHT, 5, b"d" * 32)
    db.record(parts.engine, b"s" * 32, [first])
    db.record(parts.engine, b"s" * 32, [db.Replay(0, 0, Verdict.WRONG, 6, None)])
    assert db.played(parts.engine, b"s" * 32) == [first]
