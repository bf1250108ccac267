"""first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

TABLES = (
    "results",
    "leases",
    "epoch_leaves",
    "epoch_entries",
    "verdicts",
    "spans",
    "sessions",
    "receipts",
    "programs",
    "outbox",
    "offers",
    "matches",
    "jobs",
    "job_events",
    "idempotency_keys",
    "epochs",
    "devices",
    "chain_events",
    "chain_blocks",
)


def _create_chain_blocks() -> None:
    op.create_table(
        "chain_blocks",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_chain_blocks")),
    )


def _create_chain_events() -> None:
    op.create_table(
        "chain_events",
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("args", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name="pk_chain_events"),
    )
    op.create_index("ix_chain_events_contract_name", "chain_events", ["contract", "name"], unique=False)


def _create_devices() -> None:
    op.create_table(
        "devices",
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("owner", sa.String(length=42), nullable=True),
        sa.Column("asked_owner", sa.String(length=42), nullable=True),
        sa.Column("stake", sa.Numeric(39, 0), nullable=False),
        sa.Column("convicted", sa.Boolean(), nullable=False),
        sa.Column("open_games", sa.Integer(), nullable=False),
        sa.Column("lease_spans", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_devices")),
    )


def _create_epochs() -> None:
    op.create_table(
        "epochs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("epoch_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("data_id", sa.String(length=66), nullable=False),
        sa.Column("head", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("seed", sa.String(length=66), nullable=True),
        sa.Column("final_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(length=2000), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epochs")),
        sa.UniqueConstraint("epoch_id", name=op.f("uq_epochs_epoch_id")),
    )
    op.create_index(op.f("ix_epochs_data_id"), "epochs", ["data_id"], unique=False)
    op.create_index(op.f("ix_epochs_state"), "epochs", ["state"], unique=False)


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("job_id", sa.String(length=66), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency_keys")),
    )


def _create_job_events() -> None:
    op.create_table(
        "job_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.String(length=66), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_events")),
    )
    op.create_index(op.f("ix_job_events_job_id"), "job_events", ["job_id"], unique=False)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.String(length=66), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("buyer", sa.String(length=42), nullable=False),
        sa.Column("program_id", sa.String(length=66), nullable=False),
        sa.Column("bid_json", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("signature", sa.String(length=4096), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("fee_ppm", sa.Integer(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("postings", sa.Integer(), nullable=False),
        sa.Column("last_lease_id", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.Numeric(39, 0), nullable=True),
        sa.Column("error", sa.String(length=2000), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("seq", name=op.f("uq_jobs_seq")),
    )
    op.create_index(op.f("ix_jobs_buyer"), "jobs", ["buyer"], unique=False)
    op.create_index(op.f("ix_jobs_state"), "jobs", ["state"], unique=False)


def _create_matches() -> None:
    op.create_table(
        "matches",
        sa.Column("device", sa.String(length=42), nullable=False),
        sa.Column("job_id", sa.String(length=66), nullable=False),
        sa.Column("price", sa.Numeric(39, 0), nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_matches")),
    )


def _create_offers() -> None:
    op.create_table(
        "offers",
        sa.Column("device", sa.String(length=42), nullable=False),
        sa.Column("programs", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("min_price", sa.Numeric(39, 0), nullable=False),
        sa.Column("ns_per_wu", sa.Double(), nullable=True),
        sa.Column("memory_pages", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_offers")),
    )
    op.create_index(op.f("ix_offers_polled_at"), "offers", ["polled_at"], unique=False)


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("ident", sa.String(length=160), nullable=False),
        sa.Column("sender", sa.String(length=42), nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("function", sa.String(length=64), nullable=False),
        sa.Column("to", sa.String(length=42), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempts_max", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("error", sa.String(length=2000), nullable=True),
        sa.Column("nonce", sa.BigInteger(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("tx_hash", sa.LargeBinary(), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.LargeBinary(), nullable=True),
        sa.Column("gas_used", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("purpose", "ident", name="uq_outbox_purpose_ident"),
    )
    op.create_index("ix_outbox_sender_state", "outbox", ["sender", "state"], unique=False)


def _create_programs() -> None:
    op.create_table(
        "programs",
        sa.Column("program_id", sa.String(length=66), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("assurance", sa.Integer(), nullable=False),
        sa.Column("original_hash", sa.String(length=66), nullable=False),
        sa.Column("rewritten_hash", sa.String(length=66), nullable=False),
        sa.Column("code_root", sa.String(length=66), nullable=False),
        sa.Column("initial_memory_root", sa.String(length=66), nullable=False),
        sa.Column("limit_wu", sa.Numeric(39, 0), nullable=False),
        sa.Column("memory_pages", sa.Integer(), nullable=False),
        sa.Column("frame_bytes", sa.Integer(), nullable=False),
        sa.Column("tool_version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attested", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("program_id", name=op.f("pk_programs")),
        sa.UniqueConstraint("seq", name=op.f("uq_programs_seq")),
    )


def _create_receipts() -> None:
    op.create_table(
        "receipts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.String(length=66), nullable=False),
        sa.Column("device", sa.String(length=42), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("spans", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("results_root", sa.String(length=66), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("total_wu", sa.Numeric(39, 0), nullable=False),
        sa.Column("total_squared_wu", sa.Numeric(39, 0), nullable=False),
        sa.Column("amount", sa.Numeric(39, 0), nullable=False),
        sa.Column("price", sa.Numeric(39, 0), nullable=False),
        sa.Column("post_by", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.String(length=132), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("debit", sa.Numeric(39, 0), nullable=False),
        sa.Column("first_accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
        sa.UniqueConstraint("job_id", "device", "period", name=op.f("uq_receipts_job_id_device_period")),
    )
    op.create_index("ix_receipts_device_state", "receipts", ["device", "state"], unique=False)
    op.create_index(op.f("ix_receipts_digest"), "receipts", ["digest"], unique=False)
    op.create_index(op.f("ix_receipts_job_id"), "receipts", ["job_id"], unique=False)
    op.create_index(op.f("ix_receipts_state"), "receipts", ["state"], unique=False)


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=66), nullable=False),
        sa.Column("device", sa.String(length=42), nullable=False),
        sa.Column("nonce", sa.String(length=66), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
        sa.UniqueConstraint("device", "nonce", name=op.f("uq_sessions_device_nonce")),
    )
    op.create_index(op.f("ix_sessions_device"), "sessions", ["device"], unique=False)
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False)


def _create_spans() -> None:
    op.create_table(
        "spans",
        sa.Column("job_id", sa.String(length=66), nullable=False),
        sa.Column("span", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("lease_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "span", name=op.f("pk_spans")),
    )


def _create_verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("epoch_id", sa.BigInteger(), nullable=False),
        sa.Column("verifier", sa.String(length=42), nullable=False),
        sa.Column("packed", sa.String(length=66), nullable=False),
        sa.Column("digests", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("epoch_id", "verifier", name=op.f("pk_verdicts")),
    )


def _create_epoch_entries() -> None:
    op.create_table(
        "epoch_entries",
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("entry_index", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=66), nullable=False),
        sa.Column("subroot", sa.String(length=66), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("sum", sa.Numeric(39, 0), nullable=False),
        sa.ForeignKeyConstraint(["epoch"], ["epochs.id"], name=op.f("fk_epoch_entries_epoch")),
        sa.PrimaryKeyConstraint("epoch", "entry_index", name=op.f("pk_epoch_entries")),
    )
    op.create_index(op.f("ix_epoch_entries_job_id"), "epoch_entries", ["job_id"], unique=False)


def _create_epoch_leaves() -> None:
    op.create_table(
        "epoch_leaves",
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("leaf_number", sa.Integer(), nullable=False),
        sa.Column("entry_index", sa.Integer(), nullable=False),
        sa.Column("leaf_index", sa.Integer(), nullable=False),
        sa.Column("receipt_id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.String(length=66), nullable=False),
        sa.Column("device", sa.String(length=42), nullable=False),
        sa.Column("leaf_hash", sa.String(length=66), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("debit", sa.Numeric(39, 0), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attested", sa.Boolean(), nullable=False),
        sa.Column("seats", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("redraws", sa.Integer(), nullable=False),
        sa.Column("redraw_open", sa.Boolean(), nullable=False),
        sa.Column("claim_ident", sa.String(length=80), nullable=True),
        sa.Column("stake", sa.Numeric(39, 0), nullable=True),
        sa.Column("drawn", sa.Integer(), nullable=True),
        sa.Column("fee", sa.Numeric(39, 0), nullable=True),
        sa.Column("deduction", sa.Numeric(39, 0), nullable=True),
        sa.Column("surcharge", sa.Numeric(39, 0), nullable=True),
        sa.Column("paid", sa.Numeric(39, 0), nullable=True),
        sa.Column("bonded", sa.Numeric(39, 0), nullable=True),
        sa.ForeignKeyConstraint(["epoch"], ["epochs.id"], name=op.f("fk_epoch_leaves_epoch")),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipts.id"], name=op.f("fk_epoch_leaves_receipt_id")),
        sa.PrimaryKeyConstraint("epoch", "leaf_number", name=op.f("pk_epoch_leaves")),
    )
    op.create_index(op.f("ix_epoch_leaves_leaf_hash"), "epoch_leaves", ["leaf_hash"], unique=False)
    op.create_index("ix_epoch_leaves_receipt_id", "epoch_leaves", ["receipt_id"], unique=False)


def _create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("job_id", sa.String(length=66), nullable=False),
        sa.Column("lease_id", sa.BigInteger(), nullable=False),
        sa.Column("device", sa.String(length=42), nullable=False),
        sa.Column("spans", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("price", sa.Numeric(39, 0), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("expiry", sa.BigInteger(), nullable=False),
        sa.Column("post_by", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.String(length=132), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reserve", sa.Numeric(39, 0), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receipt_id", sa.BigInteger(), nullable=True),
        sa.Column("outputs", sa.String(length=66), nullable=True),
        sa.Column("submission", sa.String(length=66), nullable=True),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipts.id"], name=op.f("fk_leases_receipt_id")),
        sa.PrimaryKeyConstraint("job_id", "lease_id", name=op.f("pk_leases")),
    )
    op.create_index("ix_leases_device_state", "leases", ["device", "state"], unique=False)
    op.create_index(op.f("ix_leases_receipt_id"), "leases", ["receipt_id"], unique=False)
    op.create_index(op.f("ix_leases_state"), "leases", ["state"], unique=False)


def _create_results() -> None:
    op.create_table(
        "results",
        sa.Column("job_id", sa.String(length=66), nullable=False),
        sa.Column("task", sa.Integer(), nullable=False),
        sa.Column("lease_id", sa.BigInteger(), nullable=False),
        sa.Column("receipt_id", sa.BigInteger(), nullable=False),
        sa.Column("output_length", sa.BigInteger(), nullable=False),
        sa.Column("output_root", sa.String(length=66), nullable=False),
        sa.Column("wu", sa.Numeric(39, 0), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("drawn", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipts.id"], name=op.f("fk_results_receipt_id")),
        sa.PrimaryKeyConstraint("job_id", "task", name=op.f("pk_results")),
    )
    op.create_index(op.f("ix_results_receipt_id"), "results", ["receipt_id"], unique=False)


def upgrade() -> None:
    """Makes all tables."""
    _create_chain_blocks()
    _create_chain_events()
    _create_devices()
    _create_epochs()
    _create_idempotency_keys()
    _create_job_events()
    _create_jobs()
    _create_matches()
    _create_offers()
    _create_outbox()
    _create_programs()
    _create_receipts()
    _create_sessions()
    _create_spans()
    _create_verdicts()
    _create_epoch_entries()
    _create_epoch_leaves()
    _create_leases()
    _create_results()


def downgrade() -> None:
    """Drops all tables."""
    for table in TABLES:
        op.drop_table(table)
