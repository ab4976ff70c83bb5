"""Keyset pages: the statements behind every list.

A page is read from a position (sort value, id), never from an offset, so its cost does
not grow with the table (measured: notes in docs/performance.md).  Statements are built
once per shape and kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.tables import METADATA
from runtime.database import Row, Statement, Transaction, compile_sql

# A row with a moment in one of these columns is gone, and no list shows it.
_GONE = ("detached_at", "deleted_at", "revoked_at")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: the sort value and the id of a row, which need not exist."""

    value: Any
    id: UUID


@dataclass(frozen=True, slots=True)
class PageQuery:
    """One page: `limit` rows after (or, `backwards`, before) `start` in the order `sort`.

    `sort` is a column name, with a leading `-` for descending; ties are broken by id in
    the same direction.  `filters` are equalities, `since` and `until` bound created_at.
    """

    sort: str = "-created_at"
    limit: int = 25
    start: Position | None = None
    backwards: bool = False
    filters: Mapping[str, Any] = field(default_factory=dict)
    since: Any = None
    until: Any = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order asked for; `more` says that the direction asked goes on."""

    rows: Sequence[Row]
    more: bool


async def read_page(
    transaction: Transaction, table: sa.Table, query: PageQuery, **always: Any
) -> Page:
    """Read one page of `table`; `always` are equalities that no caller chooses."""
    equal = {**always, **query.filters}
    statement = _page_statement(
        table.name,
        query.sort,
        query.backwards,
        tuple(equal),
        (query.start is not None, query.since is not None, query.until is not None),
    )
    parameters: dict[str, Any] = {f"is_{name}": value for name, value in equal.items()}
    parameters["limit"] = query.limit + 1
    if query.start is not None:
        parameters |= {"start_value": query.start.value, "start_id": query.start.id}
    if query.since is not None:
        parameters["since"] = query.since
    if query.until is not None:
        parameters["until"] = query.until
    rows = await transaction.all(statement, **parameters)
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    return Page(rows[::-1] if query.backwards else rows, more)


@cache
def _page_statement(
    table_name: str,
    sort: str,
    backwards: bool,
    equal: tuple[str, ...],
    bounds: tuple[bool, bool, bool],
) -> Statement:
    table = METADATA.tables[table_name]
    column = table.c[sort.removeprefix("-")]
    descending = sort.startswith("-") != backwards
    order = sa.desc if descending else sa.asc
    statement = sa.select(table).order_by(order(column), order(table.c.id))
    for name in equal:
        statement = statement.where(
            table.c[name] == sa.bindparam(f"is_{name}", type_=table.c[name].type)
        )
    has_start, has_since, has_until = bounds
    if has_start:
        position = sa.tuple_(
            sa.bindparam("start_value", type_=column.type),
            sa.bindparam("start_id", type_=table.c.id.type),
        )
        here = sa.tuple_(column, table.c.id)
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
    return compile_sql(statement.limit(sa.bindparam("limit", type_=sa.BigInteger)))
