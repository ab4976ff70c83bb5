"""One connection that hears what other processes announce through PostgreSQL (LISTEN).

What was announced while there was no connection is not told later, so whoever remembers
something drops all of it when a connection is made.
"""

import asyncio
from collections.abc import Callable

import psycopg
from psycopg import sql

from runtime.database import CONNECT_TIMEOUT_SECONDS, Row, connection_options
from runtime.log import log, log_exception

PAUSE_FIRST_SECONDS = 0.1
# What is announced is promised within a second, after an outage too.
PAUSE_MAX_SECONDS = 0.5
PAUSE_GROWTH = 2
# A server that went away without a word is noticed after this, and the time to connect.
SILENT_SECONDS = 5.0


class Listener:
    """Keeps one connection listening to `channel`, for the life of the process.

    `heard(payload)` runs for every announcement, `deaf()` whenever some may have been missed;
    both run on the event loop and must not wait.
    """

    def __init__(
        self, dsn: str, channel: str, heard: Callable[[str], None], deaf: Callable[[], None]
    ) -> None:
        self._dsn = dsn
        self._channel = channel
        self._heard = heard
        self._deaf = deaf
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    def start(self) -> None:
        """Begin to connect, in the background; a server that is not there is tried again."""
        self._task = asyncio.create_task(self._keep_listening(), name="listener")

    async def listening(self) -> None:
        """Wait until announcements are heard."""
        await self._listening.wait()

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_listening(self) -> None:
        pause = PAUSE_FIRST_SECONDS
        while True:
            try:
                async with await self._connect() as connection:
                    pause = PAUSE_FIRST_SECONDS
                    log("listening", channel=self._channel)
                    await self._listen(connection)
            except (psycopg.Error, TimeoutError, OSError) as error:
                log_exception("listening_lost", error, channel=self._channel)
            self._listening.clear()
            await asyncio.sleep(pause)
            pause = min(pause * PAUSE_GROWTH, PAUSE_MAX_SECONDS)

    async def _connect(self) -> "psycopg.AsyncConnection[Row]":
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            connection: psycopg.AsyncConnection[Row] = await psycopg.AsyncConnection.connect(
                self._dsn, **connection_options()
            )
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        # Only now: what is read from here on is either new, or announced to us.
        self._deaf()
        self._listening.set()
        return connection

    async def _listen(self, connection: "psycopg.AsyncConnection[Row]") -> None:
        while True:
            async for announced in connection.notifies(timeout=SILENT_SECONDS):
                self._heard(announced.payload)
            async with asyncio.timeout(SILENT_SECONDS):
                await connection.execute("SELECT 1")
