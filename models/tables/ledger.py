"""The ledger: postings that are only ever added, and what they leave on the accounts."""

import sqlalchemy as sa

from models.tables.base import METADATA, created, identifier, tenant

# One row moves one amount from one account to another, so every set of rows sums to zero.
# The key lets a movement of a source (a payment, refund or dispute) be posted only once.
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
