"""Prepared statements on a connection of their own: answers, refusals, and every kind of end."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import uvloop
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from runtime.database import Row, connection_options
from runtime.prepared import PreparedStatements
from tests.cluster import Cluster
from tests.serving import eventually

ECHO = b"SELECT %(text)s::text AS text, %(number)s::int AS number, %(text)s::text IS NULL AS none"
# More than a socket takes at once, in both directions.
LARGE = "x" * 20_000_000
GOODBYE_SECONDS = 20.0
_END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
)

Use = Callable[[PreparedStatements], Awaitable[object]]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, database_url: str) -> Callable[[Use], object]:
    """Runs with statements on a new connection, in either event loop."""
    return lambda use: request.param(_with_statements(database_url, use))


async def _with_statements(url: str, use: Use) -> object:
    connection: psycopg.AsyncConnection[Row] = await psycopg.AsyncConnection.connect(
        url, **connection_options()
    )
    statements = PreparedStatements(connection)
    try:
        return await use(statements)
    finally:
        statements.close()


@pytest.fixture
def fragile() -> Iterator[Cluster]:
    """A PostgreSQL that may crash."""
    directory = Path(tempfile.mkdtemp(prefix="paymint-tests-"))
    directory.chmod(0o755)
    running = Cluster(directory)
    yield running
    # Told to stop while it recovers, it would wait.
    assert eventually(lambda: _serves(running), GOODBYE_SECONDS)
    running.stop()
    shutil.rmtree(directory)


def _serves(cluster: Cluster) -> bool:
    try:
        with psycopg.connect(cluster.url("postgres"), connect_timeout=1):
            return True
    except psycopg.OperationalError:
        return False


def _end_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(_END_OTHERS)


async def _echo(statements: PreparedStatements, text: str | None, number: int) -> Row:
    (row,) = await statements.rows(ECHO, {"text": text, "number": number, "unused": 1})
    return row


def test_a_statement_is_answered_as_often_as_it_runs(run: Callable[[Use], object]) -> None:
    async def use(statements: PreparedStatements) -> list[Row]:
        first = await _echo(statements, "ä%s", 1)
        await statements.run(b"DISCARD PLANS")
        return [first, await _echo(statements, None, 2**31 - 1)]

    assert run(use) == [
        {"text": "ä%s", "number": 1, "none": False},
        {"text": None, "number": 2**31 - 1, "none": True},
    ]


def test_what_no_socket_takes_at_once_goes_and_comes_whole(run: Callable[[Use], object]) -> None:
    async def use(statements: PreparedStatements) -> bool:
        return bool((await _echo(statements, LARGE, 1))["text"] == LARGE)

    assert run(use)


@pytest.mark.parametrize("refused", [b"SELECT 1 / %(number)s::int AS one", b"SELECT nothing"])
def test_a_refusal_is_psycopgs_and_the_next_statement_runs(
    run: Callable[[Use], object], refused: bytes
) -> None:
    async def use(statements: PreparedStatements) -> object:
        for _ in range(2):
            with pytest.raises((psycopg.errors.DivisionByZero, psycopg.errors.UndefinedColumn)):
                await statements.rows(refused, {"number": 0})
        assert not statements.closed
        return (await _echo(statements, "next", 1))["text"]

    assert run(use) == "next"


def test_who_is_cancelled_leaves_no_answer_for_the_next(run: Callable[[Use], object]) -> None:
    async def use(statements: PreparedStatements) -> bool:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await statements.rows(b"SELECT pg_sleep(2)", {})
        with pytest.raises(psycopg.OperationalError):
            await _echo(statements, "next", 1)
        return statements.closed

    assert run(use)


def test_a_server_that_ends_a_statement_is_heard(
    run: Callable[[Use], object], database_url: str
) -> None:
    async def use(statements: PreparedStatements) -> bool:
        asked = asyncio.ensure_future(statements.rows(b"SELECT pg_sleep(30)", {}))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(_end_connections, database_url)
        with pytest.raises(psycopg.OperationalError):
            await asyncio.wait_for(asked, GOODBYE_SECONDS)
        with pytest.raises(psycopg.OperationalError):
            await _echo(statements, "next", 1)
        return statements.closed

    assert run(use)


def test_a_goodbye_between_statements_is_heard(
    run: Callable[[Use], object], database_url: str
) -> None:
    async def use(statements: PreparedStatements) -> bool:
        await _echo(statements, "first", 1)
        await asyncio.to_thread(_end_connections, database_url)
        async with asyncio.timeout(GOODBYE_SECONDS):
            while not statements.closed:
                await asyncio.sleep(0.01)
        return statements.closed

    assert run(use)


@pytest.mark.parametrize("loop", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_crash_with_a_statement_unread_is_heard(
    loop: Callable[[Awaitable[object]], object], fragile: Cluster
) -> None:
    """Its last words come before the error of the socket, and uvloop tells of both at once."""

    async def crash(statements: PreparedStatements) -> bool:
        (row,) = await statements.rows(b"SELECT pg_backend_pid() AS server", {})
        os.kill(row["server"], signal.SIGSTOP)
        asked = asyncio.ensure_future(_echo(statements, "unread", 1))
        await asyncio.sleep(0.1)
        os.kill(row["server"], signal.SIGQUIT)
        os.kill(row["server"], signal.SIGCONT)
        with pytest.raises(psycopg.OperationalError):
            await asyncio.wait_for(asked, GOODBYE_SECONDS)
        return statements.closed

    assert loop(_with_statements(fragile.url("postgres"), crash))


# Longer than the answer to two rows; every so many bytes of it the line ends.
LONGEST, STEP = 400, 23
TWO = b"SELECT number, repeat('x', 50) AS text FROM generate_series(1, %(last)s::int) AS number"


@pytest.mark.parametrize("loop", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_an_answer_that_ends_within_a_row_is_no_answer(
    loop: Callable[[Awaitable[object]], object], database_url: str
) -> None:
    async def torn() -> list[bool]:
        return [await _comes_whole(database_url, length) for length in range(0, LONGEST, STEP)]

    whole = loop(torn())
    assert isinstance(whole, list)
    assert whole == sorted(whole) and True in whole and False in whole


async def _comes_whole(url: str, length: int) -> bool:
    """Whether an answer arrives over a line that ends after so many bytes of it."""
    line = TornLine(url)
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    near = make_conninfo(url, host="127.0.0.1", port=port)
    connection: psycopg.AsyncConnection[Row] = await psycopg.AsyncConnection.connect(
        near, **connection_options()
    )
    statements = PreparedStatements(connection)
    try:
        assert len(await statements.rows(TWO, {"last": 1})) == 1
        line.left = length
        async with asyncio.timeout(GOODBYE_SECONDS):
            rows = await statements.rows(TWO, {"last": 2})
        assert [row["number"] for row in rows] == [1, 2]
        return True
    except psycopg.OperationalError:
        assert statements.closed
        return False
    finally:
        statements.close()
        server.close()


class TornLine:
    """A way to a server; what comes back ends after `left` bytes, once that is set."""

    def __init__(self, to: str) -> None:
        self._to = conninfo_to_dict(to)
        self.left: int | None = None

    async def carry(self, near: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        host, port = str(self._to["host"]), int(self._to["port"] or 0)
        far, server = await asyncio.open_connection(host, port)
        there = asyncio.create_task(self._there(near, server))
        while self.left != 0 and (data := await far.read(65_536)):
            # It may have been set while nothing came.
            data = data[: self.left]
            client.write(data)
            self.left = None if self.left is None else self.left - len(data)
        there.cancel()
        for end in (client, server):
            end.close()

    async def _there(self, near: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await near.read(65_536):
            server.write(data)
        server.close()
