"""The ledger: postings that are only ever added, what they leave on the accounts, and what
a merchant sees of them.
"""

import sqlalchemy as sa

from models.tables.base import METADATA, MOMENT, created, identifier, one_of, tenant

# One row moves one amount from one account to another, so every set of rows sums to zero.
# The key lets a movement of a source (a payment, refund, dispute, payout) be posted once.
LEDGER_POSTINGS = sa.Table(
    "ledger_postings",
    METADATA,
    identifier("source_id", nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("position", sa.SmallInteger, nullable=False),
    *tenant(),
    sa.Column("debit", sa.Text, nullable=False),
    sa.Column("credit", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    created(),
    sa.PrimaryKeyConstraint("source_id", "kind", "position", "merchant_id"),
    sa.CheckConstraint("amount > 0", name="amount_positive"),
    sa.CheckConstraint("debit <> credit", name="moves_somewhere"),
)

# What the postings leave, credits less debits.  A slot is a row of its own per connection,
# so that writers do not wait for each other; a balance is the sum over the slots.
LEDGER_BALANCES = sa.Table(
    "ledger_balances",
    METADATA,
    *tenant(),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("slot", sa.SmallInteger, nullable=False),
    sa.Column("balance", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("merchant_id", "livemode", "currency", "account", "slot"),
)

# A movement of the merchant's own money as the merchant sees it.  `amount` is what came
# (or, negative, went), `fee` what was kept of it, `net` what the balance changed by.
BALANCE_TRANSACTIONS = sa.Table(
    "balance_transactions",
    METADATA,
    identifier(),
    *tenant(),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("fee", sa.BigInteger, nullable=False),
    sa.Column("net", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    identifier("source_id", nullable=False),
    # The payment it is about; null for payouts and conversions.
    identifier("payment_id"),
    # From when on it may be paid out, in business time.
    sa.Column("available_on", MOMENT, nullable=False),
    # Null until a payout has taken it up.
    identifier("payout_id"),
    created(),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    one_of(
        "type",
        "charge",
        "refund",
        "refund_failure",
        "dispute",
        "dispute_reversal",
        "conversion",
        "payout",
        "payout_failure",
    ),
    sa.CheckConstraint("net = amount - fee", name="net_adds_up"),
    sa.Index(
        "balance_transactions_by_time",
        "merchant_id",
        "livemode",
        sa.desc("created_at"),
        sa.desc("id"),
    ),
    sa.Index(
        "balance_transactions_to_pay",
        "merchant_id",
        "livemode",
        "available_on",
        postgresql_where=sa.text("payout_id IS NULL"),
    ),
)
