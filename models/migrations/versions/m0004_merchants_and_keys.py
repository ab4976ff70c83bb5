"""Merchants and keys: production access, names, suspension, networks, lists."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NEWEST_FIRST = (sa.text("created_at DESC"), sa.text("id DESC"))
_NOBODY = "00000000-0000-0000-0000-000000000000"


def upgrade() -> None:
    op.add_column("merchants", sa.Column("terminated_at", sa.TIMESTAMP(timezone=True)))
    op.alter_column("merchants", "email", nullable=True)
    op.create_index("merchants_by_time", "merchants", [*_NEWEST_FIRST])
    op.create_index("merchants_by_status", "merchants", ["status", *_NEWEST_FIRST])
    op.create_index("merchants_by_country", "merchants", ["country", *_NEWEST_FIRST])
    _change_keys()
    _create_production_access()
    # The operator's total of merchants, kept from here on where they are made and changed.
    op.execute(
        "INSERT INTO counters (merchant_id, livemode, resource, status, slot, count)"  # nosec B608  # a constant
        f" SELECT '{_NOBODY}'::uuid, false, 'merchants', status, 0, count(*)"
        " FROM merchants GROUP BY status"
    )


def downgrade() -> None:
    op.execute("UPDATE merchants SET email = '' WHERE email IS NULL")
    op.alter_column("merchants", "email", nullable=False)
    op.execute("DELETE FROM counters WHERE resource = 'merchants'")
    op.drop_table("production_access")
    op.drop_index("api_keys_by_time", "api_keys")
    for column in ("name", "ip_allowlist", "suspended_at"):
        op.drop_column("api_keys", column)
    for index in ("merchants_by_time", "merchants_by_status", "merchants_by_country"):
        op.drop_index(index, "merchants")
    op.drop_column("merchants", "terminated_at")


def _change_keys() -> None:
    op.add_column("api_keys", sa.Column("name", sa.Text()))
    op.execute("UPDATE api_keys SET name = 'First ' || type || ' key'")
    op.alter_column("api_keys", "name", nullable=False)
    op.add_column("api_keys", sa.Column("ip_allowlist", postgresql.ARRAY(sa.Text())))
    op.add_column("api_keys", sa.Column("suspended_at", sa.TIMESTAMP(timezone=True)))
    op.create_index(
        "api_keys_by_time",
        "api_keys",
        ["merchant_id", "livemode", *_NEWEST_FIRST],
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def _create_production_access() -> None:
    op.create_table(
        "production_access",
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("legal_entity", sa.Text(), nullable=False),
        sa.Column("pci_document", sa.Text(), nullable=False),
        sa.Column("file_digest", sa.Text(), nullable=False),
        sa.Column("kyc_reference", sa.Text()),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("approved_at", sa.TIMESTAMP(timezone=True)),
        sa.Column("live_keys_taken_at", sa.TIMESTAMP(timezone=True)),
        sa.PrimaryKeyConstraint("merchant_id"),
        sa.CheckConstraint("status IN ('pending', 'approved')", name="status_known"),
        sa.CheckConstraint("pci_document IN ('saq_a', 'aoc')", name="pci_document_known"),
    )
