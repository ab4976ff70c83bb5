"""Clients of OAuth, their grants and tokens."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _id(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable)


def _texts(name: str) -> sa.Column[Any]:
    return sa.Column(name, postgresql.ARRAY(sa.Text()), nullable=False)


def _tenant() -> list[sa.Column[Any]]:
    return [_id("merchant_id"), sa.Column("livemode", sa.Boolean(), nullable=False)]


def _granted() -> list[sa.Column[Any]]:
    return [
        _id("client_id"),
        _id("user_id"),
        _texts("scopes"),
        _moment("second_factor_at", nullable=True),
    ]


def upgrade() -> None:
    _create_clients_and_keys()
    op.create_table(
        "oauth_codes",
        _id("id"),
        *_tenant(),
        *_granted(),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("challenge", sa.Text(), nullable=False),
        _moment("created_at"),
        _moment("expires_at"),
        _moment("used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", "merchant_id", name=op.f("oauth_codes_pkey")),
    )
    op.create_index("oauth_codes_by_end", "oauth_codes", ["expires_at"])
    op.create_table(
        "oauth_grants",
        _id("id"),
        *_tenant(),
        *_granted(),
        _moment("created_at"),
        _moment("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id", "merchant_id", name=op.f("oauth_grants_pkey")),
    )
    op.create_index(
        "oauth_grants_by_time",
        "oauth_grants",
        ["merchant_id", "livemode", sa.text("created_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "oauth_refresh_tokens",
        *_tenant(),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _id("grant_id"),
        _moment("created_at"),
        _moment("expires_at"),
        _moment("used_at", nullable=True),
        sa.PrimaryKeyConstraint("merchant_id", "digest", name=op.f("oauth_refresh_tokens_pkey")),
        sa.ForeignKeyConstraint(
            ["grant_id", "merchant_id"],
            ["oauth_grants.id", "oauth_grants.merchant_id"],
            name=op.f("oauth_refresh_tokens_grant_id_merchant_id_fkey"),
        ),
    )
    op.create_index("oauth_refresh_tokens_by_end", "oauth_refresh_tokens", ["expires_at"])


def _create_clients_and_keys() -> None:
    op.create_table(
        "oauth_clients",
        _id("id"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("first_party", sa.Boolean(), nullable=False),
        _texts("redirect_uris"),
        _texts("scopes"),
        sa.Column("secret_hash", sa.Text()),
        _moment("created_at"),
        _moment("deleted_at", nullable=True),
        sa.CheckConstraint("type IN ('confidential', 'public')", name="type_known"),
        sa.CheckConstraint(
            "(type = 'confidential') = (secret_hash IS NOT NULL)", name="secret_is_hashed"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("oauth_clients_pkey")),
    )
    op.create_index(
        "oauth_clients_by_time",
        "oauth_clients",
        [sa.text("created_at DESC"), sa.text("id DESC")],
    )
    op.create_table(
        "oauth_signing_keys",
        _id("id"),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("private_key_sealed", sa.LargeBinary(), nullable=False),
        _moment("created_at"),
        _moment("signs_from"),
        sa.PrimaryKeyConstraint("id", name=op.f("oauth_signing_keys_pkey")),
    )


def downgrade() -> None:
    for table in ("oauth_refresh_tokens", "oauth_grants", "oauth_codes"):
        op.drop_table(table)
    op.drop_table("oauth_signing_keys")
    op.drop_table("oauth_clients")
