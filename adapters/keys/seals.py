"""What is secret at rest in the main house: sealed under a key of its owner.

AES-256-GCM; what is sealed opens for the same owner and purpose only.
"""

import hashlib
import hmac
import os
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.keys.provider import KeyProvider
from adapters.keys.ring import KEY_BYTES, DataKeys, Ring
from runtime.clock import Clock

PLATFORM: Final = UUID(int=0)
NONCE_BYTES: Final = 12
VERSION_BYTES: Final = 4
INDEX: Final = "index"


class SealBroken(Exception):
    """A sealed value was altered, or belongs to another owner or purpose."""


class OwnerKeys:
    """The opened keys of one owner."""

    def __init__(self, owner: UUID, seal_keys: dict[int, bytes], index_key: bytes) -> None:
        self._owner = owner
        self._ciphers = {version: AESGCM(key) for version, key in seal_keys.items()}
        self._index_key = index_key
        # A keyed hmac is copied for each use: cheaper than deriving its key again.
        self._indexes: dict[str, hmac.HMAC] = {}
        self.newest = max(seal_keys)

    def seal(self, purpose: str, plaintext: bytes) -> bytes:
        """Version, nonce and ciphertext, under the newest key."""
        version, nonce = self.newest.to_bytes(VERSION_BYTES, "big"), os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self.newest].encrypt(nonce, plaintext, self._bound(purpose, version))
        return version + nonce + sealed

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the newest key sealed this."""
        return version_of(sealed) == self.newest

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
        keyed = self._indexes.get(purpose)
        if keyed is None:
            about = f"paymint index {purpose} v1".encode()
            derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=about).derive(self._index_key)
            keyed = self._indexes[purpose] = hmac.new(derived, digestmod=hashlib.sha256)
        keyed = keyed.copy()
        keyed.update(text.encode())
        return keyed.digest()

    def _bound(self, purpose: str, version: bytes) -> bytes:
        return self._owner.bytes + version + purpose.encode()


def version_of(sealed: bytes) -> int:
    """The version of the key under which it was sealed."""
    return int.from_bytes(sealed[:VERSION_BYTES], "big")


class Seals(Ring[OwnerKeys]):
    """What is sealed for owners of the main house."""

    def __init__(self, keys: DataKeys, provider: KeyProvider, clock: Clock) -> None:
        super().__init__(keys, provider, clock, INDEX, OwnerKeys)

    async def seal(self, owner: UUID, purpose: str, plaintext: bytes) -> bytes:
        """`plaintext` sealed for this owner and purpose."""
        return (await self.of(owner)).seal(purpose, plaintext)

    async def open(self, owner: UUID, purpose: str, sealed: bytes) -> bytes:
        """What was sealed; raises SealBroken."""
        return (await self.knowing(owner, sealed)).open(purpose, sealed)

    async def knowing(self, owner: UUID, *sealed: bytes | None) -> OwnerKeys:
        """The owner's keys, read again when another process has rotated them since."""
        keys = await self.of(owner)
        if not all(each is None or keys.knows(each) for each in sealed):
            self.forget(owner)
            keys = await self.of(owner)
        return keys

    async def index(self, owner: UUID, purpose: str, text: str) -> bytes:
        """The keyed digest of a text, to find it by equality."""
        return (await self.of(owner)).index(purpose, text)
