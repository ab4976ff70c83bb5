"""Webhook deliveries: recording attempts under their leases, replaying an event."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.delivery_leases import DELIVERY_NAME, free_at, same_delivery
from models.endpoint_health import judged_endpoints, marked_endpoints, raised_alerts
from models.tables import (
    EVENTS,
    WEBHOOK_ATTEMPTS,
    WEBHOOK_DELIVERIES,
    WEBHOOK_ENDPOINTS,
)
from models.test_clocks import frozen_time_for
from runtime.batches import FLAG, ID, MOMENT, NUMBER, TEXT, batch, rows_of, text_of, word
from runtime.coalescer import Lane
from runtime.database import Transaction, compile_sql

_DELIVERY = WEBHOOK_DELIVERIES.c


class EndedAttempt(NamedTuple):
    """An attempt that ended, the lease it was made under, and what follows from it.

    `attempted_at` and `next_attempt_at` are business time of the lease, `lease` and
    `ended_at` wall time.  A test clock that moved meanwhile has the next attempt wait as
    long from where it stands.  `succeeded` is None where nothing was posted: that says
    nothing of the endpoint.  `alert_id` is for the alert of an endpoint that is disabled by
    this attempt.
    """

    event_id: UUID
    endpoint_id: UUID
    merchant_id: UUID
    lease: datetime
    attempt: int
    attempted_at: datetime
    duration_ms: int
    status_code: int | None
    error: str | None
    state: str
    next_attempt_at: datetime
    ended_at: datetime
    succeeded: bool | None
    alert_id: UUID


def _moment(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=MOMENT)


def _record_statement() -> bytes:
    asked = rows_of(
        event_id=ID,
        endpoint_id=ID,
        merchant_id=ID,
        lease=MOMENT,
        attempt=NUMBER,
        attempted_at=MOMENT,
        duration_ms=NUMBER,
        status_code=NUMBER,
        error=TEXT,
        state=TEXT,
        next_attempt_at=MOMENT,
        ended_at=MOMENT,
        succeeded=FLAG,
        alert_id=ID,
    )
    frozen_time = frozen_time_for(WEBHOOK_DELIVERIES)
    waits = asked.c.next_attempt_at - asked.c.attempted_at
    # A clock that was deleted meanwhile may have stood in the future.
    without_clock = sa.func.least(asked.c.attempted_at, asked.c.ended_at)
    next_attempt_at = sa.case(
        # Asked only of what waits: a test clock has no part in all other attempts.
        (
            asked.c.state == word("pending"),
            waits + sa.func.coalesce(frozen_time, without_clock),
        ),
        else_=asked.c.next_attempt_at,
    )
    changed = (
        sa.update(WEBHOOK_DELIVERIES)
        .values(
            state=asked.c.state,
            attempts=asked.c.attempt,
            next_attempt_at=next_attempt_at,
            leased_until=sa.null(),
        )
        .where(same_delivery(_DELIVERY, asked.c), _DELIVERY.leased_until == asked.c.lease)
        .returning(*(_DELIVERY[name] for name in DELIVERY_NAME))
        .cte("changed")
    )
    recorded = (
        sa.select(asked)
        .select_from(asked.join(changed, same_delivery(asked.c, changed.c)))
        .cte("recorded")
    )
    kept = [column.name for column in WEBHOOK_ATTEMPTS.c]
    written = (
        insert(WEBHOOK_ATTEMPTS)
        .from_select(kept, sa.select(*(recorded.c[name] for name in kept)))
        .cte("written")
    )
    marked = marked_endpoints(judged_endpoints(recorded))
    answer = sa.select(changed.c.event_id, changed.c.endpoint_id)
    return text_of(answer.add_cte(written, raised_alerts(marked)))


def _replay_statement() -> sa.Insert:
    endpoint, event = WEBHOOK_ENDPOINTS.c, EVENTS.c
    columns: dict[str, sa.ColumnElement[Any]] = {
        "event_id": event.id,
        "endpoint_id": endpoint.id,
        "merchant_id": event.merchant_id,
        "livemode": event.livemode,
        "object_id": event.object_id,
        "sequence": event.sequence,
        "state": word("pending"),
        "next_attempt_at": _moment("due"),
        "created_at": _moment("due"),
    }
    only = sa.bindparam("endpoint_id", type_=ID)
    wants_it = sa.or_(
        endpoint.id == only,
        sa.and_(only.is_(None), endpoint.enabled_events.is_(None)),
        sa.and_(only.is_(None), event.type == sa.func.any(endpoint.enabled_events)),
    )
    same_world = sa.and_(
        endpoint.merchant_id == event.merchant_id, endpoint.livemode == event.livemode
    )
    wanted = (
        sa.select(*columns.values())
        .select_from(EVENTS.join(WEBHOOK_ENDPOINTS, same_world))
        .where(event.id == sa.bindparam("event_id", type_=ID))
        .where(event.merchant_id == sa.bindparam("merchant_id", type_=ID))
        .where(endpoint.status == word("enabled"), endpoint.url.is_not(None))
        .where(endpoint.deleted_at.is_(None), wants_it)
    )
    queueing = insert(WEBHOOK_DELIVERIES).from_select(list(columns), wanted, include_defaults=False)
    # An attempt that is under way right now is the one that was asked for.
    return queueing.on_conflict_do_update(
        index_elements=list(DELIVERY_NAME),
        set_={
            "state": word("pending"),
            "next_attempt_at": _moment("due"),
            "leased_until": sa.null(),
        },
        where=free_at(_DELIVERY, _moment("now")),
    )


RECORD = _record_statement()
_REPLAY = compile_sql(_replay_statement())


async def record_attempts(lane: Lane, attempts: Sequence[EndedAttempt]) -> list[bool]:
    """Write attempts and the states they lead to; False where the lease was lost."""
    rows = await lane.rows(RECORD, {"rows": batch(attempts)})
    changed = {(row["event_id"], row["endpoint_id"]) for row in rows}
    return [(attempt.event_id, attempt.endpoint_id) in changed for attempt in attempts]


class Replay(NamedTuple):
    """An event to deliver again: to `endpoint_id` alone, or to all that want it (None).

    `now` is wall time, `due` the earlier of wall and business time.
    """

    event_id: UUID
    merchant_id: UUID
    endpoint_id: UUID | None
    now: datetime
    due: datetime


async def replay_event(transaction: Transaction, replay: Replay) -> int:
    """Queue an event at once for enabled endpoints; for how many.

    A delivery that waits is brought forward; one that is under way is left to itself.
    """
    return await transaction.run(_REPLAY, **replay._asdict())
