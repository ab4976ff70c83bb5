"""The ledger: postings that are only ever added, and what they leave on the accounts."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TIMESTAMP

from domain.balance_transactions import KINDS
from models.tables.base import METADATA, identifier, tenant

# A transaction's id as domain/balance_transactions.py makes it, and which postings are one.
# Constants: the index below serves the statements that say the same.
TRANSACTION_ID = (
    "encode(set_byte(uuid_send(source_id), 15,"
    " get_byte(uuid_send(source_id), 15) # length(kind)), 'hex'::text)::uuid"
)
_LISTED = ", ".join(f"'{kind}'" for kind in KINDS)
IS_TRANSACTION = f"position = 0 AND kind IN ({_LISTED})"

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
    # In the milliseconds that lists and their cursors know.
    sa.Column("created_at", TIMESTAMP(timezone=True, precision=3), nullable=False),
    sa.PrimaryKeyConstraint("source_id", "kind", "position", "merchant_id"),
    sa.CheckConstraint("amount > 0", name="amount_positive"),
    sa.CheckConstraint("debit <> credit", name="moves_somewhere"),
    sa.Index(
        "ledger_postings_of_balance",
        "merchant_id",
        "livemode",
        "created_at",
        sa.text(f"({TRANSACTION_ID})"),
        postgresql_where=sa.text(IS_TRANSACTION),
    ),
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
