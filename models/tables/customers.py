"""Customers, their saved payment methods, and tokens that are used up."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSON

from models.tables.base import METADATA, MOMENT, created, identifier, one_of, revision, tenant

CUSTOMERS = sa.Table(
    "customers",
    METADATA,
    identifier(),
    *tenant(),
    # What is known of a person is sealed (models/sealed.py); the keyed digest of the address
    # finds customers by it.
    sa.Column("email_sealed", BYTEA),
    sa.Column("email_index", BYTEA),
    sa.Column("name_sealed", BYTEA),
    sa.Column("metadata", JSON, nullable=False),
    created(),
    revision(),
    # The row stays for the payments that name it; what it said of a person is erased.
    sa.Column("deleted_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.Index(
        "customers_by_time",
        "merchant_id",
        "livemode",
        sa.desc("created_at"),
        sa.desc("id"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    ),
    sa.Index(
        "customers_by_email",
        "merchant_id",
        "livemode",
        "email_index",
        sa.desc("created_at"),
        sa.desc("id"),
        postgresql_where=sa.text("deleted_at IS NULL AND email_index IS NOT NULL"),
    ),
)

PAYMENT_METHODS = sa.Table(
    "payment_methods",
    METADATA,
    identifier(),
    *tenant(),
    identifier("customer_id", nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("network", sa.Text, nullable=False),
    sa.Column("last_four", sa.Text),
    sa.Column("brand", sa.Text),
    sa.Column("exp_month", sa.SmallInteger),
    sa.Column("exp_year", sa.SmallInteger),
    sa.Column("fingerprint", sa.Text, nullable=False),
    created(),
    sa.Column("detached_at", MOMENT),
    # From here on the vault is to be asked to forget the number; NULL: nothing to do.
    sa.Column("erase_at", MOMENT),
    # What a bank account pays in, and nothing else; NULL: any currency.
    sa.Column("currency", sa.Text),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.ForeignKeyConstraint(
        ["customer_id", "merchant_id"], ["customers.id", "customers.merchant_id"]
    ),
    one_of("type", "card", "bank_account", "wallet"),
    sa.Index(
        "payment_methods_once_per_customer",
        "merchant_id",
        "livemode",
        "customer_id",
        "fingerprint",
        unique=True,
        postgresql_where=sa.text("detached_at IS NULL"),
    ),
    sa.Index(
        "payment_methods_to_erase", "erase_at", postgresql_where=sa.text("erase_at IS NOT NULL")
    ),
    sa.Index(
        "payment_methods_by_time",
        "merchant_id",
        "customer_id",
        sa.desc("created_at"),
        sa.desc("id"),
    ),
)

# A single-use token belongs to the first record that claims it, for ever.
TOKEN_CLAIMS = sa.Table(
    "token_claims",
    METADATA,
    identifier("token_id"),
    *tenant(),
    identifier("claimed_by", nullable=False),
    sa.PrimaryKeyConstraint("token_id", "merchant_id"),
)
