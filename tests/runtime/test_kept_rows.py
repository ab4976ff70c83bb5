"""Rows that must be stored: in their order, once, after whatever stood in the way."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from runtime.batches import NUMBER, rows_of, text_of
from runtime.kept_rows import PATIENCE_SECONDS as ANSWERED_WITHIN_SECONDS
from runtime.kept_rows import KeptRows

PATIENCE_SECONDS = 30.0
KEPT = 40
MANY = 8_000
CAUGHT_UP_SECONDS = 30.0
STALL_SLACK_SECONDS = 3.0
NOTES = sa.Table(
    "notes", sa.MetaData(), sa.Column("number", sa.Integer, primary_key=True, autoincrement=False)
)


def statement() -> bytes:
    asked = rows_of(number=NUMBER)
    written = insert(NOTES).from_select(["number"], sa.select(asked)).on_conflict_do_nothing()
    told = sa.select(asked.c.number).limit(sa.literal_column("1"))
    return text_of(told.add_cte(written.cte("written")))


@pytest.fixture
def notes(database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS notes")
        connection.execute("CREATE TABLE notes (number int PRIMARY KEY, place bigserial)")
    return database_url


@contextmanager
def gone(url: str) -> Iterator[None]:
    """The table is not there, and nobody is connected any more."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE notes RENAME TO hidden")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        yield
        connection.execute("ALTER TABLE hidden RENAME TO notes")


def in_order(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT number FROM notes ORDER BY place").fetchall()
    return [row[0] for row in rows]


def row(number: int) -> bytes:
    return b'{"number": %d}' % number


async def until(rows: KeptRows, *, failing: bool) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while rows.failing is not failing:
            await asyncio.sleep(0.01)


def test_who_awaits_finds_its_row(notes: str) -> None:
    async def scenario() -> None:
        rows = KeptRows(notes, statement())
        waited = [rows.put(row(number)) for number in range(600)]
        assert all(future is not None for future in waited)
        await asyncio.gather(*(future for future in waited if future is not None))
        assert in_order(notes) == list(range(600))
        await rows.close()

    asyncio.run(scenario())


def test_rows_outlive_a_failure_in_their_order(notes: str) -> None:
    changes: list[bool] = []

    async def scenario() -> None:
        rows = KeptRows(notes, statement(), kept_at_most=KEPT)
        rows.on_change = changes.append
        first = rows.put(row(0))
        assert first is not None
        await first
        with gone(notes):
            second = rows.put(row(1))
            assert second is not None
            # It ends, so that the request is answered; its row is kept.
            await second
            assert (rows.failing, rows.full) == (True, False)
            for number in range(2, KEPT + 1):
                assert rows.put(row(number)) is None
            assert (rows.failing, rows.full) == (True, True)
            assert rows.put(row(99)) is None
        await until(rows, failing=False)
        last = rows.put(row(KEPT + 1))
        assert last is not None
        await last
        await rows.close()

    asyncio.run(scenario())
    assert in_order(notes) == list(range(KEPT + 2))
    assert changes == [True, False]


@contextmanager
def standing_still(url: str) -> Iterator[None]:
    """Servers of the connections to this database answer nothing, not even a cancellation."""
    with psycopg.connect(url, autocommit=True) as connection:
        others = connection.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
        for (process,) in others:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for (process,) in others:
                os.kill(process, signal.SIGCONT)


def test_what_was_kept_is_written_faster_than_a_busy_process_adds(notes: str) -> None:
    async def scenario() -> None:
        rows = KeptRows(notes, statement())
        first = rows.put(row(0))
        assert first is not None
        with gone(notes):
            await first
            for number in range(1, MANY):
                rows.put(row(number))
            assert rows.failing
        given_up_at, number = time.monotonic() + CAUGHT_UP_SECONDS, MANY
        # A thousand and more a second: requests do not stop meanwhile.
        while rows.failing and time.monotonic() < given_up_at:
            for _ in range(15):
                rows.put(row(number))
                number += 1
            await asyncio.sleep(0.01)
        caught_up = not rows.failing
        await rows.close()
        assert caught_up
        assert in_order(notes) == list(range(number))

    asyncio.run(scenario())


def test_a_server_that_stands_still_delays_nobody_longer(notes: str) -> None:
    async def scenario() -> None:
        rows = KeptRows(notes, statement())
        first = rows.put(row(0))
        assert first is not None
        await first
        with standing_still(notes):
            began = time.monotonic()
            second = rows.put(row(1))
            assert second is not None
            await second
            assert rows.failing
            assert time.monotonic() - began < ANSWERED_WITHIN_SECONDS + STALL_SLACK_SECONDS
        rows.put(row(2))
        await until(rows, failing=False)
        await rows.close()

    asyncio.run(scenario())
    assert in_order(notes) == [0, 1, 2]


def test_a_lost_connection_is_no_failure(notes: str) -> None:
    async def scenario() -> None:
        rows = KeptRows(notes, statement())
        for number in range(3):
            future = rows.put(row(number))
            assert future is not None
            await future
            with psycopg.connect(notes, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        assert not rows.failing
        await rows.close()

    asyncio.run(scenario())
    assert in_order(notes) == [0, 1, 2]


def test_rows_that_were_stored_unseen_are_not_stored_twice(notes: str) -> None:
    """As when a commit's answer is lost: the same rows are written again."""
    with psycopg.connect(notes, autocommit=True) as connection:
        connection.execute("INSERT INTO notes VALUES (0), (1)")

    async def scenario() -> None:
        rows = KeptRows(notes, statement())
        waited = [rows.put(row(number)) for number in range(4)]
        await asyncio.gather(*(future for future in waited if future is not None))
        await rows.close()

    asyncio.run(scenario())
    assert in_order(notes) == [0, 1, 2, 3]


def test_what_waits_is_stored_at_the_end(notes: str) -> None:
    async def scenario() -> None:
        rows = KeptRows(notes, statement())
        for number in range(300):
            rows.put(row(number))
        await rows.close()

    asyncio.run(scenario())
    assert in_order(notes) == list(range(300))
