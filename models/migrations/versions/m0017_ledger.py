"""The ledger, opened with what was already paid, refunded and disputed."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
# 290 basis points, halves to even, and 30 (domain/fees.py as it was then).
_FEE = """amount_captured * 290 / 10000 + 30 + CASE
    WHEN amount_captured * 290 % 10000 > 5000 THEN 1
    WHEN amount_captured * 290 % 10000 = 5000 THEN amount_captured * 290 / 10000 % 2
    ELSE 0 END"""
_DISPUTE_FEE = "1500"
# The rows of (kind, position, debit, credit, amount, from).
_OPENING = (
    (
        "authorisation",
        0,
        "authorised_contra",
        "authorised",
        "amount_authorized",
        "payments WHERE status = 'authorized'",
    ),
    (
        "capture",
        0,
        "card_network",
        "merchant",
        "amount_captured",
        "payments WHERE amount_captured > 0",
    ),
    ("capture", 1, "merchant", "fees", _FEE, "payments WHERE amount_captured > 0"),
    ("refund", 0, "merchant", "refund_clearing", "amount", "refunds"),
    (
        "refund_paid",
        0,
        "refund_clearing",
        "card_network",
        "amount",
        "refunds WHERE status = 'succeeded'",
    ),
    (
        "refund_failure",
        0,
        "refund_clearing",
        "merchant",
        "amount",
        "refunds WHERE status = 'failed'",
    ),
    ("dispute", 0, "merchant", "card_network", "amount", "disputes"),
    ("dispute", 1, "merchant", "fees", _DISPUTE_FEE, "disputes"),
    (
        "dispute_reversal",
        0,
        "card_network",
        "merchant",
        "amount",
        "disputes WHERE status = 'won'",
    ),
)


def upgrade() -> None:
    _create_postings()
    _create_balances()
    for kind, position, debit, credit, amount, rows in _OPENING:
        op.execute(
            "INSERT INTO ledger_postings (source_id, kind, position, merchant_id, livemode,"
            " debit, credit, amount, currency, created_at)"
            f" SELECT id, '{kind}', {position}, merchant_id, livemode, '{debit}', '{credit}',"  # nosec B608  # constants of this file
            f" {amount}, currency, now() FROM {rows}"
        )
    op.execute(
        "INSERT INTO ledger_balances (merchant_id, livemode, currency, account, slot, balance)"
        " SELECT merchant_id, livemode, currency, account, 0, sum(change) FROM ("
        "  SELECT merchant_id, livemode, currency, debit AS account, -amount AS change"
        "  FROM ledger_postings UNION ALL"
        "  SELECT merchant_id, livemode, currency, credit, amount FROM ledger_postings"
        " ) AS sides GROUP BY merchant_id, livemode, currency, account"
    )
    # Raised for the owner too (see 0015): what was posted stands.
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON ledger_postings"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON ledger_postings"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("ledger_balances")
    op.drop_table("ledger_postings")


def _create_postings() -> None:
    op.create_table(
        "ledger_postings",
        sa.Column("source_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("debit", sa.Text(), nullable=False),
        sa.Column("credit", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("source_id", "kind", "position", "merchant_id"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint("debit <> credit", name="moves_somewhere"),
    )


def _create_balances() -> None:
    op.create_table(
        "ledger_balances",
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "livemode", "currency", "account", "slot"),
    )
