"""The ledger: postings, balances, and what merchants see of them."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
_TYPES = (
    "'charge', 'refund', 'refund_failure', 'dispute', 'dispute_reversal', 'conversion',"
    " 'payout', 'payout_failure'"
)


def upgrade() -> None:
    _create_postings()
    _create_balances()
    _create_balance_transactions()


def downgrade() -> None:
    op.drop_table("balance_transactions")
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


def _create_balance_transactions() -> None:
    op.create_table(
        "balance_transactions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("source_id", sa.UUID(), nullable=False),
        sa.Column("payment_id", sa.UUID()),
        sa.Column("available_on", _MOMENT, nullable=False),
        sa.Column("payout_id", sa.UUID()),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", "merchant_id"),
        sa.CheckConstraint(f"type IN ({_TYPES})", name="type_known"),
        sa.CheckConstraint("net = amount - fee", name="net_adds_up"),
    )
    op.create_index(
        "balance_transactions_by_time",
        "balance_transactions",
        ["merchant_id", "livemode", sa.text("created_at DESC"), sa.text("id DESC")],
    )
    op.create_index(
        "balance_transactions_to_pay",
        "balance_transactions",
        ["merchant_id", "livemode", "available_on"],
        postgresql_where=sa.text("payout_id IS NULL"),
    )
