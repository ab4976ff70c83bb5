"""Keys that seal what is secret at rest, themselves wrapped by the master key."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from models.tables.base import METADATA, MOMENT, identifier
from runtime.wrapped_keys import master_key_columns

DATA_KEYS = sa.Table(
    "data_keys",
    METADATA,
    # A merchant, or the platform itself (the nil UUID).
    identifier("owner_id"),
    sa.Column("use", sa.Text),
    sa.Column("version", sa.Integer),
    sa.Column("wrapped", BYTEA, nullable=False),
    sa.Column("master_key", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=sa.func.now()),
    sa.PrimaryKeyConstraint("owner_id", "use", "version"),
)

MASTER_KEYS = sa.Table("master_keys", METADATA, *master_key_columns())
