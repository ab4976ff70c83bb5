"""Clients of OAuth, what merchants granted them, and the keys that sign access tokens."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA

from models.tables.base import METADATA, MOMENT, created, identifier, one_of, tenant


def _granted() -> list[sa.Column[Any]]:
    """Who allowed whom what."""
    return [
        identifier("client_id", nullable=False),
        identifier("user_id", nullable=False),
        sa.Column("scopes", ARRAY(sa.Text), nullable=False),
        # When the person last gave a code of a second factor.
        sa.Column("second_factor_at", MOMENT),
    ]


OAUTH_CLIENTS = sa.Table(
    "oauth_clients",
    METADATA,
    identifier(primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("first_party", sa.Boolean, nullable=False),
    sa.Column("redirect_uris", ARRAY(sa.Text), nullable=False),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    sa.Column("secret_hash", sa.Text),
    created(),
    sa.Column("deleted_at", MOMENT),
    one_of("type", "confidential", "public"),
    # PCI DSS 4.0.1 req. 8.3.2: what is kept of a secret is its Argon2id hash.
    sa.CheckConstraint(
        "(type = 'confidential') = (secret_hash IS NOT NULL)", name="secret_is_hashed"
    ),
    sa.Index("oauth_clients_by_time", sa.desc("created_at"), sa.desc("id")),
)

OAUTH_SIGNING_KEYS = sa.Table(
    "oauth_signing_keys",
    METADATA,
    identifier(primary_key=True),
    # DER; the private one is sealed (adapters/keys/seals.py).
    sa.Column("public_key", BYTEA, nullable=False),
    sa.Column("private_key_sealed", BYTEA, nullable=False),
    created(),
    # It signs from here on, until the next key does.
    sa.Column("signs_from", MOMENT, nullable=False),
)

OAUTH_CODES = sa.Table(
    "oauth_codes",
    METADATA,
    # The grant that comes of the code has the same id.
    identifier(),
    *tenant(),
    *_granted(),
    sa.Column("digest", BYTEA, nullable=False),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("challenge", sa.Text, nullable=False),
    created(),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.Column("used_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.Index("oauth_codes_by_end", "expires_at"),
)

OAUTH_GRANTS = sa.Table(
    "oauth_grants",
    METADATA,
    identifier(),
    *tenant(),
    *_granted(),
    created(),
    sa.Column("revoked_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.Index(
        "oauth_grants_by_time",
        "merchant_id",
        "livemode",
        sa.desc("created_at"),
        sa.desc("id"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    ),
)

# A token that was used stays until it would have ended: used again, it betrays a theft.
OAUTH_REFRESH_TOKENS = sa.Table(
    "oauth_refresh_tokens",
    METADATA,
    *tenant(),
    # SHA-256 of a text with 256 random bits.
    sa.Column("digest", BYTEA, nullable=False),
    identifier("grant_id", nullable=False),
    created(),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.Column("used_at", MOMENT),
    sa.PrimaryKeyConstraint("merchant_id", "digest"),
    sa.ForeignKeyConstraint(
        ["grant_id", "merchant_id"], ["oauth_grants.id", "oauth_grants.merchant_id"]
    ),
    sa.Index("oauth_refresh_tokens_by_end", "expires_at"),
)
