"""Walks through lists while rows come and go: nothing twice, nothing lost, one order both ways.

Random rows with many equal sort values, random orders, filters and page sizes, against a
real PostgreSQL; what is read whole (models.paging.cut_page) is held to the same.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import psycopg

from domain import moments
from flows import pages
from models.paging import cut_page, read_page
from models.tables import PAYMENTS
from runtime.database import Database, Row
from tests.races.rush import seeded

WALKS = 60
ROWS_MAX = 40
NOON = datetime(2026, 4, 11, 12, tzinfo=UTC)
MERCHANT, OTHER = UUID(int=1), UUID(int=2)
SORTS = ("created_at", "-created_at", "amount", "-amount")
INSERT = b"""
INSERT INTO payments (id, merchant_id, livemode, amount, currency, status, capture,
    payment_method_id, is_token, metadata, idempotency_key, attempt_id, created_at)
VALUES (%(id)s, %(merchant_id)s, %(livemode)s, %(amount)s, 'usd', %(status)s, true,
    %(id)s, false, '{}', %(id)s, %(id)s, %(created_at)s)
"""


class Shelf(Protocol):
    """Where the rows of one list are."""

    async def put(self, row: Row) -> None: ...

    async def take(self, identifier: UUID) -> None: ...

    async def page(self, query: dict[str, Any]) -> dict[str, Any]: ...


class Stored:
    """Payments in PostgreSQL, among those of others, paged by the list's own flow."""

    def __init__(self, database: Database, other: "psycopg.AsyncConnection[Any]") -> None:
        self._database, self._other = database, other

    async def put(self, row: Row) -> None:
        for merchant_id, livemode in ((MERCHANT, False), (OTHER, False), (MERCHANT, True)):
            number = row["id"].int ^ (merchant_id.int << 1 | livemode) ^ MERCHANT.int << 1
            whose = {"id": UUID(int=number), "merchant_id": merchant_id, "livemode": livemode}
            await self._other.execute(INSERT, {**row, **whose})

    async def take(self, identifier: UUID) -> None:
        await self._other.execute(b"DELETE FROM payments WHERE id = %s", [identifier])

    async def page(self, query: dict[str, Any]) -> dict[str, Any]:
        asked = pages.ask(query, {"status": query.get("status")})
        async with self._database.reading() as transaction:
            page = await read_page(
                transaction, PAYMENTS, asked.page, merchant_id=MERCHANT, livemode=False
            )
        return pages.envelope(asked, page, dict, None)


class Held:
    """Rows that are read whole."""

    def __init__(self) -> None:
        self._rows: dict[UUID, Row] = {}

    async def put(self, row: Row) -> None:
        self._rows[row["id"]] = row

    async def take(self, identifier: UUID) -> None:
        del self._rows[identifier]

    async def page(self, query: dict[str, Any]) -> dict[str, Any]:
        asked = pages.ask(query, {"status": query.get("status")})
        status = query.get("status")
        rows = [row for row in self._rows.values() if status in (None, row["status"])]
        page, total = cut_page(rows, asked.page)
        return pages.envelope(asked, page, dict, total)


