"""What is kept about requests: keys, totals, the audit trail."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSON

from models.tables.base import METADATA, created, identifier, tenant

IDEMPOTENCY_KEYS = sa.Table(
    "idempotency_keys",
    METADATA,
    identifier("key"),
    *tenant(),
    sa.Column("digest", BYTEA, nullable=False),
    identifier("resource_id"),
    sa.Column("status", sa.SmallInteger),
    sa.Column("reply", JSON),
    created(),
    sa.PrimaryKeyConstraint("key", "merchant_id", "livemode"),
)

# Exact list totals: how many rows of a resource are in a status.  A slot is a row of its
# own per connection, so that writers do not wait for each other; a total is their sum.
COUNTERS = sa.Table(
    "counters",
    METADATA,
    *tenant(),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("slot", sa.SmallInteger, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("merchant_id", "livemode", "resource", "status", "slot"),
)

AUDIT_ENTRIES = sa.Table(
    "audit_entries",
    METADATA,
    identifier(),
    identifier("merchant_id", nullable=False),
    sa.Column("entry", JSON, nullable=False),
    created(),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    postgresql_partition_by="RANGE (id)",
)
