"""Secrets of merchants and what is known of persons, sealed; which master key wraps a key.

Rows that are there are sealed on the way (`python -m flows.migrate`): no clear column stays.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context, op

from models.sealing_rows import SEALING, Sealer, seal_column

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# What wrapped data keys before master keys had names.
_FIRST = "file:master"
_MOMENT = sa.TIMESTAMP(timezone=True)
_NEWEST_FIRST: tuple[sa.ColumnElement[Any], ...] = (
    sa.literal_column("created_at DESC"),
    sa.literal_column("id DESC"),
)
# (table, clear column, sealed column, purpose)
_COLUMNS = (
    ("webhook_endpoints", "secret", "secret_sealed", "webhook secret"),
    ("webhook_endpoints", "previous_secret", "previous_secret_sealed", "webhook secret"),
    ("customers", "email", "email_sealed", "customer email"),
    ("customers", "name", "name_sealed", "customer name"),
)


def upgrade() -> None:
    _name_master_keys()
    for table, _, sealed, _ in _COLUMNS:
        op.add_column(table, sa.Column(sealed, sa.LargeBinary()))
    op.add_column("customers", sa.Column("email_index", sa.LargeBinary()))
    op.add_column("idempotency_keys", sa.Column("reply_sealed", sa.LargeBinary()))
    for column in _COLUMNS:
        seal_column(op.get_bind(), _sealer(), column, index=column[1] == "email")
    _seal_replies()
    op.alter_column("webhook_endpoints", "secret_sealed", nullable=False)
    op.drop_constraint("previous_secret_ends", "webhook_endpoints")
    op.create_check_constraint(
        "previous_secret_ends",
        "webhook_endpoints",
        "(previous_secret_sealed IS NULL) = (previous_secret_until IS NULL)",
    )
    op.drop_index("customers_by_email", "customers")
    for table, clear, _, _ in _COLUMNS:
        op.drop_column(table, clear)
    _index_customers("email_index")
    op.create_index(
        "idempotency_keys_of_persons",
        "idempotency_keys",
        ["merchant_id", "resource_id"],
        postgresql_where=sa.text("reply_sealed IS NOT NULL"),
    )


def downgrade() -> None:
    """Back to clear columns, as long as nothing is sealed: what is sealed stays so."""
    for table, clear, sealed, _ in _COLUMNS:
        _refuse_where_sealed(table, sealed)
        op.add_column(table, sa.Column(clear, sa.Text()))
    _refuse_where_sealed("idempotency_keys", "reply_sealed")
    op.alter_column("webhook_endpoints", "secret", nullable=False)
    op.drop_constraint("previous_secret_ends", "webhook_endpoints")
    op.create_check_constraint(
        "previous_secret_ends",
        "webhook_endpoints",
        "(previous_secret IS NULL) = (previous_secret_until IS NULL)",
    )
    op.drop_index("idempotency_keys_of_persons", "idempotency_keys")
    op.drop_index("customers_by_email", "customers")
    for table, _, sealed, _ in _COLUMNS:
        op.drop_column(table, sealed)
    op.drop_column("customers", "email_index")
    op.drop_column("idempotency_keys", "reply_sealed")
    _index_customers("email")
    op.drop_column("data_keys", "master_key")
    op.drop_column("data_keys", "created_at")
    op.drop_table("master_keys")


def _name_master_keys() -> None:
    op.create_table(
        "master_keys",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("rotation_began_at", _MOMENT),
        sa.Column("rotation_ended_at", _MOMENT),
        sa.Column("retired_at", _MOMENT),
        sa.PrimaryKeyConstraint("name", name=op.f("master_keys_pkey")),
    )
    first = sa.Column("master_key", sa.Text(), nullable=False, server_default=_FIRST)
    op.add_column("data_keys", first)
    op.alter_column("data_keys", "master_key", server_default=None)
    born = sa.Column("created_at", _MOMENT, nullable=False, server_default=sa.func.now())
    op.add_column("data_keys", born)
    op.execute(
        "INSERT INTO master_keys (name, created_at)"  # nosec B608  # a constant
        f" SELECT '{_FIRST}', now() FROM data_keys HAVING count(*) > 0"
    )


def _sealer() -> Sealer | None:
    made: Sealer | None = context.config.attributes.get(SEALING)
    return made


def _seal_replies() -> None:
    """Replies that a customer's maker may ask for again: their owner is the merchant, too."""
    table = "idempotency_keys"
    person = "reply->>'object' = 'customer'"
    op.execute(f"ALTER TABLE {table} ADD COLUMN moved text")
    op.execute(f"UPDATE {table} SET moved = reply::text, reply = NULL WHERE {person}")  # nosec B608  # constants
    op.execute(
        f"UPDATE {table} SET resource_id = substr(moved::json->>'id', 5)::uuid"  # nosec B608  # a constant
        " WHERE moved IS NOT NULL"
    )
    column = (table, "moved", "reply_sealed", "idempotency reply")
    seal_column(op.get_bind(), _sealer(), column, index=False)
    op.drop_column(table, "moved")


def _index_customers(column: str) -> None:
    columns: list[str | sa.ColumnElement[Any]] = ["merchant_id", "livemode", column]
    op.create_index(
        "customers_by_email",
        "customers",
        [*columns, *_NEWEST_FIRST],
        postgresql_where=sa.text(f"deleted_at IS NULL AND {column} IS NOT NULL"),
    )


def _refuse_where_sealed(table: str, column: str) -> None:
    query = f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL"  # nosec B608  # our names
    if op.get_bind().execute(sa.text(query)).scalar():
        raise RuntimeError(f"{table}.{column} is sealed: restore a backup instead")
