"""The verifier's own database: what it has replayed. Everything else is derived from the chain."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from protocol.verdicts import Verdict

metadata = sa.MetaData()

replays = sa.Table(
    "replays",
    metadata,
    sa.Column("scope", sa.LargeBinary, primary_key=True, comment="one epoch under one seed, or one ballot"),
    sa.Column("leaf_number", sa.Integer, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, comment="the task's position in the receipt"),
    sa.Column("epoch_id", sa.BigInteger, nullable=False),
    sa.Column("verdict", sa.SmallInteger, comment="null until it has been replayed"),
    sa.Column("wu", sa.Numeric(20, 0), comment="what the run cost, whatever the receipt says"),
    sa.Column("state_digest", sa.LargeBinary),
)


class Replay(NamedTuple):
    """One replayed task; `state_digest` only where the result is right."""

    leaf_number: int
    position: int
    verdict: Verdict
    wu: int
    state_digest: bytes | None


def plan(engine: sa.Engine, scope: bytes, epoch_id: int, draws: Iterable[tuple[int, int]]) -> None:
    """Records (leaf number, position) pairs that are to be replayed; what is there stays."""
    rows = [
        {"scope": scope, "epoch_id": epoch_id, "leaf_number": leaf, "position": position} for leaf, position in draws
    ]
    if rows:
        with engine.begin() as connection:
            connection.execute(insert(replays).on_conflict_do_nothing(), rows)


def unplayed(engine: sa.Engine, scope: bytes, leaf_number: int, positions: Sequence[int]) -> list[int]:
    """Those of the positions that wait for their replay, rising."""
    query = sa.select(replays.c.position).where(
        replays.c.scope == scope,
        replays.c.leaf_number == leaf_number,
        replays.c.position.in_(positions),
        replays.c.verdict.is_(None),
    )
    with engine.connect() as connection:
        return sorted(connection.execute(query).scalars())


def record(engine: sa.Engine, scope: bytes, done: Sequence[Replay]) -> None:
    """Records replays; one that is there already stays as it is."""
    with engine.begin() as connection:
        for replay in done:
            connection.execute(
                sa.update(replays)
                .where(
                    replays.c.scope == scope,
                    replays.c.leaf_number == replay.leaf_number,
                    replays.c.position == replay.position,
                    replays.c.verdict.is_(None),
                )
                .values(verdict=int(replay.verdict), wu=replay.wu, state_digest=replay.state_digest)
            )


def played(engine: sa.Engine, scope: bytes) -> list[Replay]:
    """The replays of a scope that are done, by leaf and position."""
    query = (
        sa.select(replays)
        .where(replays.c.scope == scope, replays.c.verdict.is_not(None))
        .order_by(replays.c.leaf_number, replays.c.position)
    )
    with engine.connect() as connection:
        return [
            Replay(row.leaf_number, row.position, Verdict(row.verdict), int(row.wu), row.state_digest)
            for row in connection.execute(query)
        ]


def replayed_wu(engine: sa.Engine) -> tuple[int, int]:
    """How many tasks this verifier has replayed, and their WU."""
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(replays.c.wu), 0)).where(
        replays.c.verdict.is_not(None)
    )
    with engine.connect() as connection:
        count, wu = connection.execute(query).one()
        return int(count), int(wu)
