"""Webhook deliveries: leasing those that are due, recording attempts, replaying an event.

A lease is a conditional UPDATE of `leased_until`, whose value is also the token under
which the attempt is recorded: a worker that lost its lease records nothing.  First
attempts of one object at one endpoint are leased in the order of `sequence`, each after
the one before it has ended; that it failed holds nobody back.

`next_attempt_at` is business time (models/test_clocks.py), `leased_until` wall time.  A
first attempt is due at once, whatever the merchant's clock says; only later ones wait.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from models.endpoint_health import judged_endpoints, marked_endpoints, raised_alerts
from models.tables import (
    EVENTS,
    MERCHANTS,
    TEST_CLOCKS,
    WEBHOOK_ATTEMPTS,
    WEBHOOK_DELIVERIES,
    WEBHOOK_ENDPOINTS,
)
from models.test_clocks import DELIVERY_WAITS, frozen_time_for, not_held_back
from runtime.batches import FLAG, ID, MOMENT, NUMBER, TEXT, batch, rows_of, text_of, word
from runtime.coalescer import Lane
from runtime.database import Row, Transaction, compile_sql

# A hanging receiver may hold this many attempts of one worker and no more.
ATTEMPTS_PER_ENDPOINT = 4
# How many due deliveries one look takes in; what is behind them is seen by the next one,
# which leaves out the endpoints that are busy by then.
LOOKED_AT = 512

_DELIVERY = WEBHOOK_DELIVERIES.c
_NAMES = ("event_id", "endpoint_id", "merchant_id")


class UnderWay(NamedTuple):
    """How many attempts at an endpoint this worker has under way."""

    endpoint_id: UUID
    merchant_id: UUID
    under_way: int


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


def _same(left: Any, right: Any) -> sa.ColumnElement[bool]:
    return sa.and_(*(left[name] == right[name] for name in _NAMES))


def _number(count: int) -> sa.ColumnElement[int]:
    return sa.literal_column(str(count), sa.Integer)


def _moment(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=MOMENT)


def _free_at(now: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.or_(_DELIVERY.leased_until.is_(None), _DELIVERY.leased_until <= now)


def _is_next() -> sa.ColumnElement[bool]:
    """A later attempt, or a first one with no earlier event of its object still to begin."""
    earlier = WEBHOOK_DELIVERIES.alias("earlier")
    blocking = (
        sa.select(_number(1))
        .where(earlier.c.merchant_id == _DELIVERY.merchant_id)
        .where(earlier.c.endpoint_id == _DELIVERY.endpoint_id)
        .where(earlier.c.object_id == _DELIVERY.object_id)
        .where(earlier.c.sequence < _DELIVERY.sequence)
        .where(earlier.c.state == word("pending"), earlier.c.attempts == _number(0))
    )
    return sa.or_(_DELIVERY.attempts > _number(0), ~blocking.exists())


def _chosen() -> sa.CTE:
    """The oldest due deliveries, as many per endpoint as this worker has room for."""
    asked = rows_of(endpoint_id=ID, merchant_id=ID, under_way=NUMBER)
    under_way = sa.func.coalesce(asked.c.under_way, _number(0)).label("under_way")
    here = sa.and_(
        asked.c.endpoint_id == _DELIVERY.endpoint_id,
        asked.c.merchant_id == _DELIVERY.merchant_id,
    )
    due = (
        sa.select(*(_DELIVERY[name] for name in _NAMES), _DELIVERY.next_attempt_at, under_way)
        .select_from(WEBHOOK_DELIVERIES.outerjoin(asked, here))
        .where(_DELIVERY.state == word("pending"))
        .where(_DELIVERY.next_attempt_at <= _moment("now"), _free_at(_moment("now")))
        # Cheap, and asked first: a hanging receiver's backlog costs no look at its objects.
        .where(_DELIVERY.endpoint_id != sa.func.all(sa.bindparam("full", type_=ARRAY(ID))))
        .where(not_held_back(WEBHOOK_DELIVERIES, _DELIVERY.next_attempt_at, DELIVERY_WAITS))
        .where(_is_next())
        .order_by(_DELIVERY.next_attempt_at)
        .limit(_number(LOOKED_AT))
        .cte("due")
    )
    place = sa.func.row_number().over(
        partition_by=(due.c.merchant_id, due.c.endpoint_id),
        order_by=(due.c.next_attempt_at, due.c.event_id),
    )
    ranked = sa.select(due, place.label("place")).cte("ranked")
    return (
        sa.select(ranked)
        .where(ranked.c.place + ranked.c.under_way <= _number(ATTEMPTS_PER_ENDPOINT))
        .order_by(ranked.c.next_attempt_at)
        .limit(sa.bindparam("free", type_=sa.Integer))
        .cte("chosen")
    )


def _lease_statement() -> sa.Select[Any]:
    chosen = _chosen()
    leased = (
        sa.update(WEBHOOK_DELIVERIES)
        .values(leased_until=_moment("until"))
        .where(_same(_DELIVERY, chosen.c), _DELIVERY.state == word("pending"))
        # Asked again under the row's lock: another worker may have been faster.
        .where(_free_at(_moment("now")))
        .returning(*(_DELIVERY[name] for name in _NAMES), _DELIVERY.attempts)
        .cte("leased")
    )
    endpoint, event = WEBHOOK_ENDPOINTS.c, EVENTS.c
    to_endpoint = sa.and_(
        endpoint.id == leased.c.endpoint_id, endpoint.merchant_id == leased.c.merchant_id
    )
    to_event = sa.and_(event.id == leased.c.event_id, event.merchant_id == leased.c.merchant_id)
    clock = TEST_CLOCKS.c
    of_clock = sa.and_(
        clock.merchant_id == endpoint.merchant_id, clock.livemode == endpoint.livemode
    )
    of_merchant = MERCHANTS.c.id == endpoint.merchant_id
    is_gone = sa.or_(endpoint.deleted_at.is_not(None), endpoint.url.is_(None))
    closed = sa.case(
        (is_gone, word("endpoint_deleted")),
        (endpoint.status != word("enabled"), word("endpoint_disabled")),
    )
    joined = leased.join(WEBHOOK_ENDPOINTS, to_endpoint).join(EVENTS, to_event)
    return sa.select(
        leased.c.endpoint_id,
        leased.c.attempts,
        endpoint.url,
        closed.label("closed"),
        endpoint.secret_sealed,
        endpoint.previous_secret_sealed,
        endpoint.previous_secret_until,
        sa.func.coalesce(endpoint.api_version, MERCHANTS.c.api_version).label("api_version"),
        clock.frozen_time,
        *event,
    ).select_from(joined.join(MERCHANTS, of_merchant).outerjoin(TEST_CLOCKS, of_clock))


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
        .where(_same(_DELIVERY, asked.c), _DELIVERY.leased_until == asked.c.lease)
        .returning(*(_DELIVERY[name] for name in _NAMES))
        .cte("changed")
    )
    recorded = (
        sa.select(asked).select_from(asked.join(changed, _same(asked.c, changed.c))).cte("recorded")
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
        index_elements=list(_NAMES),
        set_={
            "state": word("pending"),
            "next_attempt_at": _moment("due"),
            "leased_until": sa.null(),
        },
        where=_free_at(_moment("now")),
    )


_LEASE = compile_sql(_lease_statement())
_GIVE_BACK = compile_sql(
    sa.update(WEBHOOK_DELIVERIES)
    .values(leased_until=_moment("now"))
    .where(*(_DELIVERY[name] == sa.bindparam(f"of_{name}", type_=ID) for name in _NAMES))
    .where(_DELIVERY.leased_until == _moment("lease"))
)
RECORD = _record_statement()
_REPLAY = compile_sql(_replay_statement())


async def lease_deliveries(
    transaction: Transaction,
    now: datetime,
    until: datetime,
    free: int,
    under_way: Sequence[UnderWay],
) -> list[Row]:
    """Take up to `free` due deliveries until `until`.

    Each row has the event's columns; the endpoint's endpoint_id, url, secrets, api_version
    (its own, or the merchant's pin) and `closed`, why it takes nothing any more, or None;
    attempts, the number made so far; and frozen_time, the merchant's test clock, or None.
    """
    full = [one.endpoint_id for one in under_way if one.under_way >= ATTEMPTS_PER_ENDPOINT]
    room = {"free": free, "full": full, "rows": batch(under_way)}
    return await transaction.all(_LEASE, now=now, until=until, **room)


async def give_back_delivery(
    transaction: Transaction, named: tuple[UUID, UUID, UUID], lease: datetime, now: datetime
) -> None:
    """End a lease early; `named` by event, endpoint and merchant.  A lost one is left alone."""
    of = {f"of_{name}": value for name, value in zip(_NAMES, named, strict=True)}
    await transaction.run(_GIVE_BACK, lease=lease, now=now, **of)


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
