"""Bytes that strangers have put here and that nothing refers to yet: counted, bounded, and gone after a day.

A PUT adds a row; what refers to a blob (a job, a program, accepted results) takes its row away with `keep`, in its own
transaction; `sweep` removes what nobody kept. Blobs that the market stores itself never have a row.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import DateTime, String, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from market.context import Context
from market.db import Base, Big, Bytes32
from market.problems import Problem

IDS_AT_ONCE = 10_000
SWEPT_AT_ONCE = 500


class Upload(Base):
    """A blob that nothing refers to yet; `caller` is whom limits count."""

    __tablename__ = "uploads"

    blob: Mapped[Bytes32] = mapped_column(primary_key=True)
    size: Mapped[Big]
    caller: Mapped[str] = mapped_column(String(64), index=True)
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


def check_room(context: Context, caller: str, size: int) -> None:
    """Problem 429 `upload_quota` where the caller has too much here already, 503 `storage_full` where all have."""
    settings = context.settings
    later = {"Retry-After": str(min(settings.upload_keep_seconds, 3600))}
    with context.sessions() as session:
        mine = _bytes_of(session, caller)
        ours = _bytes_of(session, None)
    if mine + size > settings.uploads_caller_max_bytes * settings.rate_factor:
        raise Problem(429, "upload_quota", "too many bytes of yours that no job or program refers to", later)
    if ours + size > settings.uploads_max_bytes or context.blobs.free_bytes() < settings.disk_free_min_bytes + size:
        raise Problem(503, "storage_full", "no room for uploads now", later)


def note(context: Context, blob: str, size: int, caller: str) -> None:
    """Writes down an upload, before its file is there."""
    values = {"blob": blob, "size": size, "caller": caller, "made_at": context.moment()}
    with context.transaction() as session:
        session.execute(insert(Upload).values(values).on_conflict_do_nothing())


def renew(context: Context, blob: str) -> None:
    """The blob was uploaded again: if nothing keeps it, its day starts anew."""
    with context.transaction() as session:
        row = session.get(Upload, blob, with_for_update=True)
        if row is not None:
            row.made_at = context.moment()


def keep(session: Session, blobs: Iterable[str]) -> None:
    """Something refers to these blobs from this transaction on. Look whether they are there *after* this call."""
    ids = sorted(set(blobs))
    for start in range(0, len(ids), IDS_AT_ONCE):
        session.execute(delete(Upload).where(Upload.blob.in_(ids[start : start + IDS_AT_ONCE])))


def sweep(context: Context) -> int:
    """Removes the uploads that nobody kept in time; how many.

    The files go while the rows are locked: a `keep` that comes at the same time waits, and then finds no blob.
    """
    removed = 0
    while True:
        with context.transaction() as session:
            old = Upload.made_at < context.moment(-context.settings.upload_keep_seconds)
            query = select(Upload).where(old).limit(SWEPT_AT_ONCE).with_for_update(skip_locked=True)
            rows = list(session.scalars(query))
            for row in rows:
                context.blobs.remove(row.blob)
                session.delete(row)
        removed += len(rows)
        if len(rows) < SWEPT_AT_ONCE:
            return removed


def _bytes_of(session: Session, caller: str | None) -> int:
    query = select(func.coalesce(func.sum(Upload.size), 0))
    return int(session.scalar(query if caller is None else query.where(Upload.caller == caller)) or 0)
