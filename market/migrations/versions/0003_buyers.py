"""buyers: sign-ins, webhooks, numbered events, transactions, uses of blobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

TABLES = (
    "webhook_deliveries",
    "webhooks",
    "job_transactions",
    "blob_uses",
    "people_sessions",
    "sign_in_challenges",
)


def _change_jobs() -> None:
    op.alter_column("jobs", "signature", existing_type=sa.String(4096), type_=sa.Text())
    op.add_column("jobs", sa.Column("over_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_jobs_over_at"), "jobs", ["over_at"])
    op.execute("update jobs set over_at = now() where state in ('closed', 'refused')")
    op.add_column("job_events", sa.Column("number", sa.Integer(), nullable=True))
    op.create_unique_constraint(op.f("uq_job_events_job_id_number"), "job_events", ["job_id", "number"])
    op.create_index(op.f("ix_idempotency_keys_made_at"), "idempotency_keys", ["made_at"])
    op.add_column("receipts", sa.Column("frontier", postgresql.JSONB(none_as_null=True), nullable=True))


def _create_people() -> None:
    op.create_table(
        "sign_in_challenges",
        sa.Column("message_hash", sa.String(66), nullable=False),
        sa.Column("nonce", sa.String(40), nullable=False),
        sa.Column("address", sa.String(42), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_hash", name=op.f("pk_sign_in_challenges")),
    )
    op.create_index(op.f("ix_sign_in_challenges_expires_at"), "sign_in_challenges", ["expires_at"])
    op.create_table(
        "people_sessions",
        sa.Column("token_hash", sa.String(66), nullable=False),
        sa.Column("address", sa.String(42), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_people_sessions")),
    )
    op.create_index(op.f("ix_people_sessions_address"), "people_sessions", ["address"])
    op.create_index(op.f("ix_people_sessions_expires_at"), "people_sessions", ["expires_at"])


def _create_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(42), nullable=False),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("job_id", sa.String(66), nullable=True),
        sa.Column("events", postgresql.JSONB(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(op.f("ix_webhooks_owner"), "webhooks", ["owner"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("webhook_id", sa.String(40), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("job_id", sa.String(66), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(500), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("seq", name=op.f("uq_webhook_deliveries_seq")),
    )
    op.create_index(op.f("ix_webhook_deliveries_webhook_id"), "webhook_deliveries", ["webhook_id"])
    op.create_index("ix_webhook_deliveries_state_next_attempt_at", "webhook_deliveries", ["state", "next_attempt_at"])


def _create_job_parts() -> None:
    op.create_table(
        "job_transactions",
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(66), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("tx_hash", sa.String(66), nullable=False),
        sa.Column("epoch_id", sa.BigInteger(), nullable=True),
        sa.Column("device", sa.String(42), nullable=True),
        sa.Column("digest", sa.String(66), nullable=True),
        sa.PrimaryKeyConstraint("block_number", "log_index", "job_id", name=op.f("pk_job_transactions")),
    )
    op.create_index(op.f("ix_job_transactions_job_id"), "job_transactions", ["job_id"])
    op.create_table(
        "blob_uses",
        sa.Column("blob", sa.String(66), nullable=False),
        sa.Column("job_id", sa.String(66), nullable=False),
        sa.PrimaryKeyConstraint("blob", "job_id", name=op.f("pk_blob_uses")),
    )
    op.create_index(op.f("ix_blob_uses_job_id"), "blob_uses", ["job_id"])


def upgrade() -> None:
    """Makes the tables and columns. Events told before get their numbers when somebody looks."""
    _change_jobs()
    _create_people()
    _create_webhooks()
    _create_job_parts()


def downgrade() -> None:
    """Drops them."""
    for table in TABLES:
        op.drop_table(table)
    op.drop_column("receipts", "frontier")
    op.drop_index(op.f("ix_idempotency_keys_made_at"), "idempotency_keys")
    op.drop_constraint(op.f("uq_job_events_job_id_number"), "job_events")
    op.drop_column("job_events", "number")
    op.drop_index(op.f("ix_jobs_over_at"), "jobs")
    op.drop_column("jobs", "over_at")
