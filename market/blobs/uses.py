"""Which blobs a job needs, and their removal when no job needs them any more.

A blob without a use is either a program's module, which stays, or an upload that nothing refers to (`uploads`).
"""

from collections.abc import Iterable

from sqlalchemy import exists, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from market.blobs.uploads import Upload
from market.context import Context
from market.db import Base, Bytes32
from market.jobs.models import Job
from market.leases.models import UNFINAL, Receipt
from market.programs.models import Program

ROWS_AT_ONCE = 10_000
REMOVED_AT_ONCE = 500
_LOCK_KEY = 7_400
LOCKING = f"pg_advisory_xact_lock_shared({_LOCK_KEY})"
KEEPING = "delete from uploads where blob = any(:blobs)"
USING = "insert into blob_uses (blob, job_id) select unnest(cast(:blobs as text[])), :job on conflict do nothing"
"""What `note_uses` does, for statements that do more: LOCKING before the other two, in a statement of its own."""
_USE = text(f"with kept as ({KEEPING}) {USING}")
_SHARED = text(f"select {LOCKING}")
_EXCLUSIVE = text(f"select pg_advisory_xact_lock({_LOCK_KEY})")


class BlobUse(Base):
    """A job needs a blob: its manifest, its inputs, its outputs, or the data of an epoch."""

    __tablename__ = "blob_uses"

    blob: Mapped[Bytes32] = mapped_column(primary_key=True)
    job_id: Mapped[Bytes32] = mapped_column(primary_key=True, index=True)


def note_uses(session: Session, job_id: str, blobs: Iterable[str]) -> None:
    """The job needs these blobs from this transaction on. Look whether they are there *after* this call."""
    session.execute(_SHARED)
    ids = sorted(set(blobs))
    for start in range(0, len(ids), ROWS_AT_ONCE):
        session.execute(_USE, {"job": job_id, "blobs": ids[start : start + ROWS_AT_ONCE]})


def remove_unused(context: Context) -> int:
    """Removes the blobs of jobs whose time is over, unless another job or a program needs them; how many."""
    removed = 0
    while True:
        with context.transaction() as session:
            session.execute(_EXCLUSIVE)
            over = context.moment(-context.settings.blobs_kept_seconds)
            pay = exists().where(Receipt.job_id == Job.job_id, Receipt.state.in_(UNFINAL))
            query = (
                select(BlobUse)
                .join(Job, Job.job_id == BlobUse.job_id)
                .where(Job.over_at <= over, ~pay)
                .limit(REMOVED_AT_ONCE)
            )
            uses = list(session.scalars(query))
            for use in uses:
                session.delete(use)
            session.flush()
            for blob in sorted({use.blob for use in uses}):
                if not _is_needed(session, blob):
                    context.blobs.remove(blob)
                    removed += 1
        if len(uses) < REMOVED_AT_ONCE:
            return removed


def _is_needed(session: Session, blob: str) -> bool:
    used = exists().where(BlobUse.blob == blob)
    program = exists().where(or_(Program.original_hash == blob, Program.rewritten_hash == blob))
    upload = exists().where(Upload.blob == blob)
    return bool(session.scalar(select(used | program | upload)))
