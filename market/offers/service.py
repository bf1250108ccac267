"""Standing offers of devices."""

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from market.context import Context
from market.offers.models import Offer
from market.sessions.models import Device

_SEEN = text("update offers set polled_at = :now where device = :device and valid_until > :now")


def put_offer(
    context: Context,
    device: str,
    programs: list[str] | None,
    min_price: int,
    ns_per_wu: float | None,
    memory_pages: int,
    *,
    attested_only: bool = False,
) -> None:
    """Replaces the device's offer; it holds for one session's time."""
    values = {
        "programs": programs,
        "min_price": min_price,
        "ns_per_wu": ns_per_wu,
        "memory_pages": memory_pages,
        "attested_only": attested_only,
        "made_at": context.moment(),
        "valid_until": context.moment(context.settings.session_seconds),
    }
    with context.transaction() as session:
        statement = insert(Offer).values(device=device, **values)
        session.execute(statement.on_conflict_do_update(index_elements=["device"], set_=values))


def touch(context: Context, session: Session, device: str) -> None:
    """Notes that the device polls now."""
    session.execute(_SEEN, {"device": device, "now": context.moment()})


def live_seconds(context: Context) -> int:
    """A device that has not polled, or kept a lease alive, for so long is not there."""
    return context.settings.poll_max_seconds + context.clock("lease")


def summary(context: Context) -> tuple[int, int, int]:
    """Counts of live devices: all, those that may be given leases, those of them without enough stake for a dispute."""
    with context.sessions() as session:
        rows = session.execute(
            select(Device.owner, Device.convicted, Device.stake)
            .join(Offer, Offer.device == Device.address)
            .where(Offer.polled_at > context.moment(-live_seconds(context)), Offer.valid_until > context.moment())
        ).all()
    able = [row for row in rows if row.owner is not None and not row.convicted]
    return len(rows), len(able), sum(1 for row in able if row.stake < context.policy.minimum_stake or row.stake == 0)
