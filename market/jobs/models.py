"""Tables of jobs, their spans, and what happened to them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, Identity, Index, String, Text, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Address, Amount, Base, Big, Bytes32
from protocol.encoding import from_hex
from protocol.messages import Bid


class JobState(StrEnum):
    """Where a job stands; `refused` is one that the chain would not open."""

    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    REFUSED = "refused"


class SpanState(StrEnum):
    """Where a span stands; drawn or undrawn is said of its tasks. One that is voided is open again while its job is."""

    OPEN = "open"
    LEASED = "leased"
    ACCEPTED = "accepted"
    COMMITTED = "committed"
    FINAL = "final"
    VOIDED = "voided"


class Job(Base):
    """A job. `period` is what new leases are given, `postings` what the chain has counted; `over_at` is when it was
    closed or refused."""

    __tablename__ = "jobs"

    job_id: Mapped[Bytes32] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    buyer: Mapped[Address] = mapped_column(index=True)
    program_id: Mapped[Bytes32]
    bid_json: Mapped[dict[str, Any]] = mapped_column(JSONB)
    signature: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), index=True)
    fee_ppm: Mapped[int]
    period: Mapped[int] = mapped_column(default=0)
    postings: Mapped[int] = mapped_column(default=0)
    last_lease_id: Mapped[Big] = mapped_column(default=0)
    refunded: Mapped[Amount | None]
    error: Mapped[str | None] = mapped_column(String(2000))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    over_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), index=True)

    @property
    def bid(self) -> Bid:
        """The signed bid."""
        return Bid.from_json(self.bid_json)

    @property
    def id_bytes(self) -> bytes:
        """The job's id as bytes."""
        return from_hex(self.job_id, 32)


class Span(Base):
    """A span and the lease that last held it."""

    __tablename__ = "spans"
    __table_args__ = (Index("ix_spans_open", "job_id", "span", postgresql_where=text("state = 'open'")),)

    job_id: Mapped[Bytes32] = mapped_column(primary_key=True)
    span: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(16), default=SpanState.OPEN)
    lease_id: Mapped[Big | None]


class IdempotencyKey(Base):
    """The job that a key opened, so that a repeated request gets the same answer."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    job_id: Mapped[Bytes32]
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)


class JobEvent(Base):
    """Something that happened to a job, told to whoever follows it.

    `number` counts a job's events from 1 without holes; it is given when somebody first looks (`market/events.py`).
    """

    __tablename__ = "job_events"
    __table_args__ = (UniqueConstraint("job_id", "number"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job_id: Mapped[Bytes32] = mapped_column(index=True)
    number: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class JobTransaction(Base):
    """A transaction that the chain's events of a job came with; `digest` is the receipt's where it is about a leaf."""

    __tablename__ = "job_transactions"

    block_number: Mapped[Big] = mapped_column(primary_key=True)
    log_index: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[Bytes32] = mapped_column(index=True)
    what: Mapped[str] = mapped_column(String(16))
    tx_hash: Mapped[Bytes32]
    epoch_id: Mapped[Big | None]
    device: Mapped[Address | None]
    digest: Mapped[Bytes32 | None]
