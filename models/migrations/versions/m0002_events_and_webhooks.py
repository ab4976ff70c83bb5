"""Events, their deliveries, and the audit trail."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_audit_entries()
    _create_events()
    _create_webhook_attempts()
    _create_webhook_deliveries()
    _create_webhook_endpoints()


def downgrade() -> None:
    op.drop_table("webhook_endpoints")
    op.drop_table("webhook_deliveries")
    op.drop_table("webhook_attempts")
    op.drop_table("events")
    op.drop_table("audit_entries")


def _create_audit_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("entry", postgresql.JSON(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
        postgresql_partition_by="RANGE (id)",
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("object", postgresql.JSON(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "events_by_time",
        "events",
        [
            "merchant_id",
            "livemode",
            sa.literal_column("created_at DESC"),
            sa.literal_column("id DESC"),
        ],
        unique=False,
    )


def _create_webhook_attempts() -> None:
    op.create_table(
        "webhook_attempts",
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("endpoint_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("attempted_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status_code", sa.SmallInteger()),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("event_id", "endpoint_id", "merchant_id", "attempt"),
    )


def _create_webhook_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("endpoint_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("leased_until", sa.TIMESTAMP(timezone=True)),
        sa.CheckConstraint("state IN ('pending', 'succeeded', 'failed')", name="state_known"),
        sa.PrimaryKeyConstraint("event_id", "endpoint_id", "merchant_id"),
    )
    op.create_index(
        "webhook_deliveries_due",
        "webhook_deliveries",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "webhook_deliveries_first_attempts",
        "webhook_deliveries",
        ["merchant_id", "endpoint_id", "object_id", "sequence"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' AND attempts = 0"),
    )


def _create_webhook_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("is_merchant_url", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("enabled_events", postgresql.ARRAY(sa.Text())),
        sa.Column("api_version", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.TIMESTAMP(timezone=True)),
        sa.CheckConstraint("status IN ('enabled', 'disabled')", name="status_known"),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
    )
    op.create_index(
        "webhook_endpoints_by_time",
        "webhook_endpoints",
        ["merchant_id", "livemode", sa.literal_column("created_at DESC")],
        unique=False,
    )
    op.create_index(
        "webhook_endpoints_merchant_url",
        "webhook_endpoints",
        ["merchant_id", "livemode"],
        unique=True,
        postgresql_where=sa.text("is_merchant_url"),
    )
