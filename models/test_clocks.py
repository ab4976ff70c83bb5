"""The business clock of a merchant: the wall clock, unless a test clock holds it.

Work that waits keeps its due moment in a column of business time; `FOLLOWING` lists them.
Workers find work through indexes on these columns and the wall clock, so a clock that is
moved forward pulls the due moments that it passes to the present, and `not_held_back`
keeps work from starting before the merchant's clock reaches it.  Work that is due at once
is written with `due_at_once`: no clock may stand before it.

What holds at rest (docs/decisions/0022-business-clock.md): a due moment that the clock has
reached lies in the past of the wall clock too.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.tables import (
    DISPUTES,
    HOLDS,
    PAYMENTS,
    PAYOUT_SCHEDULES,
    PAYOUTS,
    REFUNDS,
    TEST_CLOCKS,
    WEBHOOK_DELIVERIES,
)
from runtime.batches import ID, MOMENT, word
from runtime.database import Row, Statement, Transaction, compile_sql

_CLOCK = TEST_CLOCKS.c
_ONE: sa.ColumnElement[int] = sa.literal_column("1")
_NO_TIME: sa.ColumnElement[Any] = sa.literal_column("interval '0'")
# How many merchants one look for left-behind work answers with.
_MERCHANTS_PER_LOOK: sa.ColumnElement[int] = sa.literal_column("100")


class Following(NamedTuple):
    """A due moment that follows the business clock, and which rows of its table wait for it."""

    column: sa.Column[Any]
    waits: sa.ColumnElement[bool]


# A first attempt never waits: it is due when its event happens, on whichever clock.
DELIVERY_WAITS: Final = sa.and_(
    WEBHOOK_DELIVERIES.c.state == word("pending"),
    WEBHOOK_DELIVERIES.c.attempts > sa.literal_column("0"),
)
FOLLOWING: Final = (
    Following(WEBHOOK_DELIVERIES.c.next_attempt_at, DELIVERY_WAITS),
    Following(REFUNDS.c.settle_at, REFUNDS.c.settle_at.is_not(None)),
    Following(DISPUTES.c.work_at, DISPUTES.c.work_at.is_not(None)),
    Following(PAYMENTS.c.expires_at, PAYMENTS.c.expires_at.is_not(None)),
    Following(PAYOUT_SCHEDULES.c.run_at, PAYOUT_SCHEDULES.c.run_at.is_not(None)),
    Following(PAYOUTS.c.arrives_at, PAYOUTS.c.arrives_at.is_not(None)),
    Following(HOLDS.c.end_at, HOLDS.c.end_at.is_not(None)),
)

_MERCHANT = sa.bindparam("of_merchant", type_=ID)
_NOW = sa.bindparam("now", type_=MOMENT)
_FROZEN = sa.bindparam("frozen_time", type_=MOMENT)


def _pull(following: Following) -> Statement:
    table, due = following.column.table, following.column
    return compile_sql(
        sa.update(table)
        .values({due.name: _NOW})
        .where(table.c.merchant_id == _MERCHANT, ~table.c.livemode, following.waits)
        .where(due > _NOW, due <= _FROZEN)
    )


def _shift(following: Following) -> Statement:
    """What the clock has not reached waits as long as it had left; what it has waits no more."""
    table, due = following.column.table, following.column
    return compile_sql(
        sa.update(table)
        .values({due.name: _NOW + sa.func.greatest(due - _FROZEN, _NO_TIME)})
        .where(table.c.merchant_id == _MERCHANT, ~table.c.livemode, following.waits)
        .where(due > sa.func.least(_FROZEN, _NOW))
    )


def _left_behind() -> sa.sql.ClauseElement:
    """Merchants with work that their clock has reached and no index shows yet."""
    looks = []
    for due, waits in FOLLOWING:
        table = due.table
        looks.append(
            sa.select(_CLOCK.merchant_id)
            .join(table, table.c.merchant_id == _CLOCK.merchant_id)
            .where(_CLOCK.frozen_time > _NOW, ~table.c.livemode, waits)
            .where(due > _NOW, due <= _CLOCK.frozen_time)
        )
    return sa.union(*looks).limit(_MERCHANTS_PER_LOOK)


_OF_MERCHANT = (_CLOCK.merchant_id == _MERCHANT, ~_CLOCK.livemode)
_THIS_ONE = (*_OF_MERCHANT, _CLOCK.id == sa.bindparam("of_id", type_=ID))
_FROZEN_TIME = sa.select(_CLOCK.frozen_time).where(*_OF_MERCHANT)
_LOOK = compile_sql(_FROZEN_TIME)
_HOLD = compile_sql(_FROZEN_TIME.with_for_update(read=True, key_share=True))
_READ = compile_sql(sa.select(TEST_CLOCKS).where(*_THIS_ONE))
# Two changes of one clock wait for each other.  Whoever reckons with the clock holds it
# FOR KEY SHARE, which an advance lets pass and a deletion waits for.
_LOCK = compile_sql(sa.select(TEST_CLOCKS).where(*_THIS_ONE).with_for_update(key_share=True))
_LOCK_ANY = compile_sql(sa.select(TEST_CLOCKS).where(*_OF_MERCHANT).with_for_update(key_share=True))
_LOCK_ALONE = compile_sql(sa.select(TEST_CLOCKS).where(*_THIS_ONE).with_for_update())
_INSERT = compile_sql(
    insert(TEST_CLOCKS)
    .values({column.name: sa.bindparam(column.name, type_=column.type) for column in _CLOCK})
    .on_conflict_do_nothing()
    .returning(*_CLOCK)
)
_MOVE = compile_sql(
    sa.update(TEST_CLOCKS).values(frozen_time=_FROZEN).where(*_THIS_ONE).returning(*_CLOCK)
)
_DELETE = compile_sql(sa.delete(TEST_CLOCKS).where(*_THIS_ONE))
_PULLS: Final = tuple(_pull(following) for following in FOLLOWING)
_SHIFTS: Final = tuple(_shift(following) for following in FOLLOWING)
_LEFT_BEHIND = compile_sql(_left_behind())


async def business_now(
    transaction: Transaction, merchant_id: UUID, livemode: bool, now: datetime
) -> datetime:
    """The merchant's own moment; `now` is the wall clock's, which live mode always keeps.

    The clock stays until the transaction ends, so that what is reckoned from it is shifted
    with all the rest when it is deleted.  Ask before locking a row that waits: a deletion
    takes the clock first and such rows after it.
    """
    return await _business_now(transaction, _HOLD, merchant_id, livemode, now)


async def due_at_once(
    transaction: Transaction, merchant_id: UUID, livemode: bool, now: datetime
) -> datetime:
    """The due moment of work that waits for nothing, on the wall clock and the merchant's."""
    return min(now, await _business_now(transaction, _LOOK, merchant_id, livemode, now))


