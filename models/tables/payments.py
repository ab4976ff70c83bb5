"""Payments and their refunds."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

from models.tables.base import METADATA, MOMENT, ZERO, amount, created, identifier, one_of, tenant

PAYMENTS = sa.Table(
    "payments",
    METADATA,
    identifier(),
    *tenant(),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("capture", sa.Boolean, nullable=False),
    identifier("payment_method_id", nullable=False),
    sa.Column("is_token", sa.Boolean, nullable=False),
    identifier("customer_id"),
    # The hold that it was drawn on.
    identifier("hold_id"),
    sa.Column("description", sa.Text),
    sa.Column("metadata", JSON, nullable=False),
    identifier("idempotency_key", nullable=False),
    identifier("attempt_id", nullable=False),
    sa.Column("network", sa.Text),
    # Of the request that made it; never shown with the payment (domain/risk_signals.py).
    sa.Column("risk_signals", JSON),
    amount("amount_authorized"),
    amount("amount_captured"),
    amount("amount_refunded"),
    amount("amount_disputed"),
    sa.Column("failure_code", sa.Text),
    sa.Column("decline_code", sa.Text),
    sa.Column("pending_reason", sa.Text),
    # A capture or cancellation that was recorded and whose answer is still out.
    sa.Column("operation", sa.Text),
    sa.Column("operation_amount", sa.BigInteger),
    identifier("operation_attempt_id"),
    identifier("operation_key"),
    sa.Column("event_sequence", sa.Integer, nullable=False, server_default=ZERO),
    created(),
    sa.Column("captured_at", MOMENT),
    # From here on a worker looks after what the request left unfinished; NULL: finished.
    sa.Column("resume_at", MOMENT),
    # When an authorisation that was not captured is given back, in business time.
    sa.Column("expires_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    one_of("status", "pending", "authorized", "captured", "failed", "cancelled", "refunded"),
    one_of("operation", "capture", "cancel", "reverse"),
    sa.CheckConstraint("amount BETWEEN 50 AND 99999999", name="amount_in_range"),
    sa.CheckConstraint(
        "amount_refunded >= 0 AND amount_disputed >= 0"
        " AND amount_refunded + amount_disputed <= amount_captured"
        " AND amount_captured <= amount_authorized AND amount_authorized <= amount",
        name="money_adds_up",
    ),
    sa.CheckConstraint(
        "status = 'authorized' OR expires_at IS NULL", name="only_authorized_expires"
    ),
    # Both refuse before a network is asked: an operation is recorded first.
    sa.CheckConstraint(
        "operation_amount BETWEEN 1 AND amount_authorized", name="operation_within_authorized"
    ),
    sa.CheckConstraint(
        "operation IS NULL OR status = 'authorized' AND operation <> 'reverse'"
        " OR status IN ('cancelled', 'failed') AND operation = 'reverse'",
        name="operation_fits_status",
    ),
    sa.Index("payments_by_time", "merchant_id", "livemode", sa.desc("created_at"), sa.desc("id")),
    sa.Index(
        "payments_by_status",
        "merchant_id",
        "livemode",
        "status",
        sa.desc("created_at"),
        sa.desc("id"),
    ),
    sa.Index("payments_by_amount", "merchant_id", "livemode", "amount", "id"),
    sa.Index(
        "payments_by_hold",
        "merchant_id",
        "hold_id",
        sa.desc("created_at"),
        sa.desc("id"),
        postgresql_where=sa.text("hold_id IS NOT NULL"),
    ),
    sa.Index("payments_to_resume", "resume_at", postgresql_where=sa.text("resume_at IS NOT NULL")),
    sa.Index(
        "payments_to_expire", "expires_at", postgresql_where=sa.text("expires_at IS NOT NULL")
    ),
    # For test clocks, which move the due moments of one merchant.
    sa.Index(
        "payments_under_a_clock",
        "merchant_id",
        "expires_at",
        postgresql_where=sa.text("expires_at IS NOT NULL AND NOT livemode"),
    ),
)

REFUNDS = sa.Table(
    "refunds",
    METADATA,
    identifier(),
    *tenant(),
    identifier("payment_id", nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("failure_code", sa.Text),
    sa.Column("event_sequence", sa.Integer, nullable=False, server_default=ZERO),
    created(),
    # When the network is asked, in business time; NULL: settled.  The lease is wall time.
    sa.Column("settle_at", MOMENT),
    sa.Column("leased_until", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.ForeignKeyConstraint(["payment_id", "merchant_id"], ["payments.id", "payments.merchant_id"]),
    one_of("status", "pending", "succeeded", "failed"),
    sa.CheckConstraint("amount >= 1", name="amount_positive"),
    sa.Index("refunds_by_time", "merchant_id", "payment_id", sa.desc("created_at"), sa.desc("id")),
    sa.Index("refunds_to_settle", "settle_at", postgresql_where=sa.text("settle_at IS NOT NULL")),
)
