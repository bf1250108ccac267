"""open_spans: leasing counts and takes a job's open spans without passing those that are done."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """The index that leasing reads along."""
    op.create_index("ix_spans_open", "spans", ["job_id", "span"], postgresql_where=sa.text("state = 'open'"))


def downgrade() -> None:
    """Without it."""
    op.drop_index("ix_spans_open", "spans")
