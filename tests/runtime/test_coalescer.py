"""Coalesced writes: all that waits goes out together, and a bad row harms only itself."""

import asyncio
import random
from collections.abc import Sequence
from typing import NamedTuple

import psycopg
import pytest
import sqlalchemy as sa

from runtime.batches import NUMBER, ROWS_PER_STATEMENT, TEXT, batch, rows_of, text_of
from runtime.coalescer import Coalescer, Lane, lanes
from runtime.database import DatabaseUnavailable

SEED = 20261122
ROWS = 600
# Of 10 s, after which PostgreSQL ends a statement.
PATIENT_SECONDS = 5.0


class Item(NamedTuple):
    owner: str
    number: int


ITEMS = sa.table("items", sa.column("owner", TEXT), sa.column("number", NUMBER))


def _statement() -> bytes:
    asked = rows_of(owner=TEXT, number=NUMBER)
    written = (
        sa.insert(ITEMS)
        .from_select(["owner", "number"], sa.select(asked))
        .returning(ITEMS.c.number)
        .cte("written")
    )
    return text_of(sa.select(written.c.number))


class Table:
    """A table that takes no number twice and none below zero; it remembers its batches."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.batches: list[list[Item]] = []
        # How many statements from now on lose their connection.
        self.cut_off = 0
        self._statement = _statement()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS items")
            connection.execute(
                "CREATE TABLE items (owner text, number int UNIQUE CHECK (number >= 0))"
            )

    async def write(self, lane: Lane, items: Sequence[Item]) -> list[int]:
        self.batches.append(list(items))
        if self.cut_off:
            self.cut_off -= 1
            raise psycopg.OperationalError("the connection is lost")
        rows = await lane.rows(self._statement, {"rows": batch(items)})
        written = {row["number"] for row in rows}
        return [item.number if item.number in written else -1 for item in items]

    def numbers(self) -> list[int]:
        with psycopg.connect(self.url) as connection:
            rows = connection.execute("SELECT number FROM items ORDER BY number").fetchall()
        return [row[0] for row in rows]


@pytest.fixture
def table(database_url: str) -> Table:
    return Table(database_url)


def _coalescer(table: Table, **options: object) -> Coalescer[Item, int]:
    return Coalescer(
        table.write,
        lanes(table.url, 0),
        sort_key=lambda item: item,
        **options,  # type: ignore[arg-type]
    )


def test_what_waits_together_goes_out_together_and_each_gets_its_own_answer(table: Table) -> None:
    numbers = list(range(ROWS))
    random.Random(SEED).shuffle(numbers)

    async def run() -> list[int]:
        coalescer = _coalescer(table)
        answers = await asyncio.gather(*(coalescer.submit(Item("a", n)) for n in numbers))
        await coalescer.close()
        return answers

    assert asyncio.run(run()) == numbers, f"seed {SEED}"
    assert table.numbers() == sorted(numbers)
    assert max(len(rows) for rows in table.batches) <= ROWS_PER_STATEMENT
    assert len(table.batches) < ROWS / 10


def test_a_batch_touches_its_rows_in_order(table: Table) -> None:
    async def run() -> None:
        coalescer = _coalescer(table)
        await asyncio.gather(*(coalescer.submit(Item("a", n)) for n in (5, 1, 4, 2, 3)))
        await coalescer.close()

    asyncio.run(run())
    assert table.batches[0] == sorted(table.batches[0])


def test_a_row_that_is_refused_harms_only_itself(table: Table) -> None:
    async def run() -> list[int | BaseException]:
        coalescer = _coalescer(table)
        waiting = [coalescer.submit(Item("a", n)) for n in (1, 2, -7, 3, 2, 4)]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        await coalescer.close()
        return answers

    answers = asyncio.run(run())
    assert [answer for answer in answers if isinstance(answer, int)] == [1, 2, 3, 4]
    assert isinstance(answers[2], psycopg.errors.CheckViolation)
    assert isinstance(answers[4], psycopg.errors.UniqueViolation)
    assert table.numbers() == [1, 2, 3, 4]


@pytest.mark.parametrize("cut_off", [0, 1])
def test_a_row_that_waits_for_a_lock_keeps_the_others_for_a_moment_only(
    table: Table, cut_off: int
) -> None:
    table.cut_off = cut_off

    async def run(other: psycopg.Connection[object]) -> list[int | BaseException]:
        coalescer = _coalescer(table)
        waiting = [coalescer.submit(Item("a", n)) for n in (1, 2, 3, 4)]
        async with asyncio.timeout(PATIENT_SECONDS):
            answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert table.numbers() == [1, 2, 4]
        other.rollback()
        # With the patience of before.
        assert await coalescer.submit(Item("a", 3)) == 3
        await coalescer.close()
        return answers

    with psycopg.connect(table.url) as other:
        other.execute("INSERT INTO items VALUES ('b', 3)")
        answers = asyncio.run(run(other))
    assert [answer for answer in answers if isinstance(answer, int)] == [1, 2, 4]
    assert isinstance(answers[2], DatabaseUnavailable)
    assert [len(rows) for rows in table.batches] == [4] * cut_off + [4, 1, 1, 1, 1, 1]


def test_a_caller_that_goes_away_does_not_lose_the_others(table: Table) -> None:
    async def run() -> int:
        coalescer = _coalescer(table)
        leaving = coalescer.submit(Item("a", 1))
        staying = coalescer.submit(Item("a", 2))
        leaving.cancel()
        answer = await staying
        await coalescer.close()
        return answer

    assert asyncio.run(run()) == 2
    assert table.numbers() == [1, 2]


def test_groups_are_kept_out_of_each_others_statements(table: Table) -> None:
    async def run() -> None:
        coalescer = _coalescer(table, group_key=lambda item: item.owner)
        owners = ["a", "b", "c"] * 20
        items = [Item(owner, number) for number, owner in enumerate(owners)]
        await asyncio.gather(*(coalescer.submit(item) for item in items))
        await coalescer.close()

    asyncio.run(run())
    assert len(table.numbers()) == 60
    assert all(len({item.owner for item in rows}) == 1 for rows in table.batches)


def test_a_lost_connection_is_made_anew_and_the_rows_are_written(table: Table) -> None:
    async def run() -> list[int]:
        coalescer = _coalescer(table)
        await coalescer.submit(Item("a", 1))
        with psycopg.connect(table.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        answers = await asyncio.gather(*(coalescer.submit(Item("a", n)) for n in (2, 3)))
        await coalescer.close()
        return answers

    assert asyncio.run(run()) == [2, 3]
    assert table.numbers() == [1, 2, 3]


def test_a_server_that_is_not_there_is_said_to_be_unavailable() -> None:
    async def write(lane: Lane, items: Sequence[Item]) -> list[int]:
        await lane.rows(b"SELECT 1", {})
        return [0] * len(items)

    async def run() -> None:
        nowhere = [Lane("postgresql://nobody@127.0.0.1:1/none", 0)]
        coalescer: Coalescer[Item, int] = Coalescer(write, nowhere, sort_key=lambda item: item)
        with pytest.raises(DatabaseUnavailable):
            await coalescer.submit(Item("a", 1))
        await coalescer.close()

    asyncio.run(run())


def test_rows_that_may_gather_do(table: Table) -> None:
    async def run() -> None:
        coalescer = _coalescer(table, gather_seconds=1.0)
        waiting = []
        for number in range(20):
            waiting.append(coalescer.submit(Item("a", number)))
            await asyncio.sleep(0.001)
        await asyncio.gather(*waiting)
        await coalescer.close()

    asyncio.run(run())
    assert len(table.batches) == 1
    assert len(table.numbers()) == 20
