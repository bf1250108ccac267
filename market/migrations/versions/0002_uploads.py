"""uploads that nothing refers to yet."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "uploads",
        sa.Column("blob", sa.String(66), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("blob", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_caller"), "uploads", ["caller"])
    op.create_index(op.f("ix_uploads_made_at"), "uploads", ["made_at"])


def downgrade() -> None:
    """Drops the table."""
    op.drop_table("uploads")
