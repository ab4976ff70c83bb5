"""Holds, their top-ups and the draws on them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
_NEWEST_FIRST: tuple[sa.ColumnElement[Any], ...] = (
    sa.literal_column("created_at DESC"),
    sa.literal_column("id DESC"),
)
_OF_HOLD = (["hold_id", "merchant_id"], ["holds.id", "holds.merchant_id"])


def upgrade() -> None:
    _create_holds()
    _create_top_ups()
    _create_draws()
    op.add_column("payments", sa.Column("hold_id", sa.UUID()))
    _create_indexes()


def downgrade() -> None:
    op.drop_index("payments_by_hold", "payments")
    op.drop_column("payments", "hold_id")
    op.drop_table("hold_draws")
    op.drop_table("hold_top_ups")
    op.drop_table("holds")


def _id(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.UUID(), nullable=nullable)


def _text(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _sum(name: str, default: str | None = None) -> sa.Column[Any]:
    server_default = None if default is None else sa.text(default)
    return sa.Column(name, sa.BigInteger(), server_default=server_default, nullable=False)


def _tenant() -> list[sa.Column[Any]]:
    return [_id("merchant_id"), sa.Column("livemode", sa.Boolean(), nullable=False)]


def _create_holds() -> None:
    op.create_table(
        "holds",
        _id("id"),
        *_tenant(),
        _id("payment_method_id"),
        _id("customer_id"),
        _sum("amount"),
        _text("currency"),
        _text("status"),
        _sum("amount_authorized", "0"),
        _sum("amount_drawn", "0"),
        *(_text(name, nullable=True) for name in ("network", "failure_code", "decline_code")),
        _text("pending_reason", nullable=True),
        _id("idempotency_key", nullable=True),
        _id("attempt_id"),
        _id("reversal_attempt_id"),
        sa.Column("event_sequence", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        *(sa.Column(name, _MOMENT) for name in ("closed_at", "end_at", "resume_at")),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
        sa.CheckConstraint(
            "status IN ('pending', 'active', 'used_up', 'released', 'expired', 'failed')",
            name="status_known",
        ),
        sa.CheckConstraint("amount BETWEEN 50 AND 99999999", name="amount_in_range"),
        sa.CheckConstraint(
            "0 <= amount_drawn AND amount_drawn <= amount_authorized"
            " AND amount_authorized <= amount",
            name="draws_fit",
        ),
        sa.CheckConstraint(
            "amount_authorized = CASE WHEN status IN ('pending', 'failed') THEN 0 ELSE amount END",
            name="approved_whole",
        ),
        sa.CheckConstraint(
            "status <> 'used_up' OR amount_drawn = amount_authorized", name="used_up_is_empty"
        ),
        sa.CheckConstraint(
            "(status IN ('pending', 'active')) = (closed_at IS NULL)", name="end_has_time"
        ),
        sa.CheckConstraint("(status = 'active') = (end_at IS NOT NULL)", name="only_active_ends"),
    )


def _create_top_ups() -> None:
    op.create_table(
        "hold_top_ups",
        _id("id"),
        *_tenant(),
        _id("hold_id"),
        _sum("amount"),
        _text("currency"),
        _text("status"),
        _id("attempt_id"),
        _id("idempotency_key", nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("resume_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
        sa.ForeignKeyConstraint(*_OF_HOLD),
        sa.CheckConstraint(
            "status IN ('pending', 'succeeded', 'failed', 'returned')", name="status_known"
        ),
        sa.CheckConstraint("amount BETWEEN 50 AND 99999999", name="amount_in_range"),
        sa.CheckConstraint("(status = 'pending') = (resume_at IS NOT NULL)", name="pending_is_due"),
    )


def _create_draws() -> None:
    op.create_table(
        "hold_draws",
        _id("id"),
        *_tenant(),
        _id("hold_id"),
        _sum("amount"),
        _text("currency"),
        _id("attempt_id"),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("present_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
        sa.ForeignKeyConstraint(*_OF_HOLD),
        sa.ForeignKeyConstraint(["id", "merchant_id"], ["payments.id", "payments.merchant_id"]),
        sa.CheckConstraint("amount BETWEEN 50 AND 99999999", name="amount_in_range"),
    )


def _create_indexes() -> None:
    of_merchant = ["merchant_id", "livemode"]
    indexes: tuple[tuple[str, str, list[str | sa.ColumnElement[Any]]], ...] = (
        ("holds_by_time", "holds", [*of_merchant, *_NEWEST_FIRST]),
        ("holds_by_status", "holds", [*of_merchant, "status", *_NEWEST_FIRST]),
        ("holds_by_customer", "holds", ["merchant_id", "customer_id", *_NEWEST_FIRST]),
        ("holds_by_amount", "holds", [*of_merchant, "amount", "id"]),
        ("hold_top_ups_by_hold", "hold_top_ups", ["hold_id", "merchant_id"]),
        ("hold_draws_by_hold", "hold_draws", ["hold_id", "merchant_id"]),
    )
    for name, table, columns in indexes:
        op.create_index(name, table, columns)
    waiting: tuple[tuple[str, str, list[str | sa.ColumnElement[Any]], str], ...] = (
        ("holds_to_resume", "holds", ["resume_at"], "resume_at IS NOT NULL"),
        ("holds_to_end", "holds", ["end_at"], "end_at IS NOT NULL"),
        (
            "holds_under_a_clock",
            "holds",
            ["merchant_id", "end_at"],
            "end_at IS NOT NULL AND NOT livemode",
        ),
        (
            "holds_still_asked",
            "holds",
            ["merchant_id", "payment_method_id"],
            "status = 'pending'",
        ),
        ("hold_top_ups_to_resume", "hold_top_ups", ["resume_at"], "resume_at IS NOT NULL"),
        ("hold_draws_to_present", "hold_draws", ["present_at"], "present_at IS NOT NULL"),
    )
    for name, table, columns, where in waiting:
        op.create_index(name, table, columns, postgresql_where=sa.text(where))
    op.create_index(
        "hold_top_ups_one_at_a_time",
        "hold_top_ups",
        ["hold_id", "merchant_id"],
        unique=True,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "payments_by_hold",
        "payments",
        ["merchant_id", "hold_id", *_NEWEST_FIRST],
        postgresql_where=sa.text("hold_id IS NOT NULL"),
    )
