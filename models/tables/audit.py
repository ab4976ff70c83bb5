"""What seals the audit trail: signed roots over the heads of its chains.

No row of these tables, nor of audit_entries, is ever changed: the service may only read and
add (models/migrate.py), and triggers refuse the rest to everybody.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from models.tables.base import METADATA, MOMENT, created, identifier

AUDIT_ROOTS = sa.Table(
    "audit_roots",
    METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sealed_at", MOMENT, nullable=False),
    sa.Column("previous", BYTEA, nullable=False),
    sa.Column("hash", BYTEA, nullable=False),
    sa.Column("key_name", sa.Text, nullable=False),
    sa.Column("signature", BYTEA, nullable=False),
)

# Where a chain stood when a root was sealed; only chains that had grown since the last.
AUDIT_HEADS = sa.Table(
    "audit_heads",
    METADATA,
    sa.Column("house", sa.Text, nullable=False),
    identifier("chain", nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("hash", BYTEA, nullable=False),
    sa.Column("root", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("chain", "sequence"),
    sa.Index("audit_heads_by_root", "root"),
)

AUDIT_KEYS = sa.Table(
    "audit_keys",
    METADATA,
    sa.Column("key_name", sa.Text, primary_key=True),
    sa.Column("public", BYTEA, nullable=False),
    sa.Column("sealed", BYTEA, nullable=False),
    created(),
)

AUDIT_EXPORTS = sa.Table(
    "audit_exports",
    METADATA,
    sa.Column("root", sa.BigInteger, nullable=False),
    sa.Column("archive", sa.Text, nullable=False),
    sa.Column("digest", BYTEA, nullable=False),
    created(),
    sa.PrimaryKeyConstraint("root", "archive"),
)
