"""Statements compiled once from SQLAlchemy metadata and run by psycopg.

Building an expression costs more than running it (measured: 251 us against 54-71 us a
read), so every statement is built and compiled at import and only its text travels.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg
import sqlalchemy as sa
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.dialects import postgresql

POOL_MAX_CONNECTIONS = 8
POOL_WAIT_SECONDS = 2.0
CONNECT_TIMEOUT_SECONDS = 2
STATEMENT_TIMEOUT_MS = 10_000

Row = dict[str, Any]
set_json_loads(orjson.loads)
# psycopg's own dialect object writes %(name)s::TYPE, so PostgreSQL never guesses a type.
_DIALECT = postgresql.psycopg.dialect(paramstyle="pyformat")  # type: ignore[no-untyped-call]


class DatabaseUnavailable(Exception):
    """The server cannot be reached or broke the connection; the change is not confirmed."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One compiled statement: its text, and the values that were written into it."""

    text: str
    constants: Mapping[str, Any] = field(default_factory=dict)


def compile_sql(statement: sa.sql.ClauseElement) -> Statement:
    """Compile a Core statement with named parameters; called at import only."""
    compiled = statement.compile(dialect=_DIALECT)
    binds = getattr(compiled, "binds", {})
    constants = {name: bind.value for name, bind in binds.items() if not bind.required}
    return Statement(str(compiled), constants)


class Transaction:
    """One open transaction; the context manager that made it is the one that commits."""

    def __init__(self, connection: psycopg.AsyncConnection[Row], slot: int) -> None:
        self._connection = connection
        # Which of a merchant's counter rows this connection adds to: connections of one
        # process never wait for each other's counters.
        self.slot = slot
        self._notes: list[Any] = []

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that can fail on its own: undone when the block raises, kept otherwise.

        The outermost one is the transaction itself.
        """
        noted = len(self._notes)
        try:
            async with self._connection.transaction():
                yield
        except BaseException:
            del self._notes[noted:]
            raise

    def note(self, change: Any) -> None:
        """Hand `change` to whoever listens, once it is committed."""
        self._notes.append((change, asyncio.get_running_loop().time()))

    def tell(self, listener: Callable[[Any, float], None]) -> None:
        """Hand out what was noted, with the loop's time at which it was."""
        for change, noted_at in self._notes:
            listener(change, noted_at)

    async def _execute(
        self, statement: Statement, parameters: dict[str, Any]
    ) -> psycopg.AsyncCursor[Row]:
        values = {**statement.constants, **parameters} if statement.constants else parameters
        return await self._connection.execute(statement.text.encode(), values)

    async def all(self, statement: Statement, **parameters: Any) -> list[Row]:
        """Every row of the result."""
        cursor = await self._execute(statement, parameters)
        return await cursor.fetchall()

    async def maybe(self, statement: Statement, **parameters: Any) -> Row | None:
        """The first row, or None."""
        cursor = await self._execute(statement, parameters)
        return await cursor.fetchone()

    async def one(self, statement: Statement, **parameters: Any) -> Row:
        """The first row; its absence is an error of the program."""
        row = await self.maybe(statement, **parameters)
        if row is None:
            raise LookupError("a statement that always answers a row answered none")
        return row

    async def run(self, statement: Statement, **parameters: Any) -> int:
        """Run for its effect; the number of rows touched."""
        cursor = await self._execute(statement, parameters)
        return cursor.rowcount


class Database:
    """A small pool of connections to one PostgreSQL database."""

    def __init__(self, dsn: str, first_slot: int = 0, size: int = POOL_MAX_CONNECTIONS) -> None:
        self.dsn = dsn
        # Told of what transactions noted, after their commit.
        self.on_commit: Callable[[Any, float], None] | None = None
        self._first_slot = first_slot
        self._size = size
        self._connections_made = 0
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[Row]] = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=size,
            open=False,
            timeout=POOL_WAIT_SECONDS,
            kwargs=connection_options(),
            configure=self._configure,
            check=AsyncConnectionPool.check_connection,
        )
        self._slots: dict[int, int] = {}

    async def _configure(self, connection: psycopg.AsyncConnection[Row]) -> None:
        self._slots[id(connection)] = self._first_slot + self._connections_made % self._size
        self._connections_made += 1

    async def open(self) -> None:
        """Open the pool; the first connection is made in the background."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction: committed when the block ends, rolled back when it raises."""
        async with self.reading() as statements:
            async with statements.savepoint():
                yield statements
            if self.on_commit is not None:
                statements.tell(self.on_commit)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A connection for statements that change nothing: each sees what is committed."""
        try:
            async with self._pool.connection() as connection:
                yield Transaction(connection, self._slots.get(id(connection), self._first_slot))
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise DatabaseUnavailable from error


def connection_options(settings: str = "", **extra: Any) -> dict[str, Any]:
    """Options of every connection: autocommit outside blocks, rows as dicts, bounded waits."""
    return {
        "autocommit": True,
        "row_factory": dict_row,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC"
        f" -c jit=off {settings}",
        "application_name": "paymint",
        **extra,
    }
