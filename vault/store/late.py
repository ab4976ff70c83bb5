"""Attempts that were given up and that a network may yet decide: asked about until it is over.

A network that knew of no such attempt when it was given up may have had it in a queue, or in
the buffer of a connection.  The rows are leased: whoever moves `look_again_at` has the look.
"""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from runtime.batches import seconds, word
from runtime.database import Database, Statement, compile_sql
from vault.store.tables import attempts

FIRST_LOOK_SECONDS = 5
# From look to look a quarter of the attempt's age, and longer than a look takes.
SHORTEST_PAUSE_SECONDS = 10
PARTS_OF_AGE = 4
# What a network still does not know of after a day, it never will.
OLD_AFTER_SECONDS = 24 * 3600
# No more due rows than this are counted.
COUNTED = 10_000

_NOW = sa.func.now()


class GivenUp(NamedTuple):
    """An authorisation that was told never to have begun.

    `is_old`: a network that does not know of it is not asked again.
    """

    id: UUID
    merchant_id: UUID
    livemode: bool
    payment_id: UUID
    network: str
    is_old: bool


def _lease() -> sa.sql.ClauseElement:
    due = sa.and_(attempts.c.look_again_at.isnot(None), attempts.c.look_again_at <= _NOW)
    chosen = (
        sa.select(attempts.c.id, attempts.c.merchant_id)
        .where(due)
        .order_by(attempts.c.look_again_at)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .cte("chosen")
    )
    age = _NOW - attempts.c.created_at
    part = sa.literal_column(f"(now() - attempts.created_at) / {PARTS_OF_AGE}", sa.Interval)
    pause = sa.func.greatest(part, seconds(SHORTEST_PAUSE_SECONDS))
    is_old = (age > seconds(OLD_AFTER_SECONDS)).label("is_old")
    named = ("id", "merchant_id", "livemode", "payment_id", "network")
    return (
        sa.update(attempts)
        .values(look_again_at=_NOW + pause)
        .where(attempts.c.id == chosen.c.id, attempts.c.merchant_id == chosen.c.merchant_id)
        # Asked again under the row's lock: another process may have been faster.
        .where(due, attempts.c.state == word("fenced"))
        .returning(*(attempts.c[name] for name in named), is_old)
    )


def _look_at(moment: sa.ColumnElement[Any]) -> sa.sql.ClauseElement:
    return (
        sa.update(attempts)
        .values(look_again_at=moment)
        .where(
            attempts.c.id == sa.bindparam("attempt_id"),
            attempts.c.merchant_id == sa.bindparam("merchant_id"),
            attempts.c.state == word("fenced"),
        )
    )


def _backlog() -> sa.sql.ClauseElement:
    due = (
        sa.select(attempts.c.look_again_at)
        .where(attempts.c.look_again_at <= _NOW, attempts.c.state == word("fenced"))
        .order_by(attempts.c.look_again_at)
        .limit(sa.literal_column(str(COUNTED)))
        .subquery()
    )
    return sa.select(
        sa.func.count().label("due"),
        sa.func.min(due.c.look_again_at).label("oldest"),
        _NOW.label("now"),
    ).select_from(due)


_LEASE = compile_sql(_lease())
_BACKLOG = compile_sql(_backlog())
_LOOK_NOW = compile_sql(_look_at(_NOW))
_LOOK_NO_MORE = compile_sql(_look_at(sa.null()))


class Due(NamedTuple):
    """How many attempts are to be asked about `now`, by the database, and since when the oldest."""

    due: int
    oldest: datetime | None
    now: datetime


class LateStore:
    """Hands out what is to be asked about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lease(self, most: int) -> list[GivenUp]:
        """Up to `most` attempts that are due; each is due again after a pause."""
        async with self._database.transaction() as transaction:
            rows = await transaction.all(_LEASE, most=most)
        return [GivenUp(**row) for row in rows]

    async def backlog(self) -> Due:
        """What is due and was not leased yet, counted to `COUNTED`."""
        async with self._database.transaction() as transaction:
            return Due(**await transaction.one(_BACKLOG))

    async def look_now(self, attempt_id: UUID, merchant_id: UUID) -> None:
        """The network has decided it after all."""
        await self._look(_LOOK_NOW, attempt_id, merchant_id)

    async def look_no_more(self, attempt: GivenUp) -> None:
        """Nothing will come of it any more, or what came was given back."""
        await self._look(_LOOK_NO_MORE, attempt.id, attempt.merchant_id)

    async def _look(self, statement: Statement, attempt_id: UUID, merchant_id: UUID) -> None:
        async with self._database.transaction() as transaction:
            await transaction.run(statement, attempt_id=attempt_id, merchant_id=merchant_id)
