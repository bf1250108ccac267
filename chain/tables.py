"""The tables of the outbox and of the indexer, for each service's own database.

A service hands `metadata` to Alembic beside its own, or calls `add_to(its_metadata)`; `create(engine)` is for one
without migrations.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("purpose", String(64), nullable=False),
    Column("ident", String(160), nullable=False),
    Column("sender", String(42), nullable=False),
    Column("contract", String(64), nullable=False),
    Column("function", String(64), nullable=False),
    Column("to", String(42), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("value", Numeric(78, 0), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("attempts_max", Integer, nullable=False),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("error", String(2000)),
    Column("nonce", BigInteger),
    Column("tx_hash", LargeBinary),
    Column("block_number", BigInteger),
    Column("block_hash", LargeBinary),
    Column("gas_used", BigInteger),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now(), onupdate=func.now()),
    UniqueConstraint("purpose", "ident", name="uq_outbox_purpose_ident"),
    Index("ix_outbox_sender_state", "sender", "state"),
)

outbox_sends = Table(
    "outbox_sends",
    metadata,
    Column("tx_hash", LargeBinary, nullable=False),
    Column("outbox_id", BigInteger, ForeignKey("outbox.id", ondelete="CASCADE"), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("gas", BigInteger, nullable=False),
    Column("max_fee", Numeric(78, 0), nullable=False),
    Column("tip", Numeric(78, 0), nullable=False),
    Column("sent_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tx_hash", "outbox_id", name="pk_outbox_sends"),
    Index("ix_outbox_sends_outbox_id", "outbox_id"),
    comment="every transaction that was ever signed for a row: an older one may be mined",
)

chain_events = Table(
    "chain_events",
    metadata,
    Column("block_number", BigInteger, nullable=False),
    Column("log_index", Integer, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("tx_hash", LargeBinary, nullable=False),
    Column("contract", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("args", JSONB, nullable=False),
    PrimaryKeyConstraint("block_number", "log_index", name="pk_chain_events"),
    Index("ix_chain_events_contract_name", "contract", "name"),
)

chain_blocks = Table(
    "chain_blocks",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)


def add_to(target: MetaData) -> None:
    """Copy the tables into a service's own metadata."""
    for table in metadata.sorted_tables:
        table.to_metadata(target)


def create(engine: Engine) -> None:
    """Create the tables where they are missing."""
    metadata.create_all(engine)
