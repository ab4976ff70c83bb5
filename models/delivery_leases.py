"""Leasing deliveries that are due, fairly, at a cost that no backlog raises.

A lease is a conditional UPDATE of `leased_until`, whose value is also the token under
which the attempt is recorded: a worker that lost its lease records nothing.  First
attempts of one object at one endpoint are leased in the order of `sequence`, each after
the one before it has ended; that it failed holds nobody back.

`next_attempt_at` is business time (models/test_clocks.py), `leased_until` wall time.  A
first attempt is due at once, whatever the merchant's clock says; only later ones wait.

There are two ways to look.  While little is due, all of it is looked at in the order of
time.  Once more is due than one look takes in, that order would show the oldest backlog
and nothing behind it: then endpoints are walked, some in each look and all in turn, and
each shows the first of its own.  Both take from every endpoint its first before
anybody's second.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from domain.delivery_rooms import (
    ATTEMPTS_PER_ENDPOINT,
    MOST_PER_ENDPOINT,
    MOST_PER_MERCHANT,
    Endpoint,
)
from models.tables import EVENTS, MERCHANTS, TEST_CLOCKS, WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS
from models.test_clocks import not_held_back
from runtime.batches import (
    FLAG,
    ID,
    MOMENT,
    NUMBER,
    ROWS_PER_STATEMENT,
    batch,
    rows_of,
    text_of,
    word,
)
from runtime.coalescer import Lane
from runtime.database import Row, Transaction, compile_sql

# How many due deliveries one look takes in by time; endpoints that one look walks.
LOOKED_AT: Final = 256
WALKED: Final = 200

_DELIVERY = WEBHOOK_DELIVERIES.c
_CLOCK = TEST_CLOCKS.c
DELIVERY_NAME: Final = ("event_id", "endpoint_id", "merchant_id")
_BEFORE_ALL: Final = (UUID(int=0), UUID(int=0))


class Look(NamedTuple):
    """A look for up to `free` deliveries, to be held until `until`; moments are wall time.

    `rooms` says how many more attempts may begin at an endpoint, where it is not
    ATTEMPTS_PER_ENDPOINT; `full` names merchants who have enough under way.
    `after` is where the last walk ended, as (merchant, endpoint).
    """

    now: datetime
    until: datetime
    free: int
    rooms: Mapping[Endpoint, int]
    full: Sequence[UUID]
    after: tuple[UUID, UUID] | None


class Leased(NamedTuple):
    """What a look took, and where the next one walks on; `unseen` tells that there is more."""

    rows: list[Row]
    after: tuple[UUID, UUID] | None
    unseen: bool


class _Room(NamedTuple):
    endpoint_id: UUID
    merchant_id: UUID
    livemode: bool
    room: int


def same_delivery(left: Any, right: Any) -> sa.ColumnElement[bool]:
    """Whether two rows are of one delivery."""
    return sa.and_(*(left[name] == right[name] for name in DELIVERY_NAME))


def number(count: int) -> sa.ColumnElement[int]:
    """A constant number, written into the statement."""
    return sa.literal_column(str(count), sa.Integer)


def free_at(row: Any, now: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether no worker has a delivery in hand."""
    return sa.or_(row.leased_until.is_(None), row.leased_until <= now)


_NOW = sa.bindparam("now", type_=MOMENT)
_FREE = sa.bindparam("free", type_=sa.Integer)
_FULL = sa.bindparam("full", type_=ARRAY(ID))


def _is_next(row: Any) -> sa.ColumnElement[bool]:
    """No earlier event of the same object has its first attempt still to begin or to end."""
    earlier = WEBHOOK_DELIVERIES.alias()
    blocking = (
        sa.select(number(1))
        .where(earlier.c.merchant_id == row.merchant_id)
        .where(earlier.c.endpoint_id == row.endpoint_id)
        .where(earlier.c.object_id == row.object_id)
        .where(earlier.c.sequence < row.sequence)
        .where(earlier.c.state == word("pending"), earlier.c.attempts == number(0))
    )
    return ~blocking.exists()


def _due_by_time() -> sa.CTE:
    """The oldest due deliveries that may begin; the look at them ends after so many."""
    asked = rows_of(endpoint_id=ID, merchant_id=ID, livemode=FLAG, room=NUMBER)
    seen = (
        sa.select(WEBHOOK_DELIVERIES)
        .where(_DELIVERY.state == word("pending"), _DELIVERY.next_attempt_at <= _NOW)
        .order_by(_DELIVERY.next_attempt_at)
        .limit(number(LOOKED_AT))
        .cte("seen")
    )
    row = seen.c
    here = sa.and_(asked.c.endpoint_id == row.endpoint_id, asked.c.merchant_id == row.merchant_id)
    room = sa.func.coalesce(asked.c.room, number(ATTEMPTS_PER_ENDPOINT))
    return (
        sa.select(*(row[name] for name in DELIVERY_NAME), row.next_attempt_at, room.label("room"))
        .select_from(seen.outerjoin(asked, here))
        .where(free_at(row, _NOW), room > number(0), row.merchant_id != sa.func.all(_FULL))
        .where(not_held_back(seen, row.next_attempt_at, row.attempts > number(0)))
        .where(sa.or_(row.attempts > number(0), _is_next(row)))
        .cte("due")
    )