class Walk:
    """One list, one order, and what happens to its rows meanwhile."""

    def __init__(self, shelf: Shelf, chance: random.Random) -> None:
        self._shelf, self._chance = shelf, chance
        self.rows: dict[UUID, Row] = {}
        self.gone: set[UUID] = set()
        self.query: dict[str, Any] = {"sort": chance.choice(SORTS)}
        if chance.random() < 0.3:
            self.query["status"] = "captured"
        for bound in ("created_gte", "created_lte"):
            if chance.random() < 0.3:
                self.query[bound] = moments.to_text(self._moment())

    def _moment(self) -> datetime:
        # Few different ones, so that ids decide often.
        return NOON + timedelta(milliseconds=self._chance.randrange(6))

    async def put(self) -> None:
        identifier = UUID(int=self._chance.getrandbits(128))
        row = {
            "id": identifier,
            "amount": 50 + self._chance.randrange(5),
            "status": self._chance.choice(["captured", "failed"]),
            "created_at": self._moment(),
        }
        self.rows[identifier] = row
        await self._shelf.put(row)

    async def disturb(self) -> None:
        """Rows come and go between two pages."""
        while self._chance.random() < 0.4:
            there = sorted(self.present())
            if there and self._chance.random() < 0.5:
                identifier = self._chance.choice(there)
                self.gone.add(identifier)
                await self._shelf.take(identifier)
            else:
                await self.put()

    def present(self) -> set[UUID]:
        return self.rows.keys() - self.gone

    def _bound(self, name: str) -> datetime | None:
        text = self.query.get(name)
        return None if text is None else moments.from_text(text)

    def wanted(self) -> set[UUID]:
        """Every row that this list is about."""
        since, until = (self._bound(name) for name in ("created_gte", "created_lte"))
        return {
            row["id"]
            for row in self.rows.values()
            if self.query.get("status") in (None, row["status"])
            and (since is None or row["created_at"] >= since)
            and (until is None or row["created_at"] <= until)
        }

    def in_order(self, identifiers: list[UUID]) -> list[UUID]:
        sort = self.query["sort"]
        column = sort.removeprefix("-")
        return sorted(
            identifiers,
            key=lambda each: (self.rows[each][column], each),
            reverse=sort.startswith("-"),
        )

    async def _page(self, **cursor: str | None) -> dict[str, Any]:
        query = {**self.query, **cursor, "limit": self._chance.randint(1, 9)}
        page = await self._shelf.page(query)
        assert len(page["data"]) <= query["limit"]
        return page

    async def forwards(self) -> tuple[list[UUID], dict[str, Any], set[UUID]]:
        """What a reader sees from the first page to the end; the last page that had rows, and
        what was there when it was read."""
        seen: list[UUID] = []
        page = last = await self._page()
        there = self.present()
        while True:
            if page["data"]:
                last, there = page, self.present()
            seen += [row["id"] for row in page["data"]]
            assert page["has_more"] == (page["next_cursor"] is not None)
            if not page["has_more"]:
                return seen, last, there
            await self.disturb()
            page = await self._page(starting_after=page["next_cursor"])

    async def backwards(self, last: dict[str, Any]) -> list[UUID]:
        """What a reader sees from the last page back to the first, in the list's order."""
        seen, page = [row["id"] for row in last["data"]], last
        while page["prev_cursor"] is not None:
            await self.disturb()
            page = await self._page(ending_before=page["prev_cursor"])
            assert page["data"] or not page["has_more"]
            seen = [row["id"] for row in page["data"]] + seen
        return seen


async def walk_both_ways(shelf: Shelf, chance: random.Random) -> int:
    """One walk there and back; the number of rows that were seen."""
    walk = Walk(shelf, chance)
    for _ in range(chance.randrange(ROWS_MAX)):
        await walk.put()
    there = set(walk.rows)
    onward, last, kept = await walk.forwards()
    held_to(walk, onward, walk.wanted() & there - walk.gone)
    back = await walk.backwards(last)
    # The way back begins at the last page: what came behind it since is not on it.
    behind = walk.in_order([*walk.wanted(), *onward[-1:]])
    behind = behind[behind.index(onward[-1]) + 1 :] if onward else behind
    held_to(walk, back, (walk.wanted() & kept - walk.gone) - set(behind))
    await clear(walk, shelf)
    return len(onward)


def held_to(walk: Walk, seen: list[UUID], throughout: set[UUID]) -> None:
    assert len(seen) == len(set(seen)), "no row twice"
    assert set(seen) <= walk.wanted(), "no row of another filter, merchant or mode"
    assert throughout <= set(seen), "no row lost that was there all the time"
    assert seen == walk.in_order(seen), "one order"


async def clear(walk: Walk, shelf: Shelf) -> None:
    for identifier in walk.present():
        await shelf.take(identifier)


@asynccontextmanager
async def stored(dsn: str) -> AsyncIterator[Stored]:
    database = Database(dsn)
    await database.open()
    try:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as other:
            yield Stored(database, other)
    finally:
        await database.close()


def test_walks_through_stored_rows(main_database: str) -> None:
    chance = seeded("walks")

    async def run() -> int:
        async with stored(main_database) as shelf:
            return sum([await walk_both_ways(shelf, chance) for _ in range(WALKS)])

    assert asyncio.run(run()) > ROWS_MAX


def test_walks_through_rows_that_are_read_whole() -> None:
    chance = seeded("held-walks")

    async def run() -> int:
        return sum([await walk_both_ways(Held(), chance) for _ in range(WALKS * 10)])

    assert asyncio.run(run()) > ROWS_MAX * 10


def test_the_total_of_rows_that_are_read_whole_counts_what_is_within_the_bounds() -> None:
    async def run() -> list[int]:
        shelf = Held()
        for second in range(5):
            made = NOON + timedelta(seconds=second)
            row = {"id": UUID(int=second), "amount": 50, "status": "captured", "created_at": made}
            await shelf.put(row)
        bounds: list[dict[str, Any]] = [
            {},
            {"created_gte": "2026-04-11T12:00:03Z"},
            {"created_lte": "2026-04-11T14:00:01+02:00"},
        ]
        return [(await shelf.page({**query, "limit": 1}))["total_count"] for query in bounds]

    assert asyncio.run(run()) == [5, 2, 2]
