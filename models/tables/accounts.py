"""Merchants and the keys they ask with."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models.tables.base import METADATA, MOMENT, created, identifier, one_of, revision, tenant

MERCHANTS = sa.Table(
    "merchants",
    METADATA,
    identifier(primary_key=True),
    sa.Column("business_name", sa.Text, nullable=False),
    sa.Column("email", sa.Text),
    sa.Column("mcc", sa.Text, nullable=False),
    sa.Column("country", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("settlement_currency", sa.Text, nullable=False),
    # The version of the API the merchant is pinned to, the newest when the account was opened.
    sa.Column("api_version", sa.Text, nullable=False),
    created(),
    revision(),
    # From here on a closed account may be read for 90 days more.
    sa.Column("terminated_at", MOMENT),
    # Times the rate limits of everybody, as negotiated.
    sa.Column("rate_limit_multiplier", sa.Integer, nullable=False, server_default="1"),
    sa.CheckConstraint(
        "rate_limit_multiplier BETWEEN 1 AND 1000", name="rate_limit_multiplier_bounded"
    ),
    one_of("status", "pending_review", "active", "suspended", "terminated"),
    sa.Index("merchants_by_time", sa.desc("created_at"), sa.desc("id")),
    sa.Index("merchants_by_status", "status", sa.desc("created_at"), sa.desc("id")),
    sa.Index("merchants_by_country", "country", sa.desc("created_at"), sa.desc("id")),
)

# What a merchant hands in to be let into live mode, and what became of it.
PRODUCTION_ACCESS = sa.Table(
    "production_access",
    METADATA,
    identifier("merchant_id", primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("legal_entity", sa.Text, nullable=False),
    sa.Column("pci_document", sa.Text, nullable=False),
    sa.Column("file_digest", sa.Text, nullable=False),
    sa.Column("kyc_reference", sa.Text),
    created(),
    sa.Column("approved_at", MOMENT),
    # The first live keys are handed out once.
    sa.Column("live_keys_taken_at", MOMENT),
    one_of("status", "pending", "approved"),
    one_of("pci_document", "saq_a", "aoc"),
)

PLATFORM_KEYS = sa.Table(
    "platform_keys",
    METADATA,
    identifier(primary_key=True),
    sa.Column("secret_hash", sa.Text, nullable=False),
    sa.Column("display", sa.Text, nullable=False),
    created(),
)

API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    identifier(),
    *tenant(),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.Text),
    sa.Column("publishable_key", sa.Text),
    sa.Column("display", sa.Text, nullable=False),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    # Networks that it may be used from, in CIDR notation; NULL: from everywhere.
    sa.Column("ip_allowlist", ARRAY(sa.Text)),
    created(),
    sa.Column("expires_at", MOMENT),
    sa.Column("suspended_at", MOMENT),
    sa.Column("revoked_at", MOMENT),
    # Since when the operator has a look at it: blocked again and again for overuse.
    sa.Column("flagged_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    one_of("type", "secret", "publishable"),
    # PCI DSS 4.0.1 req. 8.3.2: a secret key is stored as its Argon2id hash only.
    sa.CheckConstraint("(type = 'secret') = (secret_hash IS NOT NULL)", name="secret_is_hashed"),
    sa.Index(
        "api_keys_by_time",
        "merchant_id",
        "livemode",
        sa.desc("created_at"),
        sa.desc("id"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    ),
)
