"""owners: an owner's devices and their leaves, newest first."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """The indexes that the pages of an owner read along."""
    op.create_index("ix_devices_owner", "devices", ["owner", "address"])
    op.create_index("ix_epoch_leaves_device_epoch", "epoch_leaves", ["device", "epoch", "leaf_number"])


def downgrade() -> None:
    """Without them."""
    op.drop_index("ix_epoch_leaves_device_epoch", "epoch_leaves")
    op.drop_index("ix_devices_owner", "devices")
