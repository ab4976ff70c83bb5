"""The health and the rolled secret of endpoints, look-ups of events and of requests."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NEWEST_FIRST: tuple[sa.ColumnElement[Any], ...] = (
    sa.literal_column("created_at DESC"),
    sa.literal_column("id DESC"),
)
_MOMENT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    _add_endpoint_columns()
    _add_delivery_moment()
    # An event may be retried without end.
    op.alter_column("webhook_deliveries", "attempts", type_=sa.Integer())
    op.alter_column("webhook_attempts", "attempt", type_=sa.Integer())
    op.create_index("events_by_type", "events", ["merchant_id", "livemode", "type", *_NEWEST_FIRST])
    op.create_index("events_by_object", "events", ["merchant_id", "object_id", *_NEWEST_FIRST])
    op.add_column("audit_entries", sa.Column("livemode", sa.Boolean(), nullable=True))
    op.create_index(
        "audit_entries_by_time", "audit_entries", ["merchant_id", "livemode", *_NEWEST_FIRST]
    )


def downgrade() -> None:
    op.drop_index("audit_entries_by_time", "audit_entries")
    op.drop_column("audit_entries", "livemode")
    op.drop_index("events_by_object", "events")
    op.drop_index("events_by_type", "events")
    op.alter_column("webhook_attempts", "attempt", type_=sa.SmallInteger())
    op.alter_column("webhook_deliveries", "attempts", type_=sa.SmallInteger())
    op.drop_column("webhook_deliveries", "created_at")
    op.drop_constraint("previous_secret_ends", "webhook_endpoints")
    for name in ("failing_since", "previous_secret_until", "previous_secret"):
        op.drop_column("webhook_endpoints", name)


def _add_endpoint_columns() -> None:
    op.add_column("webhook_endpoints", sa.Column("previous_secret", sa.Text(), nullable=True))
    op.add_column("webhook_endpoints", sa.Column("previous_secret_until", _MOMENT, nullable=True))
    op.add_column("webhook_endpoints", sa.Column("failing_since", _MOMENT, nullable=True))
    op.create_check_constraint(
        "previous_secret_ends",
        "webhook_endpoints",
        "(previous_secret IS NULL) = (previous_secret_until IS NULL)",
    )


def _add_delivery_moment() -> None:
    """Until now a delivery was queued with its event, so it takes the event's moment."""
    op.add_column("webhook_deliveries", sa.Column("created_at", _MOMENT, nullable=True))
    op.execute(
        "UPDATE webhook_deliveries AS delivery SET created_at = event.created_at"
        " FROM events AS event"
        " WHERE event.id = delivery.event_id AND event.merchant_id = delivery.merchant_id"
    )
    op.alter_column("webhook_deliveries", "created_at", nullable=False)
