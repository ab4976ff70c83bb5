"""People who sign in for a merchant, and their sessions.  They belong to no mode."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from models.tables.base import METADATA, MOMENT, ZERO, created, identifier

# By which e-mail address whom: unique on the whole platform, since a person signs in by it alone.
SIGN_IN_NAMES = sa.Table(
    "sign_in_names",
    METADATA,
    # A keyed digest of the address (adapters/keys/seals.py), never the address.
    sa.Column("email_index", BYTEA, primary_key=True),
    # The merchant, on whose shard the user is.
    identifier("owner_id", nullable=False),
    identifier("user_id", nullable=False),
)

USERS = sa.Table(
    "users",
    METADATA,
    identifier(nullable=False),
    identifier("merchant_id", nullable=False),
    # Sealed under the merchant's key, and gone when the user is deleted.
    sa.Column("email_sealed", BYTEA),
    sa.Column("name_sealed", BYTEA),
    sa.Column("totp_seed_sealed", BYTEA),
    # Argon2id; NULL until the invitation was accepted.
    sa.Column("password_hash", sa.Text),
    # The last 30 seconds whose code was accepted: no code is good twice.
    sa.Column("totp_step", sa.BigInteger, nullable=False, server_default=ZERO),
    # SHA-256 of the link's token; NULL once it was used.
    sa.Column("invitation_digest", BYTEA),
    sa.Column("invitation_expires_at", MOMENT),
    sa.Column("failed_attempts", sa.Integer, nullable=False, server_default=ZERO),
    sa.Column("locked_until", MOMENT),
    created(),
    sa.Column("deleted_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.CheckConstraint(
        "(password_hash IS NULL) = (totp_seed_sealed IS NULL)", name="two_factors_or_none"
    ),
    sa.Index(
        "users_by_time",
        "merchant_id",
        sa.desc("created_at"),
        sa.desc("id"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    ),
)

SESSIONS = sa.Table(
    "sessions",
    METADATA,
    identifier(nullable=False),
    identifier("merchant_id", nullable=False),
    identifier("user_id", nullable=False),
    # SHA-256 of the cookie's value.
    sa.Column("digest", BYTEA, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("user_agent", sa.Text, nullable=False),
    created(),
    sa.Column("last_seen_at", MOMENT, nullable=False),
    sa.Column("second_factor_at", MOMENT, nullable=False),
    sa.Column("ended_at", MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.Index(
        "sessions_of_user",
        "merchant_id",
        "user_id",
        sa.desc("created_at"),
        sa.desc("id"),
        postgresql_where=sa.text("ended_at IS NULL"),
    ),
)
