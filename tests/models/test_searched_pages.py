"""Filters without an index: however little they find, nothing is lost and nothing comes twice."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import psycopg
import pytest

from models.paging import Page, PageQuery, Position, read_searched_page
from models.tables import AUDIT_ENTRIES
from runtime.database import Database, Row
from runtime.ids import uuid7

ENTRIES = 120
MOMENTS = 15
SEED = 20261101
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
OWNER, OTHER = uuid7(), uuid7()


@pytest.fixture(scope="module")
def entries(main_database: str) -> list[UUID]:
    """The owner's entries with status 500, newest first; many share their millisecond."""
    chance = random.Random(SEED)
    rows = []
    for number in range(ENTRIES):
        moment = NOON + timedelta(milliseconds=chance.randrange(MOMENTS))
        status = chance.choice([200, 200, 200, 500])
        owner = OWNER if number % 4 else OTHER
        rows.append((uuid7(), owner, orjson.dumps({"status_code": status}).decode(), moment))
    with psycopg.connect(main_database, autocommit=True) as connection:
        connection.cursor().executemany(
            "INSERT INTO audit_entries (id, merchant_id, livemode, entry, created_at)"
            " VALUES (%s, %s, false, %s, %s)",
            rows,
        )
    wanted = [row for row in rows if row[1] == OWNER and "500" in row[2]]
    return [row[0] for row in sorted(wanted, key=lambda row: (row[3], row[0]), reverse=True)]


async def walked(database: Database, query: PageQuery, most: int) -> list[Row]:
    """Every row from the start on, page after page."""
    found: list[Row] = []
    for _ in range(ENTRIES * 2):
        async with database.reading() as transaction:
            page = await read_searched_page(
                transaction, AUDIT_ENTRIES, query, most, merchant_id=OWNER, livemode=False
            )
        assert len(page.rows) <= query.limit
        rows = list(page.rows)
        found = rows + found if query.backwards else found + rows
        if not page.more:
            assert page.ended_at is None
            return found
        query = replace(query, start=onwards(page, backwards=query.backwards))
    raise AssertionError("the walk does not end")


def onwards(page: Page, *, backwards: bool) -> Position:
    if page.ended_at is not None:
        return page.ended_at
    row = page.rows[0 if backwards else -1]
    return Position(row["created_at"], row["id"])


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("most", [1, 2, 7, 50, ENTRIES * 2])
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_a_walk_finds_everything_once(
    main_database: str, entries: list[UUID], limit: int, most: int, backwards: bool
) -> None:
    print(f"seed {SEED}")
    start = Position(NOON - timedelta(days=1), UUID(int=0)) if backwards else None
    query = PageQuery(limit=limit, start=start, backwards=backwards, filters={"status_code": 500})

    async def scenario() -> list[Row]:
        database = Database(main_database)
        await database.open()
        try:
            return await walked(database, query, most)
        finally:
            await database.close()

    assert [row["id"] for row in asyncio.run(scenario())] == entries


def test_a_page_looks_at_so_many_and_no_more(main_database: str, entries: list[UUID]) -> None:
    query = PageQuery(limit=5, filters={"status_code": 418})

    async def scenario() -> Page:
        database = Database(main_database)
        await database.open()
        try:
            async with database.reading() as transaction:
                return await read_searched_page(
                    transaction, AUDIT_ENTRIES, query, 10, merchant_id=OWNER, livemode=False
                )
        finally:
            await database.close()

    page = asyncio.run(scenario())
    assert (page.rows, page.more) == ([], True) and page.ended_at is not None
