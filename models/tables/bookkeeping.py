"""What is kept about requests: keys, totals, the audit trail."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA, JSON

from models.tables.base import FILTERS, METADATA, ONE, created, identifier, tenant


def _in_entry(name: str) -> sa.ColumnElement[str]:
    """A field of an audit entry as text."""
    return sa.literal_column(f"(entry ->> '{name}')", sa.Text)


IDEMPOTENCY_KEYS = sa.Table(
    "idempotency_keys",
    METADATA,
    identifier("key"),
    *tenant(),
    sa.Column("digest", BYTEA, nullable=False),
    identifier("resource_id"),
    sa.Column("status", sa.SmallInteger),
    sa.Column("reply", JSON),
    # In the place of `reply` where it says something of a person.
    sa.Column("reply_sealed", BYTEA),
    created(),
    sa.PrimaryKeyConstraint("key", "merchant_id", "livemode"),
    # For forgetting what is older than 48 h.
    sa.Index("idempotency_keys_by_time", "created_at"),
    # For erasing such a reply with the person's customer.
    sa.Index(
        "idempotency_keys_of_persons",
        "merchant_id",
        "resource_id",
        postgresql_where=sa.text("reply_sealed IS NOT NULL"),
    ),
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
    # The request's own id, so that one request is found by its name.
    identifier(),
    identifier("merchant_id", nullable=False),
    # Null for callers without a mode: the platform, and those whom nobody knows.
    sa.Column("livemode", sa.Boolean),
    sa.Column("entry", JSON, nullable=False),
    created(),
    # The place in its chain (domain/audit_chain.py); null in entries older than the chains.
    identifier("chain"),
    sa.Column("sequence", sa.BigInteger),
    sa.Column("previous", BYTEA),
    sa.Column("hash", BYTEA),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.Index("audit_entries_by_chain", "chain", "sequence"),
    sa.Index(
        "audit_entries_by_time", "merchant_id", "livemode", sa.desc("created_at"), sa.desc("id")
    ),
    postgresql_partition_by="RANGE (id)",
    info={
        FILTERS: {
            **{name: _in_entry(name) for name in ("method", "path", "api_key_prefix")},
            "resource_id": _in_entry("resource_id"),
            "status_code": sa.cast(_in_entry("status_code"), sa.Integer),
            "status_class": sa.func.left(_in_entry("status_code"), ONE, type_=sa.Text)
            + sa.literal_column("'xx'", sa.Text),
        }
    },
)
