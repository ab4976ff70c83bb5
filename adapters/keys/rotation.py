"""Rotation beside running processes: new master key, new data keys, everything sealed again.

Each step is a walk in bounded batches whose every change is conditional on what was read, so
a rotation may be killed at any place and begun again: what is done is skipped, and a change
that somebody else made meanwhile is never lost (PCI DSS 4.0.1 req. 3.7.4, 3.7.5).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from adapters.keys.provider import KeyProvider, KeyUnusable, master_of
from adapters.keys.ring import Ring
from runtime.wrapped_keys import DataKey, WrappedKeyStore

BATCH: Final = 100
SAY_EVERY: Final = 1_000
# Running processes hear of new keys within this time; what they seal until then is found by
# the walk that follows, and what they would seal still later stays readable.
HEARD_SECONDS: Final = 1.0
_MOST_WALKS: Final = 20


class Busy(Exception):
    """Another rotation of this database is running."""


class Left(NamedTuple):
    """What a batch of a walk met: values looked at, those that older keys had sealed."""

    looked_at: int
    older: int


class Sealed(Protocol):
    """What is sealed in one database."""

    def walk(self, *, seal: bool) -> AsyncIterator[Left]:
        """Seal again what older versions sealed, or only count it; a count for each batch."""
        ...

    async def announce(self, owner: UUID) -> None:
        """Have every process look for the owner's new key."""
        ...


Say = Callable[[str], None]


class Rotation:
    """One database's rotation; `say` is told what is done, about every thousand rows."""

    def __init__(
        self,
        store: WrappedKeyStore,
        provider: KeyProvider,
        ring: Ring[Any],
        sealed: Sealed,
        say: Say,
    ) -> None:
        self._store = store
        self._provider = provider
        self._ring = ring
        self._sealed = sealed
        self._say = say

    async def run(self) -> None:
        """Rotate, or go on with a rotation that was cut off; raises Busy."""
        async with self._store.alone() as alone:
            if not alone:
                raise Busy("another rotation of this database is running")
            master, began_at = await self._begin()
            await self._rewrap(master)
            await self._renew(began_at)
            await self._seal_again()
            await self._retire(master)
            await self._store.end(master)
            self._say("done")

    async def _begin(self) -> tuple[str, datetime]:
        row = await self._store.under_way()
        if row is not None and row["name"] == (await self._provider.current()).name:
            self._say(f"going on with the rotation to {row['name']}")
            return row["name"], row["rotation_began_at"]
        if row is not None:
            # Somebody has made another master key since: to that one, then.
            await self._store.end(row["name"])
        master = await self._provider.make()
        began_at = await self._store.begin(master)
        self._say(f"new master key {master.name}")
        return master.name, began_at

    async def _rewrap(self, master: str) -> None:
        """Wrap every data key by the new master key, until none is left under another."""
        done, after = _Progress("data keys wrapped again", self._say), None
        while batch := await self._store.of_others(master, after, BATCH):
            for key in batch:
                await self._rewrap_one(key, master)
                done.add(1)
            after = batch[-1] if len(batch) == BATCH else None
        done.end()

    async def _rewrap_one(self, key: DataKey, master: str) -> None:
        wrapped = await self._provider.wrap(await self._provider.unwrap(key.wrapped))
        if master_of(wrapped) != master:
            raise KeyUnusable("another master key became the current one: rotate once more")
        await self._store.rewrap(key, wrapped, master)

    async def _renew(self, began_at: datetime) -> None:
        """Give every owner a new sealing key, and tell the processes of it."""
        done, after = _Progress("new sealing keys", self._say), None
        while owners := await self._store.behind(began_at, after, BATCH):
            for owner in owners:
                await self._ring.add_version(owner)
                await self._sealed.announce(owner)
                done.add(1)
            after = owners[-1]
        done.end()

    async def _seal_again(self) -> None:
        """Walk until a walk finds nothing that an older key sealed."""
        await asyncio.sleep(HEARD_SECONDS)
        for _ in range(_MOST_WALKS):
            looked = _Progress("sealed values looked at", self._say)
            older = 0
            async for left in self._sealed.walk(seal=True):
                looked.add(left.looked_at)
                older += left.older
            looked.end()
            self._say(f"{older} of them sealed again")
            if not older:
                return
        self._say("values are still being sealed with older keys; they stay readable")

    async def _retire(self, master: str) -> None:
        """End every other master key once nothing is under it."""
        for row in await self._store.masters():
            if row["name"] == master:
                continue
            while row["retired_at"] is None and not await self._store.retire(row["name"]):
                # A process wrapped a new key between our walk and now.
                await self._rewrap(master)
            # Done once more where a rotation was cut off between the two.
            await self._provider.retire(row["name"])
            self._say(f"retired master key {row['name']}")


class _Progress:
    """Counts, and says so every thousand."""

    def __init__(self, what: str, say: Say) -> None:
        self.count = 0
        self._what = what
        self._say = say
        self._said = 0

    def add(self, count: int) -> None:
        self.count += count
        if self.count - self._said >= SAY_EVERY:
            self._said = self.count
            self._say(f"{self.count} {self._what}")

    def end(self) -> None:
        self._say(f"{self.count} {self._what}, all")
