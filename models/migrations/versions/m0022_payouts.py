"""Payouts: schedules, settlements with their lines, payouts with their parts."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
# As models/tables/ledger.py says it.
_ID = (
    "encode(set_byte(uuid_send(source_id), 15,"
    " get_byte(uuid_send(source_id), 15) # length(kind)), 'hex'::text)::uuid"
)
_BEFORE = "'capture', 'refund', 'refund_failure', 'dispute', 'dispute_reversal'"
_SINCE = f"{_BEFORE}, 'payout', 'payout_conversion'"


def upgrade() -> None:
    _index_transactions(_SINCE)
    op.create_table(
        "payout_schedules",
        *_tenant(),
        sa.Column("run_at", _MOMENT, nullable=False),
        sa.Column("settled_before", _MOMENT),
        sa.PrimaryKeyConstraint("merchant_id", "livemode"),
    )
    op.create_index("payout_schedules_due", "payout_schedules", ["run_at"])
    # Who is here already is paid out to from the next midnight on.
    op.execute(
        "INSERT INTO payout_schedules (merchant_id, livemode, run_at)"
        " SELECT id, livemode,"
        " date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '24 hours'"
        " FROM merchants CROSS JOIN (VALUES (false), (true)) AS mode(livemode)"
    )
    _create_payouts()
    _create_settlements()


def downgrade() -> None:
    for table in (
        "settlement_lines",
        "settlements",
        "payout_parts",
        "payouts",
        "payout_schedules",
    ):
        op.drop_table(table)
    _index_transactions(_BEFORE)


def _tenant() -> list[sa.Column[object]]:
    return [
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
    ]


def _index_transactions(kinds: str) -> None:
    op.drop_index("ledger_postings_of_balance", "ledger_postings")
    op.create_index(
        "ledger_postings_of_balance",
        "ledger_postings",
        ["merchant_id", "livemode", "created_at", sa.text(f"({_ID})")],
        postgresql_where=sa.text(f"position = 0 AND kind IN ({kinds})"),
    )


def _create_payouts() -> None:
    op.create_table(
        "payouts",
        sa.Column("id", sa.UUID(), nullable=False),
        *_tenant(),
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("arrival_date", sa.Date(), nullable=False),
        sa.Column("transaction_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("arrives_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
        sa.UniqueConstraint("merchant_id", "livemode", "business_day", name="payouts_once_a_day"),
        sa.CheckConstraint("status IN ('pending', 'paid')", name="status_known"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint(
            "(status = 'pending') = (arrives_at IS NOT NULL)", name="pending_arrives"
        ),
    )
    mine = ["merchant_id", "livemode"]
    op.create_index(
        "payouts_by_time", "payouts", [*mine, sa.text("created_at DESC"), sa.text("id DESC")]
    )
    op.create_index("payouts_by_amount", "payouts", [*mine, "amount", "id"])
    op.create_index(
        "payouts_to_arrive",
        "payouts",
        ["arrives_at"],
        postgresql_where=sa.text("arrives_at IS NOT NULL"),
    )
    op.create_table(
        "payout_parts",
        sa.Column("id", sa.UUID(), nullable=False),
        *_tenant(),
        sa.Column("payout_id", sa.UUID(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("rate", sa.Text(), nullable=False),
        sa.Column("converted_amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
        sa.ForeignKeyConstraint(
            ["payout_id", "merchant_id"], ["payouts.id", "payouts.merchant_id"]
        ),
        sa.UniqueConstraint(
            "payout_id", "currency", "merchant_id", name="payout_parts_by_currency"
        ),
        sa.CheckConstraint("amount > 0 AND converted_amount > 0", name="amounts_positive"),
    )


def _create_settlements() -> None:
    op.create_table(
        "settlements",
        sa.Column("id", sa.UUID(), nullable=False),
        *_tenant(),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("gross", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("transaction_count", sa.BigInteger(), nullable=False),
        sa.Column("payout_id", sa.UUID()),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
        sa.ForeignKeyConstraint(
            ["payout_id", "merchant_id"], ["payouts.id", "payouts.merchant_id"]
        ),
    )
    op.create_index(
        "settlements_in_the_balance",
        "settlements",
        ["merchant_id", "livemode"],
        postgresql_where=sa.text("payout_id IS NULL"),
    )
    op.create_index("settlements_by_payout", "settlements", ["payout_id", "id"])
    op.create_table(
        "settlement_lines",
        sa.Column("source_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *_tenant(),
        sa.Column("settlement_id", sa.UUID(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "kind", "merchant_id"),
    )
    op.create_index("settlement_lines_in_order", "settlement_lines", ["settlement_id", "line"])
