"""What `scripts/keys` does to one database: rotate its keys, or say how they stand."""

import sys
from datetime import UTC, datetime
from typing import Any

from adapters.keys.provider import KeyProvider, KeysOutOfReach, KeyUnusable
from adapters.keys.ring import Ring
from adapters.keys.rotation import Busy, Rotation, Sealed
from runtime.database import Database, DatabaseUnavailable
from runtime.wrapped_keys import WrappedKeyStore


class Command:
    """One database with its keys, and what is sealed in it."""

    def __init__(
        self,
        database: Database,
        store: WrappedKeyStore,
        provider: KeyProvider,
        ring: Ring[Any],
        sealed: Sealed,
    ) -> None:
        self._database = database
        self._store = store
        self._provider = provider
        self._ring = ring
        self._sealed = sealed

    async def run(self, arguments: list[str]) -> int:
        """`rotate` or `status`; the exit status."""
        work = {"rotate": self._rotate, "status": self._status}
        if len(arguments) != 1 or arguments[0] not in work:
            say("rotate or status?")
            return 2
        await self._database.open()
        try:
            await work[arguments[0]]()
        except (Busy, KeyUnusable, KeysOutOfReach) as error:
            say(f"stopped: {error}")
            return 1
        except DatabaseUnavailable:
            say("stopped: the database is out of reach")
            return 1
        finally:
            await self._database.close()
        return 0

    async def _rotate(self) -> None:
        await Rotation(self._store, self._provider, self._ring, self._sealed, say).run()

    async def _status(self) -> None:
        now = datetime.now(UTC)
        current = await self._provider.current()
        say(f"current master key: {current.name}, {_days(current.created_at, now)}")
        for row in await self._store.masters():
            wraps = await self._store.wrapped_by(row["name"])
            state = "retired" if row["retired_at"] else f"wraps {wraps} data keys"
            say(f"master key {row['name']}: {_days(row['created_at'], now)}, {state}")
        for row in await self._store.summary():
            say(
                f"{row['use']} keys: {row['keys']}, of {row['owners']} owners,"
                f" newest version {row['newest_version']}, oldest {_days(row['oldest'], now)}"
            )
        looked_at = older = 0
        async for left in self._sealed.walk(seal=False):
            looked_at += left.looked_at
            older += left.older
        say(f"sealed values: {looked_at}, {older} of them by an older key")
        under_way = await self._store.under_way()
        if under_way is not None:
            left_over = sum(
                [
                    await self._store.wrapped_by(row["name"])
                    for row in await self._store.masters()
                    if row["name"] != under_way["name"]
                ]
            )
            say(
                f"a rotation to {under_way['name']} was begun and has not ended:"
                f" {left_over} data keys and {older} values are left; run rotate to go on"
            )


def say(line: str) -> None:
    """One line of progress, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _days(moment: datetime, now: datetime) -> str:
    return f"made {moment:%Y-%m-%d}, {(now - moment).days} days old"
