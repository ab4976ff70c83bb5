"""Keys that seal what is secret at rest, themselves wrapped by the master key."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from models.tables.base import METADATA, identifier

DATA_KEYS = sa.Table(
    "data_keys",
    METADATA,
    # A merchant, or the platform itself (the nil UUID).
    identifier("owner_id"),
    sa.Column("use", sa.Text),
    sa.Column("version", sa.Integer),
    sa.Column("wrapped", BYTEA, nullable=False),
    sa.PrimaryKeyConstraint("owner_id", "use", "version"),
)
