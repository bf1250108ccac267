"""every transaction that was signed for a row of the outbox is remembered."""

import sqlalchemy as sa
from alembic import op
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The new table, with the transactions that the outbox held."""
    sends = op.create_table(
        "outbox_sends",
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("gas", sa.BigInteger(), nullable=False),
        sa.Column("max_fee", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("tip", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["outbox_id"], ["outbox.id"], name=op.f("fk_outbox_sends_outbox_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tx_hash", "outbox_id", name="pk_outbox_sends"),
        comment="every transaction that was ever signed for a row: an older one may be mined",
    )
    op.create_index("ix_outbox_sends_outbox_id", "outbox_sends", ["outbox_id"], unique=False)
    signed = sa.text("SELECT id, nonce, raw, tx_hash, updated_at FROM outbox WHERE raw IS NOT NULL")
    rows = [_send(row) for row in op.get_bind().execute(signed)]
    if rows:
        op.bulk_insert(sends, rows)
    op.drop_column("outbox", "raw")


def downgrade() -> None:
    """The transactions that are current go back into the outbox."""
    op.add_column("outbox", sa.Column("raw", sa.LargeBinary(), nullable=True))
    op.execute(
        "UPDATE outbox SET raw = s.raw FROM outbox_sends s WHERE s.outbox_id = outbox.id AND s.tx_hash = outbox.tx_hash"
    )
    op.drop_table("outbox_sends")


def _send(row: sa.Row[tuple[object, ...]]) -> dict[str, object]:
    fields = TypedTransaction.from_bytes(HexBytes(row.raw)).as_dict()
    return {
        "tx_hash": row.tx_hash,
        "outbox_id": row.id,
        "nonce": row.nonce,
        "raw": row.raw,
        "gas": fields["gas"],
        "max_fee": fields["maxFeePerGas"],
        "tip": fields["maxPriorityFeePerGas"],
        "sent_at": row.updated_at,
    }
