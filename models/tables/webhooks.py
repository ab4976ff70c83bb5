"""Events, where they go, and how that went."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSON

from models.tables.base import (
    METADATA,
    MOMENT,
    TIE,
    ZERO,
    created,
    identifier,
    one_of,
    revision,
    tenant,
)

# Partitioned by month through the UUIDv7 id, which carries its millisecond: the primary
# key stays (id, merchant_id) and a look-up by id reads one partition.
EVENTS = sa.Table(
    "events",
    METADATA,
    identifier(),
    *tenant(),
    sa.Column("type", sa.Text, nullable=False),
    identifier("object_id", nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("object", JSON, nullable=False),
    # The request or the worker's turn that caused it; log lines of deliveries carry it on.
    sa.Column("request_id", sa.Text, nullable=False),
    created(),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    sa.Index("events_by_time", "merchant_id", "livemode", sa.desc("created_at"), sa.desc("id")),
    sa.Index(
        "events_by_type",
        "merchant_id",
        "livemode",
        "type",
        sa.desc("created_at"),
        sa.desc("id"),
    ),
    sa.Index("events_by_object", "merchant_id", "object_id", sa.desc("created_at"), sa.desc("id")),
    postgresql_partition_by="RANGE (id)",
)

WEBHOOK_ENDPOINTS = sa.Table(
    "webhook_endpoints",
    METADATA,
    identifier(),
    *tenant(),
    # The merchant's own `webhook_url` is its first endpoint, kept (without URL) from birth.
    sa.Column("is_merchant_url", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("url", sa.Text),
    sa.Column("enabled_events", ARRAY(sa.Text)),
    sa.Column("api_version", sa.Text),
    sa.Column("description", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("secret_sealed", BYTEA, nullable=False),
    # The secret before the last roll signs beside the new one until then (wall clock).
    sa.Column("previous_secret_sealed", BYTEA),
    sa.Column("previous_secret_until", MOMENT),
    # The first failed attempt since the last 2xx (business clock); null: the last one was a 2xx.
    sa.Column("failing_since", MOMENT),
    created(),
    sa.Column("deleted_at", MOMENT),
    revision(),
    sa.PrimaryKeyConstraint("id", "merchant_id"),
    one_of("status", "enabled", "disabled"),
    sa.CheckConstraint(
        "(previous_secret_sealed IS NULL) = (previous_secret_until IS NULL)",
        name="previous_secret_ends",
    ),
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
    identifier("event_id"),
    identifier("endpoint_id"),
    *tenant(),
    identifier("object_id", nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=ZERO),
    sa.Column("next_attempt_at", MOMENT, nullable=False),
    sa.Column("leased_until", MOMENT),
    created(),
    sa.PrimaryKeyConstraint("event_id", "endpoint_id", "merchant_id"),
    one_of("state", "pending", "succeeded", "failed"),
    sa.Index(
        "webhook_deliveries_due",
        "next_attempt_at",
        postgresql_where=sa.text("state = 'pending'"),
    ),
    # For a look at endpoints one by one: first attempts and later ones lie apart.
    sa.Index(
        "webhook_deliveries_by_endpoint",
        "merchant_id",
        "endpoint_id",
        sa.text("least(attempts, 1)"),
        "next_attempt_at",
        postgresql_where=sa.text("state = 'pending'"),
    ),
    # For test clocks, which move the due moments of one merchant.
    sa.Index(
        "webhook_deliveries_under_a_clock",
        "merchant_id",
        "next_attempt_at",
        postgresql_where=sa.text("state = 'pending' AND attempts > 0 AND NOT livemode"),
    ),
    sa.Index(
        "webhook_deliveries_first_attempts",
        "merchant_id",
        "endpoint_id",
        "object_id",
        "sequence",
        postgresql_where=sa.text("state = 'pending' AND attempts = 0"),
    ),
    info={TIE: "endpoint_id"},
)

WEBHOOK_ATTEMPTS = sa.Table(
    "webhook_attempts",
    METADATA,
    identifier("event_id"),
    identifier("endpoint_id"),
    identifier("merchant_id"),
    sa.Column("attempt", sa.Integer),
    sa.Column("attempted_at", MOMENT, nullable=False),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("status_code", sa.SmallInteger),
    sa.Column("error", sa.Text),
    sa.PrimaryKeyConstraint("event_id", "endpoint_id", "merchant_id", "attempt"),
)
