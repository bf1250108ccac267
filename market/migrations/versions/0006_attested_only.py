"""attested_only: devices that cannot recompute a program, and take none that seats did not attest."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Offers made so far take any program."""
    op.add_column("offers", sa.Column("attested_only", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.alter_column("offers", "attested_only", server_default=None)


def downgrade() -> None:
    """Without it."""
    op.drop_column("offers", "attested_only")
