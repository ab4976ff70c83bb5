"""The two pools of a database: reads apart from changes, statements that travel together."""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import psycopg
import pytest
from psycopg.rows import tuple_row

from runtime.database import (
    POOL_MAX_CONNECTIONS,
    READING_CONNECTIONS,
    Database,
    Statement,
    Transaction,
    connection_options,
)

ADD = Statement("INSERT INTO sums (number) VALUES (%(number)s)")
CHECKED = Statement("SELECT 1 / (%(number)s::int - 3) AS whole")
ALL = Statement("SELECT number FROM sums ORDER BY number")
PROCESS = Statement("SELECT pg_backend_pid() AS process")
# psycopg prepares a statement at its sixth run; each way is to be the same before and after.
ROUNDS = 8
PSYCOPG_PAUSES_SECONDS = 0.9

Story = Callable[[Database], Awaitable[None]]


def play(url: str, story: Story) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS sums")
        connection.execute("CREATE TABLE sums (number int UNIQUE CHECK (number >= 0))")

    async def run() -> None:
        database = Database(url)
        await database.open()
        try:
            await story(database)
        finally:
            await database.close()

    asyncio.run(run())


async def stored(database: Database) -> list[int]:
    async with database.reading() as statements:
        return [row["number"] for row in await statements.all(ALL)]


def test_what_travels_together_is_done_in_its_order_and_kept_once(database_url: str) -> None:
    async def story(database: Database) -> None:
        for first in range(0, 3 * ROUNDS, 3):
            async with database.transaction() as transaction:
                async with transaction.together():
                    await transaction.run(ADD, number=first)
                    async with transaction.together():
                        await transaction.run(ADD, number=first + 1)
                    await transaction.run(ADD, number=first + 2)
                assert len(await transaction.all(ALL)) == first + 3
                assert len(await stored(database)) == first
        assert await stored(database) == list(range(3 * ROUNDS))

    play(database_url, story)


@pytest.mark.parametrize("others", [0, 1, 40])
def test_the_first_that_fails_is_raised_and_nothing_is_kept(others: int, database_url: str) -> None:
    async def twice(transaction: Transaction) -> None:
        async with transaction.together():
            await transaction.run(ADD, number=1)
            await transaction.run(ADD, number=1)
            for number in range(others):
                await transaction.run(CHECKED, number=number)

    async def story(database: Database) -> None:
        for _ in range(ROUNDS):
            with pytest.raises(psycopg.errors.UniqueViolation):
                async with database.transaction() as transaction:
                    await twice(transaction)
            assert await stored(database) == []
            async with database.transaction() as transaction:
                with pytest.raises(psycopg.errors.UniqueViolation):
                    async with transaction.savepoint():
                        await twice(transaction)
                await transaction.run(ADD, number=1)
            assert await stored(database) == [1]
            async with database.transaction() as transaction:
                await transaction.run(Statement("DELETE FROM sums"))

    play(database_url, story)


def test_a_first_statement_that_fails_leaves_no_transaction(database_url: str) -> None:
    async def story(database: Database) -> None:
        for _ in range(ROUNDS):
            with pytest.raises(psycopg.errors.CheckViolation):
                async with database.transaction() as transaction:
                    await transaction.run(ADD, number=-1)
        async with database.transaction() as transaction:
            with pytest.raises(psycopg.errors.CheckViolation):
                async with transaction.savepoint():
                    await transaction.run(ADD, number=-1)
            await transaction.run(ADD, number=7)
        with pytest.raises(KeyError):
            async with database.transaction() as transaction:
                async with transaction.savepoint():
                    await transaction.run(ADD, number=8)
                raise KeyError
        assert await stored(database) == [7]

    play(database_url, story)


def test_a_read_waits_for_no_change_and_changes_nothing(database_url: str) -> None:
    async def story(database: Database) -> None:
        async with AsyncExitStack() as held:
            for number in range(POOL_MAX_CONNECTIONS):
                transaction = await held.enter_async_context(database.transaction())
                await transaction.run(ADD, number=number)
            together = [stored(database) for _ in range(3 * READING_CONNECTIONS)]
            assert await asyncio.gather(*together) == [[]] * len(together)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            async with database.reading() as statements:
                await statements.run(ADD, number=100)
        assert await stored(database) == list(range(POOL_MAX_CONNECTIONS))

    play(database_url, story)


def test_a_connection_that_the_server_ended_at_rest_is_not_handed_out(database_url: str) -> None:
    async def story(database: Database) -> None:
        for way in (database.reading, database.transaction):
            async with way() as statements:
                process = (await statements.one(PROCESS))["process"]
            with psycopg.connect(database_url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
            async with way() as statements:
                assert (await statements.one(PROCESS))["process"] != process

    play(database_url, story)


def test_connections_that_ended_at_rest_keep_nobody_waiting(database_url: str) -> None:
    async def story(database: Database) -> None:
        for way in (database.reading, database.transaction):
            async with AsyncExitStack() as held:
                borrowed = [
                    await held.enter_async_context(way()) for _ in range(READING_CONNECTIONS)
                ]
                processes = [(await each.one(PROCESS))["process"] for each in borrowed]
            with psycopg.connect(database_url, autocommit=True) as other:
                for process in processes:
                    other.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
            began = time.monotonic()
            async with way() as statements:
                assert (await statements.one(PROCESS))["process"] not in processes
            # psycopg pauses for a second before it hands out a third connection.
            assert time.monotonic() - began < PSYCOPG_PAUSES_SECONDS

    play(database_url, story)


def test_a_server_that_is_gone_without_a_word_is_noticed(database_url: str) -> None:
    """No connection waits for it for longer than 15 s; each that we make is asked."""
    options = connection_options()
    with (
        psycopg.connect(database_url, **{**options, "row_factory": tuple_row}) as connection,
        socket.socket(fileno=os.dup(connection.fileno())) as wire,
    ):
        asked = {
            name: wire.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        }
    assert asked.pop("TCP_USER_TIMEOUT") == 15_000
    assert asked["TCP_KEEPIDLE"] + asked["TCP_KEEPINTVL"] * asked["TCP_KEEPCNT"] <= 15
