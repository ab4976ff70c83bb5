"""The vault's tables.

Every primary key carries the merchant, ids come first in it (they grow with time, which
keeps the index small), nothing needs rows of two merchants: the tables can be distributed
by merchant as they stand.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from runtime.wrapped_keys import master_key_columns

METADATA = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "ck": "%(table_name)s_%(constraint_name)s",
    }
)

_UUID = sa.Uuid()
_MOMENT = sa.TIMESTAMP(timezone=True)


def _one_of(column: str, *words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


# Public by nature and stored in clear; the vault never learns a secret key.
publishable_keys = sa.Table(
    "publishable_keys",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("merchant_id", _UUID, primary_key=True),
    sa.Column("livemode", sa.Boolean, nullable=False),
    sa.Column("revoked", sa.Boolean, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=sa.func.now()),
    sa.Column("suspended", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("expires_at", _MOMENT),
)

# How many times the usual limits a merchant's publishable keys have; no row: once.
negotiated_limits = sa.Table(
    "negotiated_limits",
    METADATA,
    sa.Column("merchant_id", _UUID, primary_key=True),
    sa.Column("multiplier", sa.Integer, nullable=False),
)

# A merchant's keys, each wrapped by the master key (PCI DSS 4.0.1 req. 3.6.1.2).  `seal`
# keys rotate and old versions stay readable; the one `fingerprint` key never does, because
# equal cards must keep equal fingerprints.
data_keys = sa.Table(
    "data_keys",
    METADATA,
    sa.Column("merchant_id", _UUID, primary_key=True),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("wrapped", BYTEA, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=sa.func.now()),
    sa.Column("master_key", sa.Text, nullable=False),
    _one_of("purpose", "seal", "fingerprint"),
)
# The one table that belongs to no merchant: a copy of it stands on every shard.
master_keys = sa.Table("master_keys", METADATA, *master_key_columns())
GLOBAL_TABLES = frozenset({master_keys.name})

# `ciphertext` is the nonce and the sealed number; it is the only column that holds one
# (PCI DSS 4.0.1 req. 3.5.1), and null once the number was erased.
instruments = sa.Table(
    "instruments",
    METADATA,
    sa.Column("id", _UUID, primary_key=True),
    sa.Column("merchant_id", _UUID, primary_key=True),
    sa.Column("livemode", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("ciphertext", BYTEA),
    sa.Column("key_version", sa.Integer, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("network", sa.Text, nullable=False),
    sa.Column("brand", sa.Text),
    sa.Column("last_four", sa.Text),
    sa.Column("exp_month", sa.SmallInteger),
    sa.Column("exp_year", sa.SmallInteger),
    # The one payment, or the one saved instrument, that a used token went into.
    sa.Column("used_by", _UUID),
    # The idempotency key of that payment's request: no other payment under it is alive.
    sa.Column("spent_for", _UUID),
    # When the number is erased; null for a saved instrument.
    sa.Column("expires_at", _MOMENT),
    sa.Column("created_at", _MOMENT, nullable=False),
    # The main house has said that it has this saved instrument's row.
    sa.Column("confirmed", sa.Boolean, nullable=False, server_default=sa.false()),
    _one_of("state", "token", "saved", "used", "erased"),
    _one_of("type", "card", "bank_account", "wallet"),
    sa.CheckConstraint("state <> 'erased' OR ciphertext IS NULL", name="erased_is_empty"),
)
sa.Index(
    "instruments_to_erase",
    instruments.c.expires_at,
    postgresql_where=sa.and_(
        instruments.c.ciphertext.isnot(None), instruments.c.expires_at.isnot(None)
    ),
)

sa.Index(
    "instruments_to_confirm",
    instruments.c.created_at,
    postgresql_where=sa.text("state = 'saved' AND NOT confirmed"),
)

# One row for each thing asked of a card network, committed before it is asked.  A `fenced`
# row says that it was not begun and never will be.
attempts = sa.Table(
    "attempts",
    METADATA,
    sa.Column("id", _UUID, primary_key=True),
    sa.Column("merchant_id", _UUID, primary_key=True),
    sa.Column("livemode", sa.Boolean, nullable=False),
    sa.Column("payment_id", _UUID),
    sa.Column("operation", sa.Text),
    sa.Column("network", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    # Names the one call that began it, so that a statement that ran twice is recognised.
    sa.Column("begun_by", _UUID),
    sa.Column("outcome", sa.Text),
    sa.Column("result", sa.Text),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=sa.func.now()),
    sa.Column("decided_at", _MOMENT),
    # When the network is asked once more about an attempt that was given up.
    sa.Column("look_again_at", _MOMENT),
    _one_of("state", "begun", "decided", "fenced"),
    _one_of("operation", "authorise", "capture", "draw", "reverse", "refund"),
    _one_of("outcome", "approved", "declined", "pending"),
    sa.CheckConstraint("(state = 'decided') = (result IS NOT NULL)", name="decided_has_result"),
)
sa.Index(
    "attempts_approved",
    attempts.c.payment_id,
    attempts.c.merchant_id,
    postgresql_where=sa.and_(
        attempts.c.operation.in_(["authorise", "draw"]), attempts.c.outcome == "approved"
    ),
)

sa.Index(
    "attempts_to_look_at",
    attempts.c.look_again_at,
    postgresql_where=attempts.c.look_again_at.isnot(None),
)

# What the networks told of chargebacks, and which of it the main house has recorded.
chargebacks = sa.Table(
    "chargebacks",
    METADATA,
    sa.Column("id", _UUID, primary_key=True),
    sa.Column("merchant_id", _UUID, primary_key=True),
    sa.Column("livemode", sa.Boolean, nullable=False),
    sa.Column("payment_id", _UUID, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    # The last state that was acknowledged.
    sa.Column("acknowledged", sa.Text),
    sa.Column("opened_at", _MOMENT, nullable=False),
    _one_of("state", "open", "won", "lost"),
    _one_of("acknowledged", "open", "won", "lost"),
)
sa.Index(
    "chargebacks_to_tell",
    chargebacks.c.opened_at,
    postgresql_where=chargebacks.c.acknowledged.is_distinct_from(chargebacks.c.state),
)

# What an Idempotency-Key at the token door stands for, kept 48 hours.
token_requests = sa.Table(
    "token_requests",
    METADATA,
    sa.Column("key", _UUID, primary_key=True),
    sa.Column("merchant_id", _UUID, primary_key=True),
    sa.Column("livemode", sa.Boolean, primary_key=True),
    # Keyed, over type, number and expiry, never the CVC (PCI DSS 4.0.1 req. 3.5.1.1, 3.3.1).
    sa.Column("digest", sa.Text, nullable=False),
    # The token that was made, or would have been made but for the refusal.
    sa.Column("token_id", _UUID, nullable=False),
    sa.Column("refusal", sa.Text),
    sa.Column("created_at", _MOMENT, nullable=False),
)
sa.Index("token_requests_created_at", token_requests.c.created_at)

# One row for each request at the token door, chained as those of the main house
# (domain/audit_chain.py), never changed: the service may only read and add.
audit_entries = sa.Table(
    "audit_entries",
    METADATA,
    sa.Column("id", _UUID, primary_key=True),
    sa.Column("merchant_id", _UUID, primary_key=True),
    # Null for callers whom nobody knows.
    sa.Column("livemode", sa.Boolean),
    sa.Column("entry", sa.JSON, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("chain", _UUID, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("previous", BYTEA, nullable=False),
    sa.Column("hash", BYTEA, nullable=False),
    postgresql_partition_by="RANGE (id)",
)
sa.Index("audit_entries_by_chain", audit_entries.c.chain, audit_entries.c.sequence)
