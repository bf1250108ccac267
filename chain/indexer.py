"""Our contracts' events in PostgreSQL, kept true through reorganisations.

The newest read blocks are remembered with their hashes. A sync first walks back to the last one that the chain still
has, deletes what came after it, then reads on from there: an event is in the table if and only if the chain has it.

It walks back REORG_BLOCKS_MOST blocks at least, and at most by as many and BLOCKS_AT_ONCE more; past what it remembers
it raises ReorgTooDeep. A chain not longer than that is read anew from the deployment on.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from chain import abi
from chain.client import ChainClient
from chain.codec import Decoded, Event, jsonable, revive
from chain.errors import ReorgDuringRead, ReorgTooDeep
from chain.reorg import REORG_BLOCKS_MOST, Patience, count_gone, utc_now
from chain.tables import chain_blocks, chain_events

BLOCKS_AT_ONCE = 10_000
"""Blocks that one sync reads at most."""
_TRIES = 3
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('chain_events', 0))")


class SyncResult(NamedTuple):
    """What a sync changed: events that are there now, those that are gone (newest first), the last block read."""

    new: list[Event]
    removed: list[Event]
    block: int


Apply = Callable[[Connection, SyncResult], None]


class Indexer:
    """Reads events up to `confirmations` blocks behind the head (0: up to the head)."""

    def __init__(
        self,
        engine: Engine,
        client: ChainClient,
        confirmations: int = 0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine = engine
        self._client = client
        self._confirmations = confirmations
        self._patience = Patience(clock)

    def sync(self, apply: Apply | None = None) -> SyncResult:
        """Read on, in one SQL transaction, in which `apply` derives the service's own state from the result.

        Whoever syncs at the same time waits. A node whose head is older than what was read is given CATCH_UP to have
        it: nothing changes meanwhile. Raises RpcFailed, ReorgDuringRead when the chain does not hold still,
        ReorgTooDeep.
        """
        for _ in range(_TRIES - 1):
            try:
                return self._sync(apply)
            except ReorgDuringRead:
                continue
        return self._sync(apply)

    def events(self, contract: str | None = None, name: str | None = None, after_block: int = -1) -> list[Event]:
        """Events that were read, in chain order."""
        query = select(chain_events).where(chain_events.c.block_number > after_block)
        if contract is not None:
            query = query.where(chain_events.c.contract == contract)
        if name is not None:
            query = query.where(chain_events.c.name == name)
        query = query.order_by(chain_events.c.block_number, chain_events.c.log_index)
        with self._engine.connect() as connection:
            return [_event(row) for row in connection.execute(query)]

    def position(self) -> int:
        """The last block read; -1 before the first sync."""
        with self._engine.connect() as connection:
            return _newest(connection)

    def _sync(self, apply: Apply | None) -> SyncResult:
        with self._engine.begin() as connection:
            connection.execute(_LOCK)
            head = self._client.head().number - self._confirmations
            newest = _newest(connection)
            is_over = self._patience.is_over("head", head < newest)
            if head < newest and not is_over:
                return SyncResult([], [], newest)
            base = self._last_common(connection)
            removed = self._roll_back(connection, base.number if base else -1)
            first = base.number + 1 if base else self._client.deployment.deploy_block
            last = min(head, first + BLOCKS_AT_ONCE - 1)
            new = self._read(connection, first, last) if first <= last else []
            if base is not None and self._client.block_hash(base.number) != base.hash:
                raise ReorgDuringRead(f"block {base.number} changed")
            result = _net(new, removed, max(last, first - 1))
            if apply is not None and (result.new or result.removed):
                apply(connection, result)
            return result

    def _last_common(self, connection: Connection) -> "_Block | None":
        """The last remembered block that the chain has; None where it may all be read anew."""
        query = select(chain_blocks.c.number, chain_blocks.c.hash).order_by(chain_blocks.c.number.desc())
        blocks = [_Block(number, bytes(block_hash)) for number, block_hash in connection.execute(query)]
        gone = count_gone(blocks, lambda block: self._client.block_hash(block.number) == block.hash)
        if gone < len(blocks):
            return blocks[gone]
        if blocks and blocks[0].number - self._client.deployment.deploy_block > REORG_BLOCKS_MOST:
            raise ReorgTooDeep(
                f"the chain has none of the blocks that were read, {blocks[-1].number} to {blocks[0].number}; "
                "if it is the right chain, empty chain_blocks and chain_events to read it anew"
            )
        return None

    def _roll_back(self, connection: Connection, block: int) -> list[Event]:
        connection.execute(delete(chain_blocks).where(chain_blocks.c.number > block))
        gone = delete(chain_events).where(chain_events.c.block_number > block).returning(chain_events)
        events = [_event(row) for row in connection.execute(gone)]
        return sorted(events, key=lambda event: (event.block_number, event.log_index), reverse=True)

    def _read(self, connection: Connection, first: int, last: int) -> list[Event]:
        anchor = self._client.block_hash(last)
        events = self._client.logs(first, last)
        if anchor is None or self._client.block_hash(last) != anchor:
            raise ReorgDuringRead(f"block {last} changed")
        if events:
            connection.execute(insert(chain_events), [_row(event) for event in events])
        seen = {event.block_number: event.block_hash for event in events} | {last: anchor}
        rows = [{"number": number, "hash": block_hash} for number, block_hash in seen.items()]
        connection.execute(upsert(chain_blocks).on_conflict_do_nothing(), rows)
        self._forget_before(connection, last - REORG_BLOCKS_MOST)
        return events

    def _forget_before(self, connection: Connection, reach: int) -> None:
        """Keep the newest block at or before `reach`, so that there is always one to roll back to."""
        kept = select(func.max(chain_blocks.c.number)).where(chain_blocks.c.number <= reach).scalar_subquery()
        connection.execute(delete(chain_blocks).where(chain_blocks.c.number < kept))


def _newest(connection: Connection) -> int:
    newest = connection.scalar(select(func.max(chain_blocks.c.number)))
    return -1 if newest is None else int(newest)


class _Block(NamedTuple):
    number: int
    hash: bytes


def _net(new: Sequence[Event], removed: Sequence[Event], block: int) -> SyncResult:
    """Leave out what a roll-back took away and the reading brought back unchanged."""
    both = {(e.block_hash, e.log_index) for e in new} & {(e.block_hash, e.log_index) for e in removed}
    return SyncResult(
        [e for e in new if (e.block_hash, e.log_index) not in both],
        [e for e in removed if (e.block_hash, e.log_index) not in both],
        block,
    )


def _row(event: Event) -> dict[str, Any]:
    return event._asdict() | {"args": jsonable(event.args)}


def _event(row: Row[Decoded]) -> Event:
    item = abi.load(row.contract).event(row.name)
    return Event(
        row.name,
        row.contract,
        revive(item, row.args),
        row.block_number,
        bytes(row.block_hash),
        bytes(row.tx_hash),
        row.log_index,
    )
