"""Merchants, payments and what belongs to them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_api_keys()
    _create_counters()
    _create_customers()
    _create_idempotency_keys()
    _create_merchants()
    _create_payments()
    _create_platform_keys()
    _create_token_claims()
    _create_payment_methods()
    _create_refunds()


def downgrade() -> None:
    op.drop_table("refunds")
    op.drop_table("payment_methods")
    op.drop_table("token_claims")
    op.drop_table("platform_keys")
    op.drop_table("payments")
    op.drop_table("merchants")
    op.drop_table("idempotency_keys")
    op.drop_table("customers")
    op.drop_table("counters")
    op.drop_table("api_keys")


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text()),
        sa.Column("publishable_key", sa.Text()),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("revoked_at", sa.TIMESTAMP(timezone=True)),
        sa.CheckConstraint(
            "(type = 'secret') = (secret_hash IS NOT NULL)", name="secret_is_hashed"
        ),
        sa.CheckConstraint("type IN ('secret', 'publishable')", name="type_known"),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
    )


def _create_counters() -> None:
    op.create_table(
        "counters",
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "livemode", "resource", "status", "slot"),
    )


def _create_customers() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("email", sa.Text()),
        sa.Column("name", sa.Text()),
        sa.Column("metadata", postgresql.JSON(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
    )
    op.create_index(
        "customers_by_time",
        "customers",
        [
            "merchant_id",
            "livemode",
            sa.literal_column("created_at DESC"),
            sa.literal_column("id DESC"),
        ],
        unique=False,
    )


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("digest", postgresql.BYTEA(), nullable=False),
        sa.Column("resource_id", sa.UUID()),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("reply", postgresql.JSON()),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", "merchant_id", "livemode"),
    )


def _create_merchants() -> None:
    op.create_table(
        "merchants",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("business_name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("mcc", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("settlement_currency", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('pending_review', 'active', 'suspended', 'terminated')", name="status_known"
        ),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("capture", sa.Boolean(), nullable=False),
        sa.Column("payment_method_id", sa.UUID(), nullable=False),
        sa.Column("is_token", sa.Boolean(), nullable=False),
        sa.Column("customer_id", sa.UUID()),
        sa.Column("description", sa.Text()),
        sa.Column("metadata", postgresql.JSON(), nullable=False),
        sa.Column("idempotency_key", sa.UUID(), nullable=False),
        sa.Column("attempt_id", sa.UUID(), nullable=False),
        sa.Column("network", sa.Text()),
        sa.Column(
            "amount_authorized", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("amount_captured", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("amount_refunded", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("amount_disputed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failure_code", sa.Text()),
        sa.Column("decline_code", sa.Text()),
        sa.Column("pending_reason", sa.Text()),
        sa.Column("operation", sa.Text()),
        sa.Column("operation_amount", sa.BigInteger()),
        sa.Column("operation_attempt_id", sa.UUID()),
        sa.Column("operation_key", sa.UUID()),
        sa.Column("event_sequence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("captured_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("resume_at", sa.TIMESTAMP(timezone=True)),
        *_payment_rules(),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
    )
    _create_payment_indexes()


def _payment_rules() -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint("operation IN ('capture', 'cancel', 'reverse')", name="operation_known"),
        sa.CheckConstraint(
            "status IN ('pending', 'authorized', 'captured', 'failed', 'cancelled', 'refunded')",
            name="status_known",
        ),
        sa.CheckConstraint("amount BETWEEN 50 AND 99999999", name="amount_in_range"),
        sa.CheckConstraint(
            "amount_refunded >= 0 AND amount_disputed >= 0"
            " AND amount_refunded + amount_disputed <= amount_captured"
            " AND amount_captured <= amount_authorized AND amount_authorized <= amount",
            name="money_adds_up",
        ),
    ]


def _create_payment_indexes() -> None:
    op.create_index(
        "payments_by_amount", "payments", ["merchant_id", "livemode", "amount", "id"], unique=False
    )
    op.create_index(
        "payments_by_status",
        "payments",
        [
            "merchant_id",
            "livemode",
            "status",
            sa.literal_column("created_at DESC"),
            sa.literal_column("id DESC"),
        ],
        unique=False,
    )
    op.create_index(
        "payments_by_time",
        "payments",
        [
            "merchant_id",
            "livemode",
            sa.literal_column("created_at DESC"),
            sa.literal_column("id DESC"),
        ],
        unique=False,
    )
    op.create_index(
        "payments_to_resume",
        "payments",
        ["resume_at"],
        unique=False,
        postgresql_where=sa.text("resume_at IS NOT NULL"),
    )


def _create_platform_keys() -> None:
    op.create_table(
        "platform_keys",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_token_claims() -> None:
    op.create_table(
        "token_claims",
        sa.Column("token_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("claimed_by", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", "merchant_id"),
    )


def _create_payment_methods() -> None:
    op.create_table(
        "payment_methods",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("customer_id", sa.UUID(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("last_four", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text()),
        sa.Column("exp_month", sa.SmallInteger()),
        sa.Column("exp_year", sa.SmallInteger()),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("detached_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("erase_at", sa.TIMESTAMP(timezone=True)),
        sa.CheckConstraint("type IN ('card', 'bank_account', 'wallet')", name="type_known"),
        sa.ForeignKeyConstraint(
            ["customer_id", "merchant_id"],
            ["customers.id", "customers.merchant_id"],
        ),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
    )
    op.create_index(
        "payment_methods_to_erase",
        "payment_methods",
        ["erase_at"],
        unique=False,
        postgresql_where=sa.text("erase_at IS NOT NULL"),
    )
    op.create_index(
        "payment_methods_by_time",
        "payment_methods",
        [
            "merchant_id",
            "customer_id",
            sa.literal_column("created_at DESC"),
            sa.literal_column("id DESC"),
        ],
        unique=False,
    )
    op.create_index(
        "payment_methods_once_per_customer",
        "payment_methods",
        ["merchant_id", "livemode", "customer_id", "fingerprint"],
        unique=True,
        postgresql_where=sa.text("detached_at IS NULL"),
    )


def _create_refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.UUID(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("failure_code", sa.Text()),
        sa.Column("event_sequence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("settle_at", sa.TIMESTAMP(timezone=True)),
        sa.CheckConstraint("status IN ('pending', 'succeeded', 'failed')", name="status_known"),
        sa.CheckConstraint("amount >= 1", name="amount_positive"),
        sa.ForeignKeyConstraint(
            ["payment_id", "merchant_id"],
            ["payments.id", "payments.merchant_id"],
        ),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
    )
    op.create_index(
        "refunds_by_time",
        "refunds",
        [
            "merchant_id",
            "payment_id",
            sa.literal_column("created_at DESC"),
            sa.literal_column("id DESC"),
        ],
        unique=False,
    )
    op.create_index(
        "refunds_to_settle",
        "refunds",
        ["settle_at"],
        unique=False,
        postgresql_where=sa.text("settle_at IS NOT NULL"),
    )
