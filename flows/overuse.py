"""Telling a merchant that a key was blocked for overuse, off the path of its requests.

A key that is blocked again within a day is flagged for the operator to look at (blueprint
section 7, "Overage Behavior": alert the merchant, then a manual review).
"""

import asyncio
from datetime import timedelta
from typing import Final

from domain.alerts import about_blocked
from domain.callers import Caller
from models.alerts import Alert, raise_alert, read_open_alert
from models.api_keys import flag_key
from runtime.clock import Clock
from runtime.database import Database, DatabaseUnavailable
from runtime.ids import uuid7
from runtime.log import log, log_exception

REPEATED_WITHIN: Final = timedelta(days=1)


class Overuse:
    """Writes an alert for each block that begins."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, caller: Caller) -> None:
        """This caller's key was blocked just now; returns at once."""
        log("api_key_blocked", key=caller.key_display)
        task = asyncio.create_task(self._write(caller))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Write what is waiting."""
        await asyncio.gather(*self._writing)

    async def _write(self, caller: Caller) -> None:
        try:
            await self._raise(caller)
        except DatabaseUnavailable as error:
            log_exception("overuse_untold", error)

    async def _raise(self, caller: Caller) -> None:
        now = self._clock.now()
        kind, subject = about_blocked(caller)
        alert = Alert(
            id=uuid7(self._clock.unix_ms()),
            merchant_id=caller.merchant_id,
            livemode=caller.livemode,
            type=kind,
            subject=subject,
            created_at=now,
        )
        async with self._database.transaction() as transaction:
            before = await read_open_alert(transaction, alert)
            await raise_alert(transaction, alert)
            if before is not None and now - before["last_seen_at"] < REPEATED_WITHIN:
                await flag_key(transaction, caller.merchant_id, caller.livemode, caller.key_id, now)
