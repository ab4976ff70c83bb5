"""Payouts: when the next one is due, what has settled, what was paid out."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

from models.tables.base import BESIDE, METADATA, MOMENT, created, identifier, one_of, tenant

# One row for each merchant and mode that may be paid out to.
PAYOUT_SCHEDULES = sa.Table(
    "payout_schedules",
    METADATA,
    *tenant(),
    # When the next run is due, in business time.
    sa.Column("run_at", MOMENT, nullable=False),
    # No transaction made before this moment waits to be settled, but for those at work then.
    sa.Column("settled_before", MOMENT),
    sa.PrimaryKeyConstraint("merchant_id", "livemode"),
    sa.Index("payout_schedules_due", "run_at"),
)

PAYOUTS = sa.Table(
    "payouts",
    METADATA,
    identifier(),
    *tenant(),
    sa.Column("business_day", sa.Date, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("arrival_date", sa.Date, nullable=False),
    sa.Column("transaction_count", sa.BigInteger, nullable=False),
    created(),
    # When the money is in the bank, in business time; NULL: it is.
    sa.Column("arrives_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    # Whoever runs, and however often: once a day.
    sa.UniqueConstraint("merchant_id", "livemode", "business_day", name="payouts_once_a_day"),
    one_of("status", "pending", "paid"),
    sa.CheckConstraint("amount > 0", name="amount_positive"),
    sa.CheckConstraint("(status = 'pending') = (arrives_at IS NOT NULL)", name="pending_arrives"),
    sa.Index("payouts_by_time", "merchant_id", "livemode", sa.desc("created_at"), sa.desc("id")),
    sa.Index("payouts_by_amount", "merchant_id", "livemode", "amount", "id"),
    sa.Index("payouts_to_arrive", "arrives_at", postgresql_where=sa.text("arrives_at IS NOT NULL")),
)

# What a payout takes of each currency; its postings have the part's id as their source.
PAYOUT_PARTS = sa.Table(
    "payout_parts",
    METADATA,
    identifier(),
    *tenant(),
    identifier("payout_id", nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    # Units of the payout's currency for one of this, a decimal text.
    sa.Column("rate", sa.Text, nullable=False),
    sa.Column("converted_amount", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.ForeignKeyConstraint(["payout_id", "merchant_id"], ["payouts.id", "payouts.merchant_id"]),
    sa.UniqueConstraint("payout_id", "currency", "merchant_id", name="payout_parts_by_currency"),
    sa.CheckConstraint("amount > 0 AND converted_amount > 0", name="amounts_positive"),
)

# What one run has found settled in one currency, whole: the sums are those of its lines.
SETTLEMENTS = sa.Table(
    "settlements",
    METADATA,
    identifier(),
    *tenant(),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("gross", sa.BigInteger, nullable=False),
    sa.Column("fee", sa.BigInteger, nullable=False),
    sa.Column("transaction_count", sa.BigInteger, nullable=False),
    # NULL: in the balance still.
    identifier("payout_id"),
    created(),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.ForeignKeyConstraint(["payout_id", "merchant_id"], ["payouts.id", "payouts.merchant_id"]),
    sa.Index(
        "settlements_in_the_balance",
        "merchant_id",
        "livemode",
        postgresql_where=sa.text("payout_id IS NULL"),
    ),
    sa.Index("settlements_by_payout", "payout_id", "id"),
)

# The transactions of a settlement.  The key lets one be settled, and paid out, only once.
SETTLEMENT_LINES = sa.Table(
    "settlement_lines",
    METADATA,
    identifier("source_id", nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    *tenant(),
    identifier("settlement_id", nullable=False),
    sa.Column("line", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("source_id", "kind", "merchant_id"),
    sa.Index("settlement_lines_in_order", "settlement_id", "line"),
)


_SHOWN = """json_agg(json_build_object('currency', payout_parts.currency,
    'amount', payout_parts.amount, 'exchange_rate', payout_parts.rate,
    'converted_amount', payout_parts.converted_amount) ORDER BY payout_parts.currency)"""


def _parts() -> sa.ScalarSelect[Any]:
    """Of a payout: its parts as the API shows them."""
    part = PAYOUT_PARTS.c
    mine = (part.payout_id == PAYOUTS.c.id, part.merchant_id == PAYOUTS.c.merchant_id)
    shown: sa.ColumnElement[Any] = sa.literal_column(_SHOWN, JSON())
    statement = sa.select(shown).select_from(PAYOUT_PARTS).where(*mine)
    return statement.correlate(PAYOUTS).scalar_subquery()


PAYOUTS.info[BESIDE] = (_parts().label("parts"),)
