"""Holds: money set aside on saved cards, what was added to them and what was drawn."""

import sqlalchemy as sa

from models.tables.base import METADATA, MOMENT, ZERO, amount, created, identifier, one_of, tenant

_OF_HOLD = (["hold_id", "merchant_id"], ["holds.id", "holds.merchant_id"])

HOLDS = sa.Table(
    "holds",
    METADATA,
    identifier(),
    *tenant(),
    identifier("payment_method_id", nullable=False),
    identifier("customer_id", nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    amount("amount_authorized"),
    # Changed by what writes a draw alone, together with its row.
    amount("amount_drawn"),
    # What was left when it ended: nothing of that can be drawn any more.
    amount("amount_released"),
    sa.Column("network", sa.Text),
    sa.Column("failure_code", sa.Text),
    sa.Column("decline_code", sa.Text),
    sa.Column("pending_reason", sa.Text),
    # Of the request that made it, if it had one; the reply is kept under it.
    identifier("idempotency_key"),
    identifier("attempt_id", nullable=False),
    # The attempt that gives back what is left.
    identifier("reversal_attempt_id", nullable=False),
    sa.Column("event_sequence", sa.Integer, nullable=False, server_default=ZERO),
    created(),
    # As it was told; business time.
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.Column("closed_at", MOMENT),
    # When a worker ends it, in business time; NULL: it does not stand.
    sa.Column("end_at", MOMENT),
    # From here on a worker looks after what is unfinished; NULL: nothing is.
    sa.Column("resume_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    one_of("status", "pending", "active", "used_up", "released", "expired", "failed"),
    sa.CheckConstraint("amount BETWEEN 50 AND 99999999", name="amount_in_range"),
    sa.CheckConstraint(
        "0 <= amount_drawn AND amount_drawn <= amount_authorized AND amount_authorized <= amount",
        name="draws_fit",
    ),
    sa.CheckConstraint(
        "amount_authorized = CASE WHEN status IN ('pending', 'failed') THEN 0 ELSE amount END",
        name="approved_whole",
    ),
    sa.CheckConstraint(
        "amount_released = CASE WHEN status IN ('released', 'expired')"
        " THEN amount_authorized - amount_drawn ELSE 0 END",
        name="ended_whole",
    ),
    sa.CheckConstraint(
        "status <> 'used_up' OR amount_drawn = amount_authorized", name="used_up_is_empty"
    ),
    sa.CheckConstraint(
        "(status IN ('pending', 'active')) = (closed_at IS NULL)", name="end_has_time"
    ),
    sa.CheckConstraint("(status = 'active') = (end_at IS NOT NULL)", name="only_active_ends"),
    sa.Index("holds_by_time", "merchant_id", "livemode", sa.desc("created_at"), sa.desc("id")),
    sa.Index(
        "holds_by_status",
        "merchant_id",
        "livemode",
        "status",
        sa.desc("created_at"),
        sa.desc("id"),
    ),
    sa.Index(
        "holds_by_customer", "merchant_id", "customer_id", sa.desc("created_at"), sa.desc("id")
    ),
    sa.Index("holds_by_amount", "merchant_id", "livemode", "amount", "id"),
    sa.Index("holds_to_resume", "resume_at", postgresql_where=sa.text("resume_at IS NOT NULL")),
    sa.Index("holds_to_end", "end_at", postgresql_where=sa.text("end_at IS NOT NULL")),
    # For test clocks, which move the due moments of one merchant.
    sa.Index(
        "holds_under_a_clock",
        "merchant_id",
        "end_at",
        postgresql_where=sa.text("end_at IS NOT NULL AND NOT livemode"),
    ),
    # A card is kept while a hold on it is still being asked for.
    sa.Index(
        "holds_still_asked",
        "merchant_id",
        "payment_method_id",
        postgresql_where=sa.text("status = 'pending'"),
    ),
)

# What is added to a hold: `returned` where the network agreed after the hold had ended.
HOLD_TOP_UPS = sa.Table(
    "hold_top_ups",
    METADATA,
    identifier(),
    *tenant(),
    identifier("hold_id", nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    identifier("attempt_id", nullable=False),
    identifier("idempotency_key"),
    created(),
    sa.Column("resume_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.ForeignKeyConstraint(*_OF_HOLD),
    one_of("status", "pending", "succeeded", "failed", "returned"),
    sa.CheckConstraint("amount BETWEEN 50 AND 99999999", name="amount_in_range"),
    sa.CheckConstraint("(status = 'pending') = (resume_at IS NOT NULL)", name="pending_is_due"),
    sa.Index("hold_top_ups_by_hold", "hold_id", "merchant_id"),
    sa.Index(
        "hold_top_ups_one_at_a_time",
        "hold_id",
        "merchant_id",
        unique=True,
        postgresql_where=sa.text("status = 'pending'"),
    ),
    sa.Index(
        "hold_top_ups_to_resume", "resume_at", postgresql_where=sa.text("resume_at IS NOT NULL")
    ),
)

# A payment that was drawn, until the network has heard of it and after.
HOLD_DRAWS = sa.Table(
    "hold_draws",
    METADATA,
    # The payment's own.
    identifier(),
    *tenant(),
    identifier("hold_id", nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    identifier("attempt_id", nullable=False),
    created(),
    # When the network is told, wall time; NULL: it was, and has answered.
    sa.Column("present_at", MOMENT),
    # When it was given up, wall time: the network refused it, and Paymint bears it.
    sa.Column("lost_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.ForeignKeyConstraint(*_OF_HOLD),
    sa.ForeignKeyConstraint(["id", "merchant_id"], ["payments.id", "payments.merchant_id"]),
    sa.CheckConstraint("amount BETWEEN 50 AND 99999999", name="amount_in_range"),
    sa.CheckConstraint("lost_at IS NULL OR present_at IS NULL", name="lost_is_final"),
    sa.Index("hold_draws_by_hold", "hold_id", "merchant_id"),
    sa.Index(
        "hold_draws_to_present", "present_at", postgresql_where=sa.text("present_at IS NOT NULL")
    ),
)
