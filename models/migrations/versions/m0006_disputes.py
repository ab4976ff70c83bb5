"""Disputes."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NEWEST_FIRST: tuple[sa.ColumnElement[Any], ...] = (
    sa.literal_column("created_at DESC"),
    sa.literal_column("id DESC"),
)


def upgrade() -> None:
    _create_disputes()
    _create_indexes()


def downgrade() -> None:
    op.drop_table("disputes")


def _create_disputes() -> None:
    op.create_table(
        "disputes",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.UUID(), nullable=False),
        sa.Column("chargeback_id", sa.UUID(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("evidence_due_by", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("evidence_text", sa.Text()),
        sa.Column("evidence_receipt_url", sa.Text()),
        sa.Column("evidence_shipping_tracking", sa.Text()),
        sa.Column("evidence_customer_communication", sa.Text()),
        sa.Column("evidence_submitted_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("event_sequence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closed_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("work_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("leased_until", sa.TIMESTAMP(timezone=True)),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
        sa.ForeignKeyConstraint(
            ["payment_id", "merchant_id"], ["payments.id", "payments.merchant_id"]
        ),
        sa.CheckConstraint(
            "reason IN ('fraudulent', 'product_not_received', 'unrecognized', 'other')",
            name="reason_known",
        ),
        sa.CheckConstraint(
            "status IN ('needs_response', 'under_review', 'won', 'lost')", name="status_known"
        ),
        sa.CheckConstraint("amount >= 1", name="amount_positive"),
        sa.CheckConstraint(
            "(status IN ('won', 'lost')) = (closed_at IS NOT NULL)", name="end_has_time"
        ),
        sa.CheckConstraint(
            "(evidence_text IS NULL) = (evidence_submitted_at IS NULL)", name="evidence_has_time"
        ),
    )


def _create_indexes() -> None:
    lists: dict[str, list[str | sa.ColumnElement[Any]]] = {
        "disputes_by_time": ["merchant_id", "livemode", *_NEWEST_FIRST],
        "disputes_by_status": ["merchant_id", "livemode", "status", *_NEWEST_FIRST],
        "disputes_by_payment": ["merchant_id", "payment_id", *_NEWEST_FIRST],
        "disputes_by_amount": ["merchant_id", "livemode", "amount", "id"],
    }
    for name, columns in lists.items():
        op.create_index(name, "disputes", columns)
    op.create_index(
        "disputes_to_work_on",
        "disputes",
        ["work_at"],
        postgresql_where=sa.text("work_at IS NOT NULL"),
    )
