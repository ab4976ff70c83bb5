"""`python -m flows.key_rotation rotate|status`: the keys of the main house.

Runs beside the running processes with the environment of one of them.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from uuid import UUID

from adapters.keys import PLATFORM, Seals
from adapters.keys.command import Command
from adapters.keys.rotation import BATCH, Left
from adapters.settings import Settings
from models.announcing import announce_merchant
from models.data_keys import DataKeyStore
from models.sealed import WALKS, SealedValue, Walk
from runtime.clock import SystemClock
from runtime.database import Database


class SealedColumns:
    """Everything that the main house has sealed."""

    def __init__(self, database: Database, seals: Seals) -> None:
        self._database = database
        self._seals = seals

    async def walk(self, *, seal: bool) -> AsyncIterator[Left]:
        """Go through every sealed column; with `seal`, renew what older keys sealed."""
        for walk in WALKS:
            after: SealedValue | None = None
            while True:
                async with self._database.reading() as transaction:
                    batch = await walk.batch(transaction, after, BATCH)
                if not batch:
                    break
                older = [await self._renewed(walk, value, seal=seal) for value in batch]
                yield Left(len(batch), sum(older))
                after = batch[-1]

    async def announce(self, owner: UUID) -> None:
        """Every process reads the owner's keys again."""
        async with self._database.transaction() as transaction:
            await announce_merchant(transaction, owner)

    async def _renewed(self, walk: Walk, value: SealedValue, *, seal: bool) -> bool:
        """Whether an older key had sealed it."""
        owner = value.owner or PLATFORM
        keys = await self._seals.knowing(owner, value.sealed)
        if keys.is_newest(value.sealed):
            return False
        if seal:
            new = keys.seal(walk.of.purpose, keys.open(walk.of.purpose, value.sealed))
            async with self._database.transaction() as transaction:
                await walk.replace(transaction, value, new)
        return True


async def run(arguments: list[str]) -> int:
    """Rotate, or say how the keys stand; the exit status."""
    settings = Settings.from_environment()
    database = Database(settings.database_url)
    store, provider = DataKeyStore(database), settings.open_keys()
    seals = Seals(store, provider, SystemClock())
    sealed = SealedColumns(database, seals)
    return await Command(database, store, provider, seals, sealed).run(arguments)


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[1:])))
