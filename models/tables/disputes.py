"""Payments that their payer contests."""

import sqlalchemy as sa

from models.tables.base import METADATA, MOMENT, ZERO, created, identifier, one_of, tenant

DISPUTES = sa.Table(
    "disputes",
    METADATA,
    # Follows from the network's chargeback, so that one chargeback is one dispute.
    identifier(),
    *tenant(),
    identifier("payment_id", nullable=False),
    # The network's own reference of it.
    identifier("chargeback_id", nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("evidence_due_by", MOMENT, nullable=False),
    sa.Column("evidence_text", sa.Text),
    sa.Column("evidence_receipt_url", sa.Text),
    sa.Column("evidence_shipping_tracking", sa.Text),
    sa.Column("evidence_customer_communication", sa.Text),
    sa.Column("evidence_submitted_at", MOMENT),
    sa.Column("event_sequence", sa.Integer, nullable=False, server_default=ZERO),
    created(),
    sa.Column("closed_at", MOMENT),
    # Business time: when a worker has something to do, the deadline or evidence to hand over.
    sa.Column("work_at", MOMENT),
    # Wall time: until then a worker has it in hand.
    sa.Column("leased_until", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.ForeignKeyConstraint(["payment_id", "merchant_id"], ["payments.id", "payments.merchant_id"]),
    one_of("reason", "fraudulent", "product_not_received", "unrecognized", "other"),
    one_of("status", "needs_response", "under_review", "won", "lost"),
    sa.CheckConstraint("amount >= 1", name="amount_positive"),
    sa.CheckConstraint(
        "(status IN ('won', 'lost')) = (closed_at IS NOT NULL)", name="end_has_time"
    ),
    sa.CheckConstraint(
        "(evidence_text IS NULL) = (evidence_submitted_at IS NULL)", name="evidence_has_time"
    ),
    sa.Index("disputes_by_time", "merchant_id", "livemode", sa.desc("created_at"), sa.desc("id")),
    sa.Index(
        "disputes_by_status",
        "merchant_id",
        "livemode",
        "status",
        sa.desc("created_at"),
        sa.desc("id"),
    ),
    sa.Index(
        "disputes_by_payment", "merchant_id", "payment_id", sa.desc("created_at"), sa.desc("id")
    ),
    sa.Index("disputes_by_amount", "merchant_id", "livemode", "amount", "id"),
    sa.Index("disputes_to_work_on", "work_at", postgresql_where=sa.text("work_at IS NOT NULL")),
)