async def _business_now(
    transaction: Transaction, read: Statement, merchant_id: UUID, livemode: bool, now: datetime
) -> datetime:
    row = None if livemode else await transaction.maybe(read, of_merchant=merchant_id)
    return now if row is None else row["frozen_time"]


def frozen_time_for(row: sa.FromClause) -> sa.ScalarSelect[Any]:
    """Where the test clock of a row's merchant stands, NULL without one, inside a statement.

    The clock stays until the statement's transaction ends, as with `business_now`.
    """
    return (
        sa.select(_CLOCK.frozen_time)
        .where(_CLOCK.merchant_id == row.c.merchant_id, _CLOCK.livemode == row.c.livemode)
        .with_for_update(read=True, key_share=True)
        .correlate(row)
        .scalar_subquery()
    )


def clock_of(merchant: sa.BindParameter[UUID], mode: sa.BindParameter[bool]) -> sa.CTE:
    """Where a merchant's test clock stands, `frozen_time`; no row without one.

    As with `business_now` the clock stays until the transaction ends.  A statement that
    joins this locks it before the rows that it locks itself: those come after its joins.
    """
    return (
        sa.select(_CLOCK.frozen_time)
        .where(_CLOCK.merchant_id == merchant, _CLOCK.livemode == mode)
        .with_for_update(read=True, key_share=True)
        .cte("clock")
    )


def not_held_back(
    table: sa.FromClause, due: sa.ColumnElement[Any], *waits: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    """For a worker's look at `table`: no test clock of the row's merchant stands before `due`.

    `waits` narrows it to the rows that wait for that moment; the others are never held back.
    """
    before: sa.Select[Any] = (
        sa.select(_ONE)
        .where(_CLOCK.merchant_id == table.c.merchant_id)
        .where(_CLOCK.livemode == table.c.livemode)
        .where(_CLOCK.frozen_time < due, *waits)
        .correlate(table)
    )
    return ~before.exists()


async def insert_clock(transaction: Transaction, **columns: Any) -> Row | None:
    """Add a clock; None when the merchant has one.  The keywords are its columns."""
    return await transaction.maybe(_INSERT, **columns)


async def read_clock(transaction: Transaction, merchant_id: UUID, clock_id: UUID) -> Row | None:
    """The merchant's clock, if it has this id."""
    return await transaction.maybe(_READ, of_merchant=merchant_id, of_id=clock_id)


async def lock_clock(
    transaction: Transaction, merchant_id: UUID, clock_id: UUID, *, to_delete: bool = False
) -> Row | None:
    """The merchant's clock; nobody else moves it before this transaction ends."""
    lock = _LOCK_ALONE if to_delete else _LOCK
    return await transaction.maybe(lock, of_merchant=merchant_id, of_id=clock_id)


async def move_clock(transaction: Transaction, clock: Row, to: datetime, now: datetime) -> Row:
    """Move a locked clock forward, and pull what it passes to the present."""
    this_one = {"of_merchant": clock["merchant_id"], "of_id": clock["id"]}
    moved = await transaction.one(_MOVE, frozen_time=to, **this_one)
    await pull_forward(transaction, moved, now)
    return moved


async def pull_forward(transaction: Transaction, clock: Row, now: datetime) -> int:
    """Have the workers see what this clock has reached; how many due moments that moved."""
    reached = {"of_merchant": clock["merchant_id"], "frozen_time": clock["frozen_time"]}
    return sum([await transaction.run(pull, now=now, **reached) for pull in _PULLS])


async def delete_clock(transaction: Transaction, clock: Row, now: datetime) -> None:
    """Go back to the wall clock: what waits, waits as long as it had left."""
    reached = {"of_merchant": clock["merchant_id"], "frozen_time": clock["frozen_time"]}
    for shift in _SHIFTS:
        await transaction.run(shift, now=now, **reached)
    await transaction.run(_DELETE, of_merchant=clock["merchant_id"], of_id=clock["id"])


async def merchants_left_behind(transaction: Transaction, now: datetime) -> list[UUID]:
    """Merchants whose clock has passed a due moment that was not pulled forward."""
    return [row["merchant_id"] for row in await transaction.all(_LEFT_BEHIND, now=now)]


async def catch_up(transaction: Transaction, merchant_id: UUID, now: datetime) -> int:
    """Pull forward what the merchant's clock has reached; 0 where it is gone."""
    clock = await transaction.maybe(_LOCK_ANY, of_merchant=merchant_id)
    return 0 if clock is None else await pull_forward(transaction, clock, now)
