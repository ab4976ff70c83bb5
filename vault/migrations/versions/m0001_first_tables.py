"""The vault's first tables: keys, instruments, attempts, token requests."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_attempts()
    _create_data_keys()
    _create_instruments()
    _create_publishable_keys()
    _create_token_requests()


def downgrade() -> None:
    op.drop_table("attempts")
    op.drop_table("data_keys")
    op.drop_table("instruments")
    op.drop_table("publishable_keys")
    op.drop_table("token_requests")


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.Uuid()),
        sa.Column("operation", sa.Text()),
        sa.Column("network", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("begun_by", sa.Uuid()),
        sa.Column("outcome", sa.Text()),
        sa.Column("result", sa.Text()),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("decided_at", sa.TIMESTAMP(timezone=True)),
        sa.CheckConstraint(
            "(state = 'decided') = (result IS NOT NULL)", name=op.f("attempts_decided_has_result")
        ),
        sa.CheckConstraint(
            "operation IN ('authorise', 'capture', 'reverse', 'refund')",
            name=op.f("attempts_operation"),
        ),
        sa.CheckConstraint(
            "outcome IN ('approved', 'declined', 'pending')", name=op.f("attempts_outcome")
        ),
        sa.CheckConstraint("state IN ('begun', 'decided', 'fenced')", name=op.f("attempts_state")),
        sa.PrimaryKeyConstraint("id", "merchant_id", name=op.f("attempts_pkey")),
    )
    op.create_index(
        "attempts_approved",
        "attempts",
        ["payment_id", "merchant_id"],
        unique=False,
        postgresql_where=sa.text("operation = 'authorise' AND outcome = 'approved'"),
    )


def _create_data_keys() -> None:
    op.create_table(
        "data_keys",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", postgresql.BYTEA(), nullable=False),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("purpose IN ('seal', 'fingerprint')", name=op.f("data_keys_purpose")),
        sa.PrimaryKeyConstraint("merchant_id", "purpose", "version", name=op.f("data_keys_pkey")),
    )


def _create_instruments() -> None:
    op.create_table(
        "instruments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("ciphertext", postgresql.BYTEA()),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text()),
        sa.Column("last_four", sa.Text()),
        sa.Column("exp_month", sa.SmallInteger()),
        sa.Column("exp_year", sa.SmallInteger()),
        sa.Column("used_by", sa.Uuid()),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state <> 'erased' OR ciphertext IS NULL", name=op.f("instruments_erased_is_empty")
        ),
        sa.CheckConstraint(
            "state IN ('token', 'saved', 'used', 'erased')", name=op.f("instruments_state")
        ),
        sa.CheckConstraint(
            "type IN ('card', 'bank_account', 'wallet')", name=op.f("instruments_type")
        ),
        sa.PrimaryKeyConstraint("id", "merchant_id", name=op.f("instruments_pkey")),
    )
    op.create_index(
        "instruments_to_erase",
        "instruments",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("ciphertext IS NOT NULL AND expires_at IS NOT NULL"),
    )


def _create_publishable_keys() -> None:
    op.create_table(
        "publishable_keys",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("key", "merchant_id", name=op.f("publishable_keys_pkey")),
    )


def _create_token_requests() -> None:
    op.create_table(
        "token_requests",
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("refusal", sa.Text()),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", "merchant_id", "livemode", name=op.f("token_requests_pkey")),
    )
    op.create_index("token_requests_created_at", "token_requests", ["created_at"], unique=False)
