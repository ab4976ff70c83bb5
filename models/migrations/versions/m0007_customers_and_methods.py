"""Customers that are deleted, found by e-mail; methods without digits, with a currency."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NEWEST_FIRST: tuple[sa.ColumnElement[Any], ...] = (
    sa.literal_column("created_at DESC"),
    sa.literal_column("id DESC"),
)
_THERE = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    op.add_column("customers", sa.Column("deleted_at", sa.TIMESTAMP(timezone=True)))
    _index_customers(_THERE)
    op.create_index(
        "customers_by_email",
        "customers",
        ["merchant_id", "livemode", "email", *_NEWEST_FIRST],
        postgresql_where=sa.text("deleted_at IS NULL AND email IS NOT NULL"),
    )
    # A wallet does not tell its digits.
    op.alter_column("payment_methods", "last_four", nullable=True)
    op.add_column("payment_methods", sa.Column("currency", sa.Text()))


def downgrade() -> None:
    op.drop_column("payment_methods", "currency")
    op.execute("UPDATE payment_methods SET last_four = '' WHERE last_four IS NULL")
    op.alter_column("payment_methods", "last_four", nullable=False)
    op.drop_index("customers_by_email", "customers")
    _index_customers(None)
    op.drop_column("customers", "deleted_at")


def _index_customers(where: sa.TextClause | None) -> None:
    op.drop_index("customers_by_time", "customers")
    columns: list[str | sa.ColumnElement[Any]] = ["merchant_id", "livemode", *_NEWEST_FIRST]
    op.create_index("customers_by_time", "customers", columns, postgresql_where=where)