def _due_by_endpoint() -> sa.CTE:
    """The first due deliveries of each endpoint that is asked for.

    First attempts and later ones are found apart: what a test clock holds back of the
    later ones lies behind the clock's own moment, and is never looked at.
    """
    asked = rows_of(endpoint_id=ID, merchant_id=ID, livemode=FLAG, room=NUMBER)
    frozen = (
        sa.select(_CLOCK.frozen_time)
        .where(_CLOCK.merchant_id == asked.c.merchant_id, _CLOCK.livemode == asked.c.livemode)
        .correlate(asked)
        .scalar_subquery()
    )
    found = []
    for attempted, reached in (
        (0, _NOW),
        (1, sa.func.least(_NOW, sa.func.coalesce(frozen, _NOW))),
    ):
        delivery = WEBHOOK_DELIVERIES.alias()
        row = delivery.c
        first = (
            sa.select(*(row[name] for name in DELIVERY_NAME), row.next_attempt_at)
            .where(row.merchant_id == asked.c.merchant_id)
            .where(row.endpoint_id == asked.c.endpoint_id)
            .where(row.state == word("pending"))
            .where(sa.func.least(row.attempts, number(1)) == number(attempted))
            .where(row.next_attempt_at <= reached, free_at(row, _NOW))
            .where(*(() if attempted else (_is_next(row),)))
            .order_by(row.next_attempt_at)
            .limit(number(MOST_PER_ENDPOINT))
            .lateral()
        )
        found.append(sa.select(first, asked.c.room).select_from(asked.join(first, sa.true())))
    return sa.union_all(*found).cte("due")


def _chosen(due: sa.CTE) -> sa.CTE:
    """From each endpoint its first before anybody's second, and no more than there is room."""
    oldest = (due.c.next_attempt_at, due.c.event_id)
    endpoint = sa.func.row_number().over(
        partition_by=(due.c.merchant_id, due.c.endpoint_id), order_by=oldest
    )
    placed = sa.select(due, endpoint.label("place")).cte("placed")
    merchant = sa.func.row_number().over(
        partition_by=placed.c.merchant_id, order_by=(placed.c.place, placed.c.next_attempt_at)
    )
    ranked = (
        sa.select(placed, merchant.label("of_merchant"))
        .where(placed.c.place <= placed.c.room)
        .cte("ranked")
    )
    return (
        sa.select(ranked)
        .where(ranked.c.of_merchant <= number(MOST_PER_MERCHANT))
        .order_by(ranked.c.place, ranked.c.next_attempt_at)
        .limit(_FREE)
        .cte("chosen")
    )


def _leasing(due: sa.CTE) -> bytes:
    chosen = _chosen(due)
    leased = (
        sa.update(WEBHOOK_DELIVERIES)
        .values(leased_until=sa.bindparam("until", type_=MOMENT))
        .where(same_delivery(_DELIVERY, chosen.c), _DELIVERY.state == word("pending"))
        # Asked again under the row's lock: another worker may have been faster.
        .where(free_at(_DELIVERY, _NOW))
        .returning(*(_DELIVERY[name] for name in DELIVERY_NAME), _DELIVERY.attempts)
        .cte("leased")
    )
    endpoint, event = WEBHOOK_ENDPOINTS.c, EVENTS.c
    to_endpoint = sa.and_(
        endpoint.id == leased.c.endpoint_id, endpoint.merchant_id == leased.c.merchant_id
    )
    to_event = sa.and_(event.id == leased.c.event_id, event.merchant_id == leased.c.merchant_id)
    of_clock = sa.and_(
        _CLOCK.merchant_id == endpoint.merchant_id, _CLOCK.livemode == endpoint.livemode
    )
    of_merchant = MERCHANTS.c.id == endpoint.merchant_id
    is_gone = sa.or_(endpoint.deleted_at.is_not(None), endpoint.url.is_(None))
    closed = sa.case(
        (is_gone, word("endpoint_deleted")),
        (endpoint.status != word("enabled"), word("endpoint_disabled")),
    )
    joined = leased.join(WEBHOOK_ENDPOINTS, to_endpoint).join(EVENTS, to_event)
    answer = sa.select(
        leased.c.endpoint_id,
        leased.c.attempts,
        endpoint.url,
        closed.label("closed"),
        endpoint.secret_sealed,
        endpoint.previous_secret_sealed,
        endpoint.previous_secret_until,
        sa.func.coalesce(endpoint.api_version, MERCHANTS.c.api_version).label("api_version"),
        _CLOCK.frozen_time,
        *event,
    ).select_from(joined.join(MERCHANTS, of_merchant).outerjoin(TEST_CLOCKS, of_clock))
    return text_of(answer)


