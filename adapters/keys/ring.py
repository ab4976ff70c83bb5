"""Owners' data keys, opened and remembered: one ring for the vault and for the main house.

Envelope encryption: each owner (a merchant, or the platform) has data keys of its own, stored
wrapped by the master key (PCI DSS 4.0.1 req. 3.6.1.2).  Keys that seal are rotated and their
older versions stay readable; the key of digests is not, or nothing would be found again.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID

from adapters.keys.provider import KeyProvider, KeysOutOfReach, KeyUnusable, master_of
from runtime.clock import Clock
from runtime.wrapped_keys import MasterKey, NewKey, WrappedKeys

KEY_BYTES: Final = 32
FIRST_VERSION: Final = 1
REMEMBERED_OWNERS: Final = 10_000
REMEMBERED_SECONDS: Final = 300.0
SEAL: Final = "seal"
# A master key may be retired between wrapping and storing; the next one will be current.
_TRIES: Final = 3

Opened = TypeVar("Opened")


class DataKeys(Protocol):
    """Where wrapped data keys are kept."""

    async def load(self, owner: UUID, use: str) -> WrappedKeys:
        """Every version and its wrapped key, oldest first."""
        ...

    async def samples(self) -> list[bytes]:
        """A wrapped key for each master key in use, where it has wrapped any."""
        ...

    async def add(self, key: NewKey) -> bool:
        """Store a version, unless there is one; False where its master key is not in use."""
        ...

    async def meet(self, master: MasterKey) -> None:
        """Note a master key that is in use from now on, unless it is known."""
        ...


class _Entry(NamedTuple, Generic[Opened]):
    until: float
    opened: Opened


class Ring(Generic[Opened]):
    """Opens owners' keys and remembers the last 10,000; looks for newer versions after 5 minutes.

    `fixed` names the use of the key that is never rotated.  What was opened once is not
    unwrapped again, so a key holder that is out of reach stops nobody who is remembered.
    """

    def __init__(
        self,
        store: DataKeys,
        provider: KeyProvider,
        clock: Clock,
        fixed: str,
        build: Callable[[UUID, dict[int, bytes], bytes], Opened],
    ) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock
        self._fixed = fixed
        self._build = build
        self._entries: OrderedDict[UUID, _Entry[Opened]] = OrderedDict()
        self._unwrapped: dict[UUID, dict[tuple[str, int], bytes]] = {}
        self._opening: dict[UUID, asyncio.Task[Opened]] = {}
        self._is_proven = False
        # How often something was to be forgotten: an opening under way may be behind it.
        self._times_forgotten = 0

    def at_hand(self, owner: UUID) -> Opened | None:
        """The owner's keys when they are remembered: the way of nearly every call."""
        entry = self._entries.get(owner)
        if entry is None or entry.until < self._clock.monotonic():
            return None
        self._entries.move_to_end(owner)
        return entry.opened

    async def of(self, owner: UUID) -> Opened:
        """The owner's keys, made when there are none; raises KeysOutOfReach, KeyUnusable."""
        opened = self.at_hand(owner)
        if opened is not None:
            return opened
        # Callers that come together wait for one opening.
        task = self._opening.get(owner)
        if task is None:
            task = self._opening[owner] = asyncio.create_task(self._open(owner))
            task.add_done_callback(lambda _: self._opening.pop(owner, None))
        return await asyncio.shield(task)

    def forget(self, owner: UUID) -> None:
        """Look for newer versions at the next use."""
        self._times_forgotten += 1
        entry = self._entries.get(owner)
        if entry is not None:
            self._entries[owner] = entry._replace(until=float("-inf"))

    def forget_all(self) -> None:
        """Look for newer versions of every owner."""
        self._times_forgotten += 1
        for owner in self._entries:
            self.forget(owner)

    async def prove(self) -> None:
        """Raise KeyUnusable unless every master key in use opens what it has wrapped.

        A key directory that is empty, or another's, holds a key of the same name: what it
        wrapped would be lost as soon as the right one is back.
        """
        for wrapped in await self._store.samples():
            try:
                await self._provider.unwrap(wrapped)
            except KeyUnusable as error:
                raise KeyUnusable(
                    f"{master_of(wrapped)} does not open what was wrapped by it ({error}):"
                    " put the right master key back; nothing was changed"
                ) from None
        self._is_proven = True

    async def add_version(self, owner: UUID) -> int:
        """Seal with a new key from now on; what older ones sealed stays readable.

        PCI DSS 4.0.1 req. 3.7.4.  Other processes follow when they hear of it, or within five
        minutes.
        """
        await self.of(owner)
        version = max(version for version, _ in await self._store.load(owner, SEAL)) + 1
        await self._add(owner, SEAL, version)
        self.forget(owner)
        return version

    async def _open(self, owner: UUID) -> Opened:
        before, times_forgotten = self._entries.get(owner), self._times_forgotten
        known = self._unwrapped.get(owner, {})
        try:
            seal_keys = await self._load(owner, SEAL, known)
            fixed = await self._load(owner, self._fixed, known)
        except KeysOutOfReach:
            if before is None:
                raise
            # The keys there are do their work until the holder is back.
            return before.opened
        self._unwrapped[owner] = {
            **{(SEAL, version): key for version, key in seal_keys.items()},
            **{(self._fixed, version): key for version, key in fixed.items()},
        }
        opened = self._build(owner, seal_keys, fixed[FIRST_VERSION])
        until = self._clock.monotonic() + REMEMBERED_SECONDS
        if times_forgotten != self._times_forgotten:
            until = float("-inf")
        self._entries[owner] = _Entry(until, opened)
        self._entries.move_to_end(owner)
        if len(self._entries) > REMEMBERED_OWNERS:
            gone, _ = self._entries.popitem(last=False)
            self._unwrapped.pop(gone, None)
        return opened

    async def _load(
        self, owner: UUID, use: str, known: dict[tuple[str, int], bytes]
    ) -> dict[int, bytes]:
        wrapped = await self._store.load(owner, use)
        if not wrapped:
            await self._add(owner, use, FIRST_VERSION)
            # Read back: the version that counts is the one that was stored first.
            wrapped = await self._store.load(owner, use)
        opened = {}
        for version, each in wrapped:
            key = known.get((use, version))
            opened[version] = key or await self._provider.unwrap(each)
        return opened

    async def _add(self, owner: UUID, use: str, version: int) -> None:
        if not self._is_proven:
            await self.prove()
        for _ in range(_TRIES):
            wrapped = await self._provider.wrap(os.urandom(KEY_BYTES))
            key = NewKey(owner, use, version, wrapped, master_of(wrapped))
            if await self._store.add(key):
                return
            current = await self._provider.current()
            if current.name == key.master:
                await self._store.meet(current)
        raise KeysOutOfReach("the current master key is not in use")
