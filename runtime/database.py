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
from psycopg_pool import PoolTimeout
from sqlalchemy.dialects import postgresql

from runtime.pool import Pool

POOL_MAX_CONNECTIONS = 8
# Reads have connections of their own, so that none waits behind a transaction's statements.
READING_CONNECTIONS = 8
CONNECT_TIMEOUT_SECONDS = 2
STATEMENT_TIMEOUT_MS = 10_000
# Of a connection that all share: who waits for one row would be waited for by everybody.
LOCK_TIMEOUT_MS = 3_000
# A server's machine that is gone without a word ends no connection: the kernel would wait for
# it for a quarter of an hour, and for an answer that it owes two hours.
UNANSWERED_MS = 15_000
KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3}

_BEGIN = b"BEGIN"
_CHANGING = f"-c lock_timeout={LOCK_TIMEOUT_MS}"
_READ_ONLY = "-c default_transaction_read_only=on"
Row = dict[str, Any]
set_json_loads(orjson.loads)
# psycopg's own dialect object writes %(name)s::TYPE, so PostgreSQL never guesses a type.
_DIALECT = postgresql.psycopg.dialect(paramstyle="pyformat")  # type: ignore[no-untyped-call]


class DatabaseUnavailable(Exception):
    """The server cannot be reached or broke the connection; the change is not confirmed."""


class LockedOut(DatabaseUnavailable):
    """Somebody holds what was to be changed and does not let go: nothing was done."""


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

    def __init__(
        self, connection: psycopg.AsyncConnection[Row], slot: int, *, begun: bool = True
    ) -> None:
        self._connection = connection
        # Which of a merchant's counter rows this connection adds to: connections of one
        # process never wait for each other's counters.
        self.slot = slot
        self._begun = begun
        self._is_together = False
        self._notes: list[Any] = []

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that can fail on its own: undone when the block raises, kept otherwise."""
        if not self._begun:
            self._begun = True
            await self._connection.execute(_BEGIN)
        noted = len(self._notes)
        try:
            async with self._connection.transaction():
                yield
        except BaseException:
            del self._notes[noted:]
            raise

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Send the block's statements without waiting for each: one round trip for all.

        For those that `run` for their effect alone, whose number of rows nobody asks for;
        they take effect in their order, and the first that fails is raised at the end of the
        block or earlier.  Where the block stands in another, the outer one ends the wait.
        """
        if self._is_together:
            yield
            return
        self._is_together = True
        try:
            async with self._connection.pipeline():
                yield
        except psycopg.errors.PipelineAborted as aborted:
            # A later statement's complaint: the database is there, and an earlier one says why.
            raise aborted.__context__ or aborted from None
        finally:
            self._is_together = False

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
        if self._begun:
            return await self._connection.execute(statement.text.encode(), values)
        self._begun = True
        # The transaction begins with its first statement, in the same round trip.
        async with self.together():
            await self._connection.execute(_BEGIN)
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
    """Two small pools of connections to one PostgreSQL database: to change it, and to read."""

    def __init__(self, dsn: str, first_slot: int = 0, size: int = POOL_MAX_CONNECTIONS) -> None:
        self.dsn = dsn
        # Told of what transactions noted, after their commit.
        self.on_commit: Callable[[Any, float], None] | None = None
        self._first_slot = first_slot
        self._size = size
        self._connections_made = 0
        self._slots: dict[int, int] = {}
        self._changing = Pool(dsn, size, connection_options(_CHANGING), self._configure)
        readers = min(size, READING_CONNECTIONS)
        self._reading = Pool(dsn, readers, connection_options(_READ_ONLY))

    async def _configure(self, connection: psycopg.AsyncConnection[Row]) -> None:
        self._slots[id(connection)] = self._first_slot + self._connections_made % self._size
        self._connections_made += 1

    async def open(self) -> None:
        """Open the pools; the first connection of each is made in the background."""
        await self._changing.open()
        await self._reading.open()

    async def close(self) -> None:
        """Close every connection."""
        await self._reading.close()
        await self._changing.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction: committed when the block ends, rolled back when it raises."""
        async with _borrowed(self._changing) as connection:
            slot = self._slots.get(id(connection), self._first_slot)
            statements = Transaction(connection, slot, begun=False)
            yield statements
            await connection.commit()
            if self.on_commit is not None:
                statements.tell(self.on_commit)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A connection for statements that change nothing: each sees what is committed."""
        async with _borrowed(self._reading) as connection:
            yield Transaction(connection, self._first_slot)


@asynccontextmanager
async def _borrowed(pool: Pool) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
    """A connection of the pool; what is still open on it is undone when the block raises."""
    try:
        async with pool.connection() as connection:
            yield connection
    except psycopg.errors.LockNotAvailable as error:
        raise LockedOut from error
    except (PoolTimeout, psycopg.OperationalError) as error:
        raise DatabaseUnavailable from error


def connection_options(settings: str = "", **extra: Any) -> dict[str, Any]:
    """Options of every connection: autocommit outside blocks, rows as dicts, bounded waits."""
    return {
        "autocommit": True,
        "row_factory": dict_row,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "tcp_user_timeout": UNANSWERED_MS,
        **KEEPALIVE,
        "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC"
        f" -c jit=off {settings}",
        "application_name": "paymint",
        **extra,
    }
