"""Tables of devices and their sessions."""

from datetime import datetime

from sqlalchemy import DateTime, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Address, Amount, Base, Bytes32


class Device(Base):
    """A device as the chain last showed it; `owner` is None until it is bound there."""

    __tablename__ = "devices"
    __table_args__ = (Index("ix_devices_owner", "owner", "address"),)

    address: Mapped[Address] = mapped_column(primary_key=True)
    owner: Mapped[Address | None]
    asked_owner: Mapped[Address | None]
    stake: Mapped[Amount] = mapped_column(default=0)
    convicted: Mapped[bool] = mapped_column(default=False)
    open_games: Mapped[int] = mapped_column(default=0)
    lease_spans: Mapped[int] = mapped_column(default=1)


class DeviceSession(Base):
    """A session: only the hash of its token is kept."""

    __tablename__ = "sessions"
    __table_args__ = (UniqueConstraint("device", "nonce"),)

    token_hash: Mapped[Bytes32] = mapped_column(primary_key=True)
    device: Mapped[Address] = mapped_column(index=True)
    nonce: Mapped[Bytes32]
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
