"""Tables of sign-ins."""

from datetime import datetime

from sqlalchemy import DateTime, String
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Address, Base, Bytes32


class Challenge(Base):
    """A message that somebody was asked to sign; it is deleted when it has been used."""

    __tablename__ = "sign_in_challenges"

    message_hash: Mapped[Bytes32] = mapped_column(primary_key=True)
    nonce: Mapped[str] = mapped_column(String(40))
    address: Mapped[Address]
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class PersonSession(Base):
    """A person's session: only the hash of its token is kept."""

    __tablename__ = "people_sessions"

    token_hash: Mapped[Bytes32] = mapped_column(primary_key=True)
    address: Mapped[Address] = mapped_column(index=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
