"""Keyset pages: the statements behind every list.

A page is read from a position (sort value, id), never from an offset, so its cost does
not grow with the table (measured: notes in docs/performance.md).  Statements are built
once per shape and kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models import counting
from models.tables import METADATA
from models.tables.base import BESIDE, FILTERS, ONLY, TIE
from runtime.database import Row, Statement, Transaction, compile_sql

# What the counters of a resource are kept by.
_COUNTED_BY = frozenset({"status"})
# A row with a moment in one of these columns is gone, and no list shows it.
_GONE = ("detached_at", "deleted_at", "revoked_at", "ended_at")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: the sort value and the id of a row, which need not exist."""

    value: Any
    id: UUID


@dataclass(frozen=True, slots=True)
class PageQuery:
    """One page: `limit` rows after (or, `backwards`, before) `start` in the order `sort`.

    `sort` is a column name, with a leading `-` for descending; ties are broken by id in
    the same direction.  `filters` are equalities of columns or of
    what the table names in `info`, `since` and `until` bound created_at.
    """

    sort: str = "-created_at"
    limit: int = 25
    start: Position | None = None
    backwards: bool = False
    filters: Mapping[str, Any] = field(default_factory=dict)
    since: Any = None
    until: Any = None

    @property
    def filtered_by(self) -> frozenset[str]:
        """Names of what narrows the list, the bounds of time by their parameters' names."""
        bounds = {"created_gte": self.since, "created_lte": self.until}
        given = {name for name, bound in bounds.items() if bound is not None}
        return frozenset(self.filters) | given


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order asked for; `more` says that the direction asked goes on.

    `ended_at` is the last place that was looked at, where a look has an end of its own.
    """

    rows: Sequence[Row]
    more: bool
    ended_at: Position | None = None


async def read_page(
    transaction: Transaction, table: sa.Table, query: PageQuery, **always: Any
) -> Page:
    """Read one page of `table`; `always` are equalities that no caller chooses."""
    equal = {**always, **query.filters}
    statement = _page_statement(
        table.name, query.sort, query.backwards, tuple(equal), _bounds(query)
    )
    parameters = {**_parameters(query, equal), "limit": query.limit + 1}
    rows = await transaction.all(statement, **parameters)
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    return Page(rows[::-1] if query.backwards else rows, more)


async def read_searched_page(
    transaction: Transaction, table: sa.Table, query: PageQuery, most: int, **always: Any
) -> Page:
    """Like `read_page`, for filters without an index: looks at `most` rows and no more.

    A page that is not full by then has `ended_at`, where the next one goes on.  Sorted by
    created_at only.
    """
    horizon = await _place_after(transaction, table, query, most, always)
    if horizon is None:
        return await read_page(transaction, table, query, **always)
    bound = {"until" if query.backwards else "since": horizon.value}
    page = await read_page(transaction, table, replace(query, **bound), **always)
    end = (horizon.value, horizon.id)
    # Rows of the same millisecond may lie on either side of the end.
    within = [row for row in page.rows if _is_within(row, end, backwards=query.backwards)]
    if page.more and len(within) == len(page.rows):
        return page
    return Page(within, more=True, ended_at=horizon)


def _is_within(row: Row, end: tuple[Any, UUID], *, backwards: bool) -> bool:
    here = (row["created_at"], row["id"])
    return here <= end if backwards else here >= end


async def _place_after(
    transaction: Transaction,
    table: sa.Table,
    query: PageQuery,
    count: int,
    always: Mapping[str, Any],
) -> Position | None:
    """The place of the `count`-th row from the start, if there are more than that."""
    statement = _page_statement(
        table.name, query.sort, query.backwards, tuple(always), _bounds(query), place_only=True
    )
    parameters = {**_parameters(query, always), "limit": 2, "skipped": count - 1}
    rows = await transaction.all(statement, **parameters)
    return Position(*rows[0].values()) if len(rows) > 1 else None


def _bounds(query: PageQuery) -> tuple[bool, bool, bool]:
    return query.start is not None, query.since is not None, query.until is not None


def _parameters(query: PageQuery, equal: Mapping[str, Any]) -> dict[str, Any]:
    parameters: dict[str, Any] = {f"is_{name}": value for name, value in equal.items()}
    if query.start is not None:
        parameters |= {"start_value": query.start.value, "start_id": query.start.id}
    if query.since is not None:
        parameters["since"] = query.since
    if query.until is not None:
        parameters["until"] = query.until
    return parameters


async def read_counted_page(
    transaction: Transaction, table: sa.Table, query: PageQuery, merchant_id: UUID, livemode: bool
) -> tuple[Page, int | None]:
    """A page of a merchant's rows, and their total; None where no counter fits the filters."""
    page = await read_page(transaction, table, query, merchant_id=merchant_id, livemode=livemode)
    if not query.filtered_by <= _COUNTED_BY:
        return page, None
    status = query.filters.get("status")
    return page, await counting.total(transaction, merchant_id, livemode, table.name, status)


