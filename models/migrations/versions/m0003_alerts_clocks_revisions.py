"""Alerts, test clocks, and the revisions that If-Match compares."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


_REVISED = ("merchants", "customers", "webhook_endpoints")


def upgrade() -> None:
    _create_alerts()
    _create_test_clocks()
    for table in _REVISED:
        revision = sa.Column("revision", sa.Integer(), nullable=False, server_default=sa.text("1"))
        op.add_column(table, revision)


def downgrade() -> None:
    for table in _REVISED:
        op.drop_column(table, "revision")
    op.drop_table("test_clocks")
    op.drop_table("alerts")


def _create_test_clocks() -> None:
    op.create_table(
        "test_clocks",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("frozen_time", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "livemode"),
        sa.CheckConstraint("NOT livemode", name="clocks_move_in_test_mode_only"),
    )


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
    )
    op.create_index(
        "alerts_open_once",
        "alerts",
        ["merchant_id", "livemode", "type", "subject"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index(
        "alerts_by_time",
        "alerts",
        [
            "merchant_id",
            "livemode",
            sa.literal_column("created_at DESC"),
            sa.literal_column("id DESC"),
        ],
    )