def _walk() -> bytes:
    """The next endpoints that have deliveries, due or waiting, each found by one look-up."""
    columns = (_DELIVERY.merchant_id, _DELIVERY.endpoint_id, _DELIVERY.livemode)
    by_endpoint = (_DELIVERY.merchant_id, _DELIVERY.endpoint_id)
    start = sa.tuple_(
        sa.bindparam("after_merchant", type_=ID), sa.bindparam("after_endpoint", type_=ID)
    )
    first = (
        sa.select(*columns, number(1).label("place"))
        .where(_DELIVERY.state == word("pending"), sa.tuple_(*by_endpoint) > start)
        .order_by(*by_endpoint)
        .limit(number(1))
        .subquery()
    )
    walked = sa.select(first).cte("walked", recursive=True)
    last = sa.tuple_(walked.c.merchant_id, walked.c.endpoint_id)
    following = (
        sa.select(*columns, (walked.c.place + number(1)).label("place"))
        .where(_DELIVERY.state == word("pending"), sa.tuple_(*by_endpoint) > last)
        .order_by(*by_endpoint)
        .limit(number(1))
        .correlate(walked)
        .lateral()
    )
    further = (
        sa.select(following)
        .select_from(walked.join(following, sa.true()))
        .where(walked.c.place < number(WALKED))
    )
    return text_of(sa.select(walked.union_all(further)))


LEASE_BY_TIME = _leasing(_due_by_time())
LEASE_BY_ENDPOINT = _leasing(_due_by_endpoint())
WALK = _walk()
_IS_MORE = text_of(
    sa.select(number(1).label("more"))
    .select_from(WEBHOOK_DELIVERIES)
    .where(_DELIVERY.state == word("pending"), _DELIVERY.next_attempt_at <= _NOW)
    .order_by(_DELIVERY.next_attempt_at)
    .offset(number(LOOKED_AT))
    .limit(number(1))
)
_GIVE_BACK = compile_sql(
    sa.update(WEBHOOK_DELIVERIES)
    .values(leased_until=_NOW)
    .where(*(_DELIVERY[name] == sa.bindparam(f"of_{name}", type_=ID) for name in DELIVERY_NAME))
    .where(_DELIVERY.leased_until == sa.bindparam("lease", type_=MOMENT))
)


async def lease_deliveries(lane: Lane, looks: Sequence[Look]) -> list[Leased]:
    """Take what each look asks for.

    Each row has the event's columns; the endpoint's endpoint_id, url, secrets, api_version
    (its own, or the merchant's pin) and `closed`, why it takes nothing any more, or None;
    attempts, the number made so far; and frozen_time, the merchant's test clock, or None.
    """
    return [await _lease(lane, look) for look in looks]


async def _lease(lane: Lane, look: Look) -> Leased:
    times = {"now": look.now, "until": look.until, "free": look.free}
    if await lane.rows(_IS_MORE, {"now": look.now}):
        return await _walk_on(lane, look, times)
    # Those with attempts under way come first and are not more than there are attempts.
    rooms = [_Room(*name, False, room) for name, room in look.rooms.items()][:ROWS_PER_STATEMENT]
    parameters = {**times, "full": list(look.full), "rows": batch(rooms)}
    return Leased(await lane.rows(LEASE_BY_TIME, parameters), None, unseen=False)


async def _walk_on(lane: Lane, look: Look, times: dict[str, Any]) -> Leased:
    merchant, endpoint = look.after or _BEFORE_ALL
    start = {"after_merchant": merchant, "after_endpoint": endpoint}
    walked = await lane.rows(WALK, start)
    full, rooms = set(look.full), []
    for row in walked:
        name = Endpoint(row["endpoint_id"], row["merchant_id"])
        room = look.rooms.get(name, ATTEMPTS_PER_ENDPOINT)
        if room > 0 and row["merchant_id"] not in full:
            rooms.append(_Room(*name, row["livemode"], room))
    rows = await lane.rows(LEASE_BY_ENDPOINT, {**times, "rows": batch(rooms)}) if rooms else []
    whole = len(walked) < WALKED
    last = None if whole else (walked[-1]["merchant_id"], walked[-1]["endpoint_id"])
    return Leased(rows, last, unseen=not whole)


async def give_back_delivery(
    transaction: Transaction, named: tuple[UUID, UUID, UUID], lease: datetime, now: datetime
) -> None:
    """End a lease early; `named` by event, endpoint and merchant.  A lost one is left alone."""
    of = {f"of_{name}": value for name, value in zip(DELIVERY_NAME, named, strict=True)}
    await transaction.run(_GIVE_BACK, lease=lease, now=now, **of)
