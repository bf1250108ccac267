"""Tables of epochs, their entries and leaves, and of the chain's events that were applied."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Address, Amount, Base, Big, Bytes32


class EpochState(StrEnum):
    """posting, posted, seeded, committing, revealing, window, final, finished; void or failed on the way."""

    POSTING = "posting"
    POSTED = "posted"
    SEEDED = "seeded"
    COMMITTING = "committing"
    REVEALING = "revealing"
    WINDOW = "window"
    FINAL = "final"
    FINISHED = "finished"
    VOID = "void"
    FAILED = "failed"


ON_CHAIN = (
    EpochState.POSTED,
    EpochState.SEEDED,
    EpochState.COMMITTING,
    EpochState.REVEALING,
    EpochState.WINDOW,
    EpochState.FINAL,
)
"""States in which the chain may still move an epoch."""


class LeafState(StrEnum):
    """What became of a leaf on chain."""

    COMMITTED = "committed"
    CLAIMED = "claimed"
    VOIDED = "voided"
    RETURNED = "returned"


class Epoch(Base):
    """An epoch of this settler; `epoch_id` is the chain's number, `head` the posted head in its JSON form."""

    __tablename__ = "epochs"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    epoch_id: Mapped[Big | None] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(String(16), default=EpochState.POSTING, index=True)
    data_id: Mapped[Bytes32] = mapped_column(index=True)
    head: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    seed: Mapped[Bytes32 | None]
    final_at: Mapped[Big | None]
    error: Mapped[str | None] = mapped_column(String(2000))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class EpochEntry(Base):
    """One job's part of an epoch; `sum` is its debit in wei."""

    __tablename__ = "epoch_entries"

    epoch: Mapped[Big] = mapped_column(ForeignKey("epochs.id"), primary_key=True)
    entry_index: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[Bytes32] = mapped_column(index=True)
    subroot: Mapped[Bytes32]
    count: Mapped[int]
    sum: Mapped[Amount]


class EpochLeaf(Base):
    """A receipt in an epoch. `stake` is the device's at the posting; money in wei from the Claimed event."""

    __tablename__ = "epoch_leaves"
    __table_args__ = (
        Index("ix_epoch_leaves_receipt_id", "receipt_id"),
        Index("ix_epoch_leaves_device_epoch", "device", "epoch", "leaf_number"),
    )

    epoch: Mapped[Big] = mapped_column(ForeignKey("epochs.id"), primary_key=True)
    leaf_number: Mapped[int] = mapped_column(primary_key=True)
    entry_index: Mapped[int]
    leaf_index: Mapped[int]
    receipt_id: Mapped[Big] = mapped_column(ForeignKey("receipts.id"))
    job_id: Mapped[Bytes32]
    device: Mapped[Address]
    leaf_hash: Mapped[Bytes32] = mapped_column(index=True)
    digest: Mapped[Bytes32]
    debit: Mapped[Amount]
    state: Mapped[str] = mapped_column(String(16), default=LeafState.COMMITTED)
    attested: Mapped[bool] = mapped_column(default=False)
    seats: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    redraws: Mapped[int] = mapped_column(default=0)
    redraw_open: Mapped[bool] = mapped_column(default=False)
    claim_ident: Mapped[str | None] = mapped_column(String(80))
    stake: Mapped[Amount | None]
    drawn: Mapped[int | None]
    fee: Mapped[Amount | None]
    deduction: Mapped[Amount | None]
    surcharge: Mapped[Amount | None]
    paid: Mapped[Amount | None]
    bonded: Mapped[Amount | None]


class Verdict(Base):
    """A verifier's revealed verdicts on an epoch, as the chain's calldata needs them again."""

    __tablename__ = "verdicts"

    epoch_id: Mapped[Big] = mapped_column(primary_key=True)
    verifier: Mapped[Address] = mapped_column(primary_key=True)
    packed: Mapped[Bytes32]
    digests: Mapped[list[str]] = mapped_column(JSONB)
