"""Tables of leases, receipts and results."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, Integer, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Address, Amount, Base, Big, Bytes32
from protocol import messages
from protocol.encoding import from_hex
from protocol.spans import SpanSet


class LeaseState(StrEnum):
    """A lease is live until it is done, expired, released or void (its device was convicted)."""

    LIVE = "live"
    DONE = "done"
    EXPIRED = "expired"
    RELEASED = "released"
    VOID = "void"


class ReceiptState(StrEnum):
    """accepted -> posting -> committed -> claimed | voided; dropped receipts are never posted (again)."""

    ACCEPTED = "accepted"
    POSTING = "posting"
    COMMITTED = "committed"
    CLAIMED = "claimed"
    VOIDED = "voided"
    DROPPED = "dropped"


UNFINAL = (ReceiptState.ACCEPTED, ReceiptState.POSTING, ReceiptState.COMMITTED)
"""Receipts whose pay may still be lost."""


class Lease(Base):
    """A lease. `expires_at` moves with each heartbeat, up to the signed `expiry`; `reserve` is its worst cost, wei."""

    __tablename__ = "leases"
    __table_args__ = (Index("ix_leases_device_state", "device", "state"),)

    job_id: Mapped[Bytes32] = mapped_column(primary_key=True)
    lease_id: Mapped[Big] = mapped_column(primary_key=True)
    device: Mapped[Address]
    spans: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    price: Mapped[Amount]
    period: Mapped[int]
    expiry: Mapped[Big]
    post_by: Mapped[Big]
    signature: Mapped[str] = mapped_column(String(132))
    state: Mapped[str] = mapped_column(String(16), default=LeaseState.LIVE, index=True)
    reserve: Mapped[Amount]
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    receipt_id: Mapped[Big | None] = mapped_column(ForeignKey("receipts.id"), index=True)
    outputs: Mapped[Bytes32 | None]
    submission: Mapped[Bytes32 | None]

    @property
    def message(self) -> messages.Lease:
        """What the settler signed."""
        return messages.Lease(
            job_id=from_hex(self.job_id, 32),
            lease_id=self.lease_id,
            spans=tuple(self.spans),
            device=self.device,
            price_wei_per_gwu=self.price,
            expiry=self.expiry,
            post_by=self.post_by,
        )


class Receipt(Base):
    """The newest receipt of a (job, device, period), with the spans that it stands for; `frontier` is that of the tree
    of its results (`protocol/frontier.py`)."""

    __tablename__ = "receipts"
    __table_args__ = (
        UniqueConstraint("job_id", "device", "period"),
        Index("ix_receipts_device_state", "device", "state"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job_id: Mapped[Bytes32] = mapped_column(index=True)
    device: Mapped[Address]
    period: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default=ReceiptState.ACCEPTED, index=True)
    spans: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    results_root: Mapped[Bytes32]
    count: Mapped[int]
    total_wu: Mapped[Amount]
    total_squared_wu: Mapped[Amount]
    amount: Mapped[Amount]
    price: Mapped[Amount]
    post_by: Mapped[Big]
    signature: Mapped[str] = mapped_column(String(132))
    digest: Mapped[Bytes32] = mapped_column(index=True)
    debit: Mapped[Amount]
    frontier: Mapped[list[list[str]] | None] = mapped_column(JSONB(none_as_null=True))
    first_accepted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    accepted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    @property
    def span_set(self) -> SpanSet:
        """Its spans as the bitmap that the receipt commits to."""
        return SpanSet.of(self.spans)

    @property
    def message(self) -> messages.Receipt:
        """What the device signed."""
        return messages.Receipt(
            job_id=from_hex(self.job_id, 32),
            device=self.device,
            period=self.period,
            spans_hash=self.span_set.hash,
            results_root=from_hex(self.results_root, 32),
            count=self.count,
            total_wu=self.total_wu,
            total_squared_wu=self.total_squared_wu,
            amount=self.amount,
            post_by=self.post_by,
        )


class Result(Base):
    """The newest accepted result of a task."""

    __tablename__ = "results"

    job_id: Mapped[Bytes32] = mapped_column(primary_key=True)
    task: Mapped[int] = mapped_column(primary_key=True)
    lease_id: Mapped[Big]
    receipt_id: Mapped[Big] = mapped_column(ForeignKey("receipts.id"), index=True)
    output_length: Mapped[Big]
    output_root: Mapped[Bytes32]
    wu: Mapped[Amount]
    status: Mapped[int]
    drawn: Mapped[bool | None]
