"""A pool of connections that is there again as soon as its server is.

psycopg's pool waits twice as long after each failed attempt to connect, so that after an
outage it may stay away for as long again.  Here it is told to give an attempt up after half a
second, and when it has, to begin anew.  (psycopg_pool documents `reconnect_failed`, `check`.)
"""

import logging
import random
import select
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from runtime.log import log

POOL_WAIT_SECONDS = 2.0
# Two attempts to connect in each of these; pools of many processes must not come in step.
ATTEMPTS_SECONDS = (0.3, 0.6)
_EVERY_ATTEMPT = ("error connecting", "reconnection attempt")

Connection = psycopg.AsyncConnection[dict[str, Any]]
Configure = Callable[[Connection], Awaitable[None]]


def _worth_a_line(record: logging.LogRecord) -> bool:
    """An outage is told once by us, and not by psycopg for each attempt of each pool."""
    return not record.getMessage().startswith(_EVERY_ATTEMPT)


logging.getLogger("psycopg.pool").addFilter(_worth_a_line)


class Pool(AsyncConnectionPool[Connection]):
    """At most `size` connections made with `options`; one of them is kept at rest."""

    def __init__(
        self,
        dsn: str,
        size: int,
        options: Mapping[str, Any],
        configure: Configure | None = None,
    ) -> None:
        self._away = False
        self._configure_ours = configure
        super().__init__(
            dsn,
            min_size=1,
            max_size=size,
            open=False,
            timeout=POOL_WAIT_SECONDS,
            kwargs=dict(options),
            configure=self._made,
            check=self._hand_out,
            reconnect_timeout=random.uniform(*ATTEMPTS_SECONDS),  # nosec B311  # no secret
        )

    async def reconnect_failed(self) -> None:
        """Begin anew: called by psycopg when it has given up to connect."""
        if not self._away:
            self._away = True
            log("database_away", pool=self.name)
        await self.check()

    async def _made(self, connection: Connection) -> None:
        if self._away:
            self._away = False
            log("database_back", pool=self.name)
        if self._configure_ours is not None:
            await self._configure_ours(connection)

    async def _hand_out(self, connection: Connection) -> None:
        """Refuse a connection that the server has ended.

        A connection at rest has nothing to read until its server says goodbye, or something
        that is to be looked at: only then a round trip is worth its time.
        """
        waiting = select.poll()
        waiting.register(connection.pgconn.socket, select.POLLIN)
        if not waiting.poll(0):
            return
        try:
            await self.check_connection(connection)
        except psycopg.Error:
            # Who has got one such is given the next at once, and then waits a second or two
            # before each more: so the others that rest are looked at now.
            await self.check()
            raise
