"""`python -m vault.key_rotation rotate|status`: the vault's keys.

Runs beside the running vault with its environment.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from uuid import UUID

from adapters.keys.command import Command
from adapters.keys.rotation import BATCH, Left
from runtime.clock import SystemClock
from runtime.database import Database
from vault.keyring import Keyring
from vault.settings import read_settings
from vault.store.keys import DataKeyStore, announce_keys
from vault.store.resealing import SealedNumber, SealedNumbers


class Numbers:
    """Everything that the vault has sealed."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._store = SealedNumbers(database)
        self._keyring = keyring

    async def walk(self, *, seal: bool) -> AsyncIterator[Left]:
        """Go through every number; with `seal`, renew what older keys sealed."""
        after: SealedNumber | None = None
        while batch := await self._store.batch(after, BATCH):
            older = [await self._renewed(number, seal=seal) for number in batch]
            yield Left(len(batch), sum(older))
            after = batch[-1]

    async def announce(self, owner: UUID) -> None:
        """Every vault process reads the merchant's keys again."""
        await announce_keys(self._database, owner)

    async def _renewed(self, number: SealedNumber, *, seal: bool) -> bool:
        """Whether an older key had sealed it."""
        keys = await self._keyring.keys_with(number.merchant_id, number.key_version)
        if number.key_version == keys.newest_version:
            return False
        if seal:
            plaintext = keys.open(number.id, number.key_version, number.ciphertext)
            new = keys.seal(number.id, plaintext)
            await self._store.replace(number, keys.newest_version, new)
        return True


async def run(arguments: list[str]) -> int:
    """Rotate, or say how the keys stand; the exit status."""
    settings = read_settings()
    database = Database(settings.database_url)
    store, provider = DataKeyStore(database), settings.open_keys()
    keyring = Keyring(store, provider, SystemClock())
    numbers = Numbers(database, keyring)
    return await Command(database, store, provider, keyring, numbers).run(arguments)


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[1:])))
