"""Tables of offers and of what matching made of them."""

from datetime import datetime

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Address, Amount, Base, Bytes32


class Offer(Base):
    """A device's standing offer; `programs` None takes any, prices in wei per GWU.

    `attested_only`: the device cannot recompute programs and takes those alone that seats attested on chain.
    """

    __tablename__ = "offers"

    device: Mapped[Address] = mapped_column(primary_key=True)
    programs: Mapped[list[str] | None] = mapped_column(JSONB)
    min_price: Mapped[Amount]
    ns_per_wu: Mapped[float | None]
    memory_pages: Mapped[int]
    attested_only: Mapped[bool] = mapped_column(default=False)
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    valid_until: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    polled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), index=True)


class Match(Base):
    """The job that matching last gave a device, at this price in wei per GWU."""

    __tablename__ = "matches"

    device: Mapped[Address] = mapped_column(primary_key=True)
    job_id: Mapped[Bytes32]
    price: Mapped[Amount]
