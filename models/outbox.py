"""Events and the deliveries they cause, as parts of the statement that changes something."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.tables import EVENTS, WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS
from runtime.database import Transaction, compile_sql

_EVENT_COLUMNS = [column.name for column in EVENTS.c]


def written_events(changed: sa.CTE) -> sa.CTE:
    """A CTE that writes one event per row of `changed`.

    `changed` has the columns event_id, merchant_id, livemode, event_type, object_id,
    sequence, object, request_id, occurred_at.
    """
    row = changed.c
    chosen = sa.select(
        row.event_id,
        row.merchant_id,
        row.livemode,
        row.event_type,
        row.object_id,
        row.sequence,
        row.object,
        row.request_id,
        row.occurred_at,
    )
    return insert(EVENTS).from_select(_EVENT_COLUMNS, chosen).cte("written_events")


def queued_deliveries(changed: sa.CTE) -> sa.CTE:
    """A CTE that queues each event of `changed` for every endpoint that wants it."""
    row, endpoint = changed.c, WEBHOOK_ENDPOINTS.c
    columns: dict[str, sa.ColumnElement[Any]] = {
        "event_id": row.event_id,
        "endpoint_id": endpoint.id,
        "merchant_id": row.merchant_id,
        "livemode": row.livemode,
        "object_id": row.object_id,
        "sequence": row.sequence,
        "state": sa.literal_column("'pending'"),
        "next_attempt_at": row.occurred_at,
        "created_at": row.occurred_at,
    }
    wanted = sa.and_(
        endpoint.merchant_id == row.merchant_id,
        endpoint.livemode == row.livemode,
        endpoint.status == sa.literal_column("'enabled'"),
        endpoint.url.is_not(None),
        endpoint.deleted_at.is_(None),
        sa.or_(
            endpoint.enabled_events.is_(None),
            row.event_type == sa.func.any(endpoint.enabled_events),
        ),
    )
    chosen = sa.select(*columns.values()).select_from(changed.join(WEBHOOK_ENDPOINTS, wanted))
    return (
        insert(WEBHOOK_DELIVERIES)
        .from_select(list(columns), chosen, include_defaults=False)
        .cte("queued_deliveries")
    )


def _one_event() -> sa.Select[Any]:
    changed = sa.select(
        *(
            sa.bindparam(name, type_=kind).label(name)
            for name, kind in {
                "event_id": EVENTS.c.id.type,
                "merchant_id": EVENTS.c.merchant_id.type,
                "livemode": EVENTS.c.livemode.type,
                "event_type": EVENTS.c.type.type,
                "object_id": EVENTS.c.object_id.type,
                "sequence": EVENTS.c.sequence.type,
                "object": EVENTS.c.object.type,
                "request_id": EVENTS.c.request_id.type,
                "occurred_at": EVENTS.c.created_at.type,
            }.items()
        )
    ).cte("changed")
    return sa.select(changed.c.event_id).add_cte(
        written_events(changed), queued_deliveries(changed)
    )


_RECORD_EVENT = compile_sql(_one_event())


async def record_event(transaction: Transaction, **event: Any) -> None:
    """Write one event and queue its deliveries; the keywords are the columns named above."""
    await transaction.run(_RECORD_EVENT, **event)
