"""The tables of the main house.

`GLOBAL_TABLES` names those that belong to no merchant; every other one is held to the
tenant rules by tests/models/test_tenancy.py.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSON, UUID

METADATA = sa.MetaData()
GLOBAL_TABLES = frozenset({"merchants", "platform_keys"})

_MOMENT = sa.TIMESTAMP(timezone=True)
_ZERO = sa.text("0")


def _identifier(name: str = "id", **options: Any) -> sa.Column[Any]:
    return sa.Column(name, UUID(as_uuid=True), **options)


def _tenant() -> list[sa.Column[Any]]:
    return [
        sa.Column("merchant_id", UUID(as_uuid=True), nullable=False),
        sa.Column("livemode", sa.Boolean, nullable=False),
    ]


def _created() -> sa.Column[Any]:
    return sa.Column("created_at", _MOMENT, nullable=False)


def _amount(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=_ZERO)


def _one_of(column: str, *values: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


MERCHANTS = sa.Table(
    "merchants",
    METADATA,
    _identifier(primary_key=True),
    sa.Column("business_name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("mcc", sa.Text, nullable=False),
    sa.Column("country", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("settlement_currency", sa.Text, nullable=False),
    _created(),
    _one_of("status", "pending_review", "active", "suspended", "terminated"),
)

PLATFORM_KEYS = sa.Table(
    "platform_keys",
    METADATA,
    _identifier(primary_key=True),
    sa.Column("secret_hash", sa.Text, nullable=False),
    sa.Column("display", sa.Text, nullable=False),
    _created(),
)

API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    _identifier(),
    *_tenant(),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.Text),
    sa.Column("publishable_key", sa.Text),
    sa.Column("display", sa.Text, nullable=False),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    _created(),
    sa.Column("expires_at", _MOMENT),
    sa.Column("revoked_at", _MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    _one_of("type", "secret", "publishable"),
    # PCI DSS 4.0.1 req. 8.3.2: a secret key is stored as its Argon2id hash only.
    sa.CheckConstraint("(type = 'secret') = (secret_hash IS NOT NULL)", name="secret_is_hashed"),
)

CUSTOMERS = sa.Table(
    "customers",
    METADATA,
    _identifier(),
    *_tenant(),
    sa.Column("email", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("metadata", JSON, nullable=False),
    _created(),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.Index("customers_by_time", "merchant_id", "livemode", sa.desc("created_at"), sa.desc("id")),
)

PAYMENT_METHODS = sa.Table(
    "payment_methods",
    METADATA,
    _identifier(),
    *_tenant(),
    _identifier("customer_id", nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("network", sa.Text, nullable=False),
    sa.Column("last_four", sa.Text, nullable=False),
    sa.Column("brand", sa.Text),
    sa.Column("exp_month", sa.SmallInteger),
    sa.Column("exp_year", sa.SmallInteger),
    sa.Column("fingerprint", sa.Text, nullable=False),
    _created(),
    sa.Column("detached_at", _MOMENT),
    # From here on the vault is to be asked to forget the number; NULL: nothing to do.
    sa.Column("erase_at", _MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.ForeignKeyConstraint(
        ["customer_id", "merchant_id"], ["customers.id", "customers.merchant_id"]
    ),
    _one_of("type", "card", "bank_account", "wallet"),
    sa.Index(
        "payment_methods_once_per_customer",
        "merchant_id",
        "livemode",
        "customer_id",
        "fingerprint",
        unique=True,
        postgresql_where=sa.text("detached_at IS NULL"),
    ),
    sa.Index(
        "payment_methods_to_erase", "erase_at", postgresql_where=sa.text("erase_at IS NOT NULL")
    ),
    sa.Index(
        "payment_methods_by_time",
        "merchant_id",
        "customer_id",
        sa.desc("created_at"),
        sa.desc("id"),
    ),
)

# A single-use token belongs to the first record that claims it, for ever.
TOKEN_CLAIMS = sa.Table(
    "token_claims",
    METADATA,
    _identifier("token_id"),
    *_tenant(),
    _identifier("claimed_by", nullable=False),
    sa.PrimaryKeyConstraint("token_id", "merchant_id"),
)

PAYMENTS = sa.Table(
    "payments",
    METADATA,
    _identifier(),
    *_tenant(),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("capture", sa.Boolean, nullable=False),
    _identifier("payment_method_id", nullable=False),
    sa.Column("is_token", sa.Boolean, nullable=False),
    _identifier("customer_id"),
    sa.Column("description", sa.Text),
    sa.Column("metadata", JSON, nullable=False),
    _identifier("idempotency_key", nullable=False),
    _identifier("attempt_id", nullable=False),
    sa.Column("network", sa.Text),
    _amount("amount_authorized"),
    _amount("amount_captured"),
    _amount("amount_refunded"),
    _amount("amount_disputed"),
    sa.Column("failure_code", sa.Text),
    sa.Column("decline_code", sa.Text),
    sa.Column("pending_reason", sa.Text),
    # A capture or cancellation that was recorded and whose answer is still out.
    sa.Column("operation", sa.Text),
    sa.Column("operation_amount", sa.BigInteger),
    _identifier("operation_attempt_id"),
    _identifier("operation_key"),
    sa.Column("event_sequence", sa.Integer, nullable=False, server_default=_ZERO),
    _created(),
    sa.Column("captured_at", _MOMENT),
    # From here on a worker looks after what the request left unfinished; NULL: finished.
    sa.Column("resume_at", _MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    _one_of("status", "pending", "authorized", "captured", "failed", "cancelled", "refunded"),
    _one_of("operation", "capture", "cancel", "reverse"),
    sa.CheckConstraint("amount BETWEEN 50 AND 99999999", name="amount_in_range"),
    sa.CheckConstraint(
        "amount_refunded >= 0 AND amount_disputed >= 0"
        " AND amount_refunded + amount_disputed <= amount_captured"
        " AND amount_captured <= amount_authorized AND amount_authorized <= amount",
        name="money_adds_up",
    ),
    sa.Index("payments_by_time", "merchant_id", "livemode", sa.desc("created_at"), sa.desc("id")),
    sa.Index(
        "payments_by_status",
        "merchant_id",
        "livemode",
        "status",
        sa.desc("created_at"),
        sa.desc("id"),
    ),
    sa.Index("payments_by_amount", "merchant_id", "livemode", "amount", "id"),
    sa.Index("payments_to_resume", "resume_at", postgresql_where=sa.text("resume_at IS NOT NULL")),
)

REFUNDS = sa.Table(
    "refunds",
    METADATA,
    _identifier(),
    *_tenant(),
    _identifier("payment_id", nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("failure_code", sa.Text),
    sa.Column("event_sequence", sa.Integer, nullable=False, server_default=_ZERO),
    _created(),
    sa.Column("settle_at", _MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.ForeignKeyConstraint(["payment_id", "merchant_id"], ["payments.id", "payments.merchant_id"]),
    _one_of("status", "pending", "succeeded", "failed"),
    sa.CheckConstraint("amount >= 1", name="amount_positive"),
    sa.Index("refunds_by_time", "merchant_id", "payment_id", sa.desc("created_at"), sa.desc("id")),
    sa.Index("refunds_to_settle", "settle_at", postgresql_where=sa.text("settle_at IS NOT NULL")),
)

IDEMPOTENCY_KEYS = sa.Table(
    "idempotency_keys",
    METADATA,
    _identifier("key"),
    *_tenant(),
    sa.Column("digest", BYTEA, nullable=False),
    _identifier("resource_id"),
    sa.Column("status", sa.SmallInteger),
    sa.Column("reply", JSON),
    _created(),
    sa.PrimaryKeyConstraint("key", "merchant_id", "livemode"),
)

# Exact list totals: how many rows of a resource are in a status.  A slot is a row of its
# own per connection, so that writers do not wait for each other; a total is their sum.
COUNTERS = sa.Table(
    "counters",
    METADATA,
    *_tenant(),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("slot", sa.SmallInteger, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("merchant_id", "livemode", "resource", "status", "slot"),
)

# Partitioned by month through the UUIDv7 id, which carries its millisecond: the primary
# key stays (id, merchant_id) and a look-up by id reads one partition.
EVENTS = sa.Table(
    "events",
    METADATA,
    _identifier(),
    *_tenant(),
    sa.Column("type", sa.Text, nullable=False),
    _identifier("object_id", nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("object", JSON, nullable=False),
    # The request or the worker's turn that caused it; log lines of deliveries carry it on.
    sa.Column("request_id", sa.Text, nullable=False),
    _created(),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.Index("events_by_time", "merchant_id", "livemode", sa.desc("created_at"), sa.desc("id")),
    postgresql_partition_by="RANGE (id)",
)

AUDIT_ENTRIES = sa.Table(
    "audit_entries",
    METADATA,
    _identifier(),
    _identifier("merchant_id", nullable=False),
    sa.Column("entry", JSON, nullable=False),
    _created(),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    postgresql_partition_by="RANGE (id)",
)

WEBHOOK_ENDPOINTS = sa.Table(
    "webhook_endpoints",
    METADATA,
    _identifier(),
    *_tenant(),
    # The merchant's own `webhook_url` is its first endpoint, kept (without URL) from birth.
    sa.Column("is_merchant_url", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("url", sa.Text),
    sa.Column("enabled_events", ARRAY(sa.Text)),
    sa.Column("api_version", sa.Text),
    sa.Column("description", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("secret", sa.Text, nullable=False),
    _created(),
    sa.Column("deleted_at", _MOMENT),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    _one_of("status", "enabled", "disabled"),
    sa.Index(
        "webhook_endpoints_merchant_url",
        "merchant_id",
        "livemode",
        unique=True,
        postgresql_where=sa.text("is_merchant_url"),
    ),
    sa.Index("webhook_endpoints_by_time", "merchant_id", "livemode", sa.desc("created_at")),
)

WEBHOOK_DELIVERIES = sa.Table(
    "webhook_deliveries",
    METADATA,
    _identifier("event_id"),
    _identifier("endpoint_id"),
    *_tenant(),
    _identifier("object_id", nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.SmallInteger, nullable=False, server_default=_ZERO),
    sa.Column("next_attempt_at", _MOMENT, nullable=False),
    sa.Column("leased_until", _MOMENT),
    sa.PrimaryKeyConstraint("event_id", "endpoint_id", "merchant_id"),
    _one_of("state", "pending", "succeeded", "failed"),
    sa.Index(
        "webhook_deliveries_due",
        "next_attempt_at",
        postgresql_where=sa.text("state = 'pending'"),
    ),
    sa.Index(
        "webhook_deliveries_first_attempts",
        "merchant_id",
        "endpoint_id",
        "object_id",
        "sequence",
        postgresql_where=sa.text("state = 'pending' AND attempts = 0"),
    ),
)

WEBHOOK_ATTEMPTS = sa.Table(
    "webhook_attempts",
    METADATA,
    _identifier("event_id"),
    _identifier("endpoint_id"),
    _identifier("merchant_id"),
    sa.Column("attempt", sa.SmallInteger),
    sa.Column("attempted_at", _MOMENT, nullable=False),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("status_code", sa.SmallInteger),
    sa.Column("error", sa.Text),
    sa.PrimaryKeyConstraint("event_id", "endpoint_id", "merchant_id", "attempt"),
)