def cut_page(rows: Sequence[Row], query: PageQuery) -> tuple[Page, int]:
    """One page of rows that were read whole, and how many there are within the bounds of time.

    For a handful of rows that no counter counts; equalities are the reader's matter.
    """
    column = query.sort.removeprefix("-")
    descending = query.sort.startswith("-") != query.backwards

    def key(row: Row) -> tuple[Any, UUID]:
        return row[column], row["id"]

    within = [row for row in rows if _within(row, query)]
    ordered = sorted(within, key=key, reverse=descending)
    if query.start is not None:
        here = (query.start.value, query.start.id)
        ordered = [row for row in ordered if (key(row) < here if descending else key(row) > here)]
    page = ordered[: query.limit]
    more = len(ordered) > query.limit
    return Page(page[::-1] if query.backwards else page, more), len(within)


def _within(row: Row, query: PageQuery) -> bool:
    made = row["created_at"]
    return (query.since is None or made >= query.since) and (
        query.until is None or made <= query.until
    )


@cache
def _page_statement(
    table_name: str,
    sort: str,
    backwards: bool,
    equal: tuple[str, ...],
    bounds: tuple[bool, bool, bool],
    *,
    place_only: bool = False,
) -> Statement:
    table = METADATA.tables[table_name]
    column, tie = table.c[sort.removeprefix("-")], _tie(table)
    descending = sort.startswith("-") != backwards
    order = sa.desc if descending else sa.asc
    shown = (column, tie) if place_only else (table, *table.info.get(BESIDE, ()))
    statement = sa.select(*shown).where(*table.info.get(ONLY, ()))
    statement = statement.order_by(order(column), order(tie))
    for name in equal:
        column_or_filter = table.info.get(FILTERS, {}).get(name, table.c.get(name))
        given = sa.bindparam(f"is_{name}", type_=column_or_filter.type)
        statement = statement.where(column_or_filter == given)
    has_start, has_since, has_until = bounds
    if has_start:
        position = sa.tuple_(
            sa.bindparam("start_value", type_=column.type),
            sa.bindparam("start_id", type_=tie.type),
        )
        here = sa.tuple_(column, tie)
        statement = statement.where(here < position if descending else here > position)
    if has_since:
        statement = statement.where(
            table.c.created_at >= sa.bindparam("since", type_=table.c.created_at.type)
        )
    if has_until:
        statement = statement.where(
            table.c.created_at <= sa.bindparam("until", type_=table.c.created_at.type)
        )
    for gone in _GONE:
        if gone in table.c:
            statement = statement.where(table.c[gone].is_(None))
    if place_only:
        statement = statement.offset(sa.bindparam("skipped", type_=sa.BigInteger))
    return compile_sql(statement.limit(sa.bindparam("limit", type_=sa.BigInteger)))


def _tie(table: sa.Table) -> sa.ColumnElement[Any]:
    tie = table.info.get(TIE, "id")
    return table.c[tie] if isinstance(tie, str) else tie
