"""A connection on which prepared statements run, one at a time: one write, one read for each.

psycopg's cursors ask the event loop for a place to wait before every statement, split its
text and describe its rows anew: of a statement over no rows that takes 135 us of this
process's CPU, here it takes 28.  Connecting, signing in, types and errors are psycopg's.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from runtime.database import Row

_PLACEHOLDER = re.compile(rb"%\((\w+)\)s")
_FINE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
# uvloop tells once of a socket that has an error and does not look at it again, though a
# server's last words stand before the error: who waits for an answer looks himself at times.
LOOK_SECONDS = 0.25


class _Prepared:
    """A statement that this connection's server knows by `name`."""

    __slots__ = ("columns", "formats", "name", "parameters")

    def __init__(self, name: bytes, parameters: Sequence[str]) -> None:
        self.name = name
        self.parameters = parameters
        self.formats = [PyFormat.TEXT] * len(parameters)
        # Known from its first result; a prepared statement's columns never change.
        self.columns: list[str] | None = None


class PreparedStatements:
    """Takes a connection over: nobody else may use it.

    Statements are told apart by their text, so texts are constants.  A parameter, `%(name)s`,
    has its type from its place or from a cast.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Row]) -> None:
        # Kept because the socket is closed when nobody holds it.
        self._connection = connection
        self._pgconn = connection.pgconn
        self._transformer = Transformer.from_context(connection)
        self._prepared: dict[bytes, _Prepared] = {}
        self._results: list[PGresult] = []
        self._answer: asyncio.Future[list[PGresult]] | None = None
        self._loop = asyncio.get_running_loop()
        self._socket = self._pgconn.socket
        self._writing = False
        self._look: asyncio.TimerHandle | None = None
        self.closed = False
        self._loop.add_reader(self._socket, self._read)

    async def rows(self, text: bytes, parameters: Mapping[str, Any]) -> list[Row]:
        """Run a statement and answer its rows; raises psycopg's errors.

        Whoever is cancelled meanwhile leaves the connection closed, the statement perhaps done.
        """
        prepared = self._prepared.get(text)
        if prepared is None:
            prepared = await self._prepare(text)
        values = [parameters[name] for name in prepared.parameters]
        dumped = self._transformer.dump_sequence(values, prepared.formats)
        result = await self._ask(self._pgconn.send_query_prepared, prepared.name, dumped)
        if prepared.columns is None:
            prepared.columns = _columns(result)
        columns = prepared.columns
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(
            0, result.ntuples, lambda row: dict(zip(columns, row, strict=True))
        )

    async def run(self, command: bytes) -> None:
        """Run a command without parameters for its effect."""
        await self._ask(self._pgconn.send_query, command)

    def close(self) -> None:
        """Hang up; a statement that runs may still be done."""
        if self.closed:
            return
        self.closed = True
        # Even where libpq has closed the socket already: the next one may get its number.
        self._loop.remove_reader(self._socket)
        if self._writing:
            self._loop.remove_writer(self._socket)
        if self._look is not None:
            self._look.cancel()
        self._pgconn.finish()

    async def _prepare(self, text: bytes) -> _Prepared:
        names = list(dict.fromkeys(_PLACEHOLDER.findall(text)))
        numbers = {name: b"$%d" % (index + 1) for index, name in enumerate(names)}
        numbered = _PLACEHOLDER.sub(lambda found: numbers[found[1]], text)
        prepared = _Prepared(b"p%d" % len(self._prepared), [name.decode() for name in names])
        await self._ask(self._pgconn.send_prepare, prepared.name, numbered)
        self._prepared[text] = prepared
        return prepared

    async def _ask(self, send: Callable[..., None], *arguments: Any) -> PGresult:
        """Send, and take in all of the answer."""
        self._results = []
        self._answer = self._loop.create_future()
        try:
            send(*arguments)
            self._flush()
            if self._look is None:
                self._look = self._loop.call_later(LOOK_SECONDS, self._look_again)
            result = (await self._answer)[-1]
        except BaseException:
            # What is still to come would be taken for the answer to the next statement.
            self.close()
            raise
        finally:
            self._answer = None
        if result.status not in _FINE:
            raise error_from_result(result)
        return result

    def _flush(self) -> None:
        """Send what the socket did not take at once as it takes it."""
        left = bool(self._pgconn.flush())
        if left and not self._writing:
            self._loop.add_writer(self._socket, self._write)
        elif self._writing and not left:
            self._loop.remove_writer(self._socket)
        self._writing = left

    def _write(self) -> None:
        try:
            self._flush()
        except psycopg.Error as error:
            self._lost(error)

    def _read(self) -> None:
        """Take in what has arrived; the server may also say goodbye between statements."""
        try:
            self._pgconn.consume_input()
            if self._writing:
                self._flush()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    self._end()
                    return
                self._results.append(result)
        except psycopg.Error as error:
            self._lost(error)

    def _look_again(self) -> None:
        self._look = None
        if self._answer is not None:
            self._look = self._loop.call_later(LOOK_SECONDS, self._look_again)
            self._read()

    def _end(self) -> None:
        if self._answer is not None and self._results and not self._answer.done():
            self._answer.set_result(self._results)

    def _lost(self, error: psycopg.Error) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def _columns(result: PGresult) -> list[str]:
    names = [result.fname(number) for number in range(result.nfields)]
    return [(name or b"").decode() for name in names]
