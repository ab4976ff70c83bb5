"""Telling a merchant that it still uses a version on its way out, off the path of its requests.

One alert a day for each merchant, mode and version is enough, so a process writes none twice
(contract-decisions, "versions"; blueprint section 5, "Dashboard warning").
"""

import asyncio
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

from domain.callers import Caller
from models.alerts import Alert, raise_alert
from runtime.clock import Clock
from runtime.database import Database, DatabaseUnavailable
from runtime.ids import uuid7
from runtime.log import log_exception

ALERT_TYPE: Final = "api_version_deprecated"
# More merchants than one process sees in a day; beyond it some alerts are written again.
NOTED_AT_MOST: Final = 100_000


class _Use(NamedTuple):
    merchant_id: UUID
    livemode: bool
    version: str


class DeprecatedUse:
    """Remembers who was told today, and writes the alerts of those who were not."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._day: date | None = None
        self._noted: set[_Use] = set()
        self._waiting: list[_Use] = []
        self._writing: asyncio.Task[None] | None = None

    def note(self, caller: Caller, version: str) -> None:
        """This caller used this version just now; returns at once."""
        today = self._clock.now().date()
        if today != self._day or len(self._noted) >= NOTED_AT_MOST:
            self._day = today
            self._noted.clear()
        use = _Use(caller.merchant_id, caller.livemode, version)
        if use in self._noted:
            return
        self._noted.add(use)
        self._waiting.append(use)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Write what is waiting."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        while self._waiting:
            use = self._waiting.pop()
            try:
                await self._raise(use)
            except DatabaseUnavailable as error:
                # Its next request in this version tells us again.
                self._noted.discard(use)
                log_exception("deprecated_use_untold", error)

    async def _raise(self, use: _Use) -> None:
        now = self._clock.now()
        alert = Alert(
            id=uuid7(self._clock.unix_ms()),
            merchant_id=use.merchant_id,
            livemode=use.livemode,
            type=ALERT_TYPE,
            subject=use.version,
            created_at=now,
        )
        async with self._database.transaction() as transaction:
            await raise_alert(transaction, alert)
