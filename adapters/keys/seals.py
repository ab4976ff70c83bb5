"""What is secret at rest in the main house: sealed under a key of its owner.

Envelope encryption: each owner (a merchant, or the platform) has data keys of its own, stored
wrapped by the master key (PCI DSS 4.0.1 req. 3.6.1.2).  AES-256-GCM; what is sealed opens for
the same owner and purpose only.  Owners' keys are remembered for five minutes.
"""

import asyncio
import hashlib
import hmac
import os
from collections import OrderedDict
from typing import Final, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.keys.provider import KeyProvider
from runtime.clock import Clock

PLATFORM: Final = UUID(int=0)
KEY_BYTES = 32
NONCE_BYTES = 12
VERSION_BYTES = 4
FIRST_VERSION = 1
REMEMBERED_OWNERS = 10_000
REMEMBERED_SECONDS = 300.0
# Sealing keys are rotated; the key of digests is not, or nothing would be found again.
SEAL, INDEX = "seal", "index"


class SealBroken(Exception):
    """A sealed value was altered, or belongs to another owner or purpose."""


class DataKeys(Protocol):
    """Where wrapped data keys are kept."""

    async def load(self, owner: UUID, use: str) -> list[tuple[int, bytes]]:
        """Every version and its wrapped key, oldest first."""
        ...

    async def add(self, owner: UUID, use: str, version: int, wrapped: bytes) -> None:
        """Store a version, unless another process has stored it first."""
        ...


class OwnerKeys:
    """The opened keys of one owner."""

    def __init__(self, owner: UUID, seal_keys: dict[int, bytes], index_key: bytes) -> None:
        self._owner = owner
        self._ciphers = {version: AESGCM(key) for version, key in seal_keys.items()}
        self._index_key = index_key
        self.newest = max(seal_keys)

    def seal(self, purpose: str, plaintext: bytes) -> bytes:
        """Version, nonce and ciphertext, under the newest key."""
        version, nonce = self.newest.to_bytes(VERSION_BYTES, "big"), os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self.newest].encrypt(nonce, plaintext, self._bound(purpose, version))
        return version + nonce + sealed

    def knows(self, sealed: bytes) -> bool:
        """Whether the key that sealed this is among the opened ones."""
        return version_of(sealed) in self._ciphers

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """What was sealed for this purpose; raises SealBroken."""
        cipher = self._ciphers.get(version_of(sealed))
        if cipher is None:
            raise SealBroken
        nonce = sealed[VERSION_BYTES : VERSION_BYTES + NONCE_BYTES]
        bound = self._bound(purpose, sealed[:VERSION_BYTES])
        try:
            return cipher.decrypt(nonce, sealed[VERSION_BYTES + NONCE_BYTES :], bound)
        except (InvalidTag, ValueError):
            raise SealBroken from None

    def index(self, purpose: str, text: str) -> bytes:
        """A keyed digest, 32 bytes, by which an equal text of this owner is found again."""
        derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=f"paymint index {purpose} v1".encode())
        return hmac.digest(derived.derive(self._index_key), text.encode(), hashlib.sha256)

    def _bound(self, purpose: str, version: bytes) -> bytes:
        return self._owner.bytes + version + purpose.encode()


def version_of(sealed: bytes) -> int:
    """The version of the key under which it was sealed."""
    return int.from_bytes(sealed[:VERSION_BYTES], "big")


class Seals:
    """Opens owners' keys and remembers them."""

    def __init__(self, keys: DataKeys, provider: KeyProvider, clock: Clock) -> None:
        self._keys = keys
        self._provider = provider
        self._clock = clock
        self._opened: OrderedDict[UUID, tuple[float, OwnerKeys]] = OrderedDict()
        self._opening: dict[UUID, asyncio.Task[OwnerKeys]] = {}

    async def seal(self, owner: UUID, purpose: str, plaintext: bytes) -> bytes:
        """`plaintext` sealed for this owner and purpose."""
        return (await self.of(owner)).seal(purpose, plaintext)

    async def open(self, owner: UUID, purpose: str, sealed: bytes) -> bytes:
        """What was sealed; raises SealBroken."""
        keys = await self.of(owner)
        if not keys.knows(sealed):
            # Another process has rotated since.
            self._opened.pop(owner, None)
            keys = await self.of(owner)
        return keys.open(purpose, sealed)

    async def index(self, owner: UUID, purpose: str, text: str) -> bytes:
        """The keyed digest of a text, to find it by equality."""
        return (await self.of(owner)).index(purpose, text)

    def at_hand(self, owner: UUID) -> OwnerKeys | None:
        """The owner's keys when they are remembered, without waiting."""
        entry = self._opened.get(owner)
        if entry is None or entry[0] < self._clock.monotonic():
            return None
        self._opened.move_to_end(owner)
        return entry[1]

    async def of(self, owner: UUID) -> OwnerKeys:
        """The owner's keys, made when there are none."""
        keys = self.at_hand(owner)
        if keys is not None:
            return keys
        # Callers that come together wait for one opening.
        task = self._opening.get(owner)
        if task is None:
            task = self._opening[owner] = asyncio.create_task(self._open(owner))
            task.add_done_callback(lambda _: self._opening.pop(owner, None))
        return await asyncio.shield(task)

    async def _open(self, owner: UUID) -> OwnerKeys:
        seal_keys = await self._load(owner, SEAL)
        index_keys = await self._load(owner, INDEX)
        keys = OwnerKeys(owner, seal_keys, index_keys[FIRST_VERSION])
        self._opened[owner] = (self._clock.monotonic() + REMEMBERED_SECONDS, keys)
        if len(self._opened) > REMEMBERED_OWNERS:
            self._opened.popitem(last=False)
        return keys

    async def _load(self, owner: UUID, use: str) -> dict[int, bytes]:
        wrapped = await self._keys.load(owner, use)
        if not wrapped:
            fresh = await self._provider.wrap(os.urandom(KEY_BYTES))
            await self._keys.add(owner, use, FIRST_VERSION, fresh)
            # Read back: the version that counts is the one that was stored first.
            wrapped = await self._keys.load(owner, use)
        return {version: await self._provider.unwrap(each) for version, each in wrapped}
