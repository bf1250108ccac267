"""Every transaction that was ever signed for a row of the outbox."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects.postgresql import insert

from chain.fees import Fees
from chain.tables import outbox_sends
from chain.transactions import Send


def remember(connection: Connection, row_id: int, send: Send) -> None:
    """Record a transaction of a row; the very same one may have been signed before."""
    values = send._asdict() | {"outbox_id": row_id, "max_fee": send.fees.most, "tip": send.fees.tip}
    del values["fees"]
    fresh = insert(outbox_sends).values(**values)
    connection.execute(fresh.on_conflict_do_update(constraint="pk_outbox_sends", set_={"sent_at": send.sent_at}))


def restart_clocks(connection: Connection, hashes: Sequence[bytes], now: datetime) -> None:
    """Transactions that are broadcast again, as they are, get time to be mined before they are replaced."""
    where = outbox_sends.c.tx_hash.in_(hashes)
    connection.execute(update(outbox_sends).where(where).values(sent_at=now))


def sends_of(engine: Engine, row_id: int, current: bytes | None) -> list[Send]:
    """A row's transactions, the `current` one first, then the newest."""
    sends = outbox_sends.c
    order = ((sends.tx_hash == current).desc(), sends.sent_at.desc(), sends.max_fee.desc())
    with engine.connect() as connection:
        rows = connection.execute(select(outbox_sends).where(sends.outbox_id == row_id).order_by(*order)).all()
    return [
        Send(bytes(r.tx_hash), r.nonce, bytes(r.raw), r.gas, Fees(int(r.max_fee), int(r.tip)), r.sent_at) for r in rows
    ]
