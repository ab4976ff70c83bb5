"""The keys of a merchant: what seals its instruments, what makes its fingerprints.

Envelope encryption: each merchant has data keys of its own, stored wrapped by the master
key (PCI DSS 4.0.1 req. 3.6.1.2); only the key provider sees the master key.
"""

import asyncio
import hashlib
import hmac
import os
from collections import OrderedDict
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.keys import KeyProvider
from runtime.clock import Clock

KEY_BYTES = 32
NONCE_BYTES = 12
VERSION_BYTES = 4
CACHED_MERCHANTS = 10_000
CACHE_SECONDS = 300.0
FIRST_VERSION = 1

# (version, wrapped key), newest version last.
WrappedKeys = list[tuple[int, bytes]]


class SealBroken(Exception):
    """A sealed record was altered, or belongs to another merchant or instrument."""


class KeyStore(Protocol):
    """Where wrapped keys are kept."""

    async def load(self, merchant_id: UUID, purpose: str) -> WrappedKeys:
        """Every version, oldest first; empty for a merchant that has none."""
        ...

    async def add(self, merchant_id: UUID, purpose: str, version: int, wrapped: bytes) -> None:
        """Store a version, unless another process has stored it first."""
        ...


class MerchantKeys:
    """The opened keys of one merchant; AES-256-GCM and HMAC-SHA256 throughout."""

    def __init__(self, merchant_id: UUID, seal_keys: dict[int, bytes], secret: bytes) -> None:
        self._merchant_id = merchant_id
        self._ciphers = {version: AESGCM(key) for version, key in seal_keys.items()}
        self.newest_version = max(seal_keys)
        # Each use and mode has a key of its own, so nothing made for one says anything
        # about another.  A keyed hmac is copied for each use: cheaper than a new one.
        self._digests = {
            (use, livemode): hmac.new(_derive(secret, use, livemode), digestmod=hashlib.sha256)
            for use in ("fingerprint", "token request")
            for livemode in (False, True)
        }

    def seal(self, instrument_id: UUID, plaintext: bytes) -> bytes:
        """Encrypt under the newest key; the result opens for this instrument only."""
        nonce = os.urandom(NONCE_BYTES)
        bound_to = self._bound_to(instrument_id, self.newest_version)
        return nonce + self._ciphers[self.newest_version].encrypt(nonce, plaintext, bound_to)

    def open(self, instrument_id: UUID, version: int, sealed: bytes) -> bytes:
        """Decrypt what `seal` made under key `version`; raises SealBroken."""
        cipher = self._ciphers.get(version)
        if cipher is None:
            raise SealBroken
        nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, ciphertext, self._bound_to(instrument_id, version))
        except InvalidTag:
            raise SealBroken from None

    def knows(self, version: int) -> bool:
        """True when this key version is among the opened ones."""
        return version in self._ciphers

    def fingerprint(self, livemode: bool, text: str) -> str:
        """A keyed digest, 32 hex digits: equal within a merchant and mode, unrelated across.

        PCI DSS 4.0.1 req. 3.5.1.1: digests of card numbers are keyed.
        """
        return self._digest("fingerprint", livemode, text)[:32]

    def request_digest(self, livemode: bool, text: str) -> str:
        """The keyed digest by which a repeated token request is recognised, 64 hex digits."""
        return self._digest("token request", livemode, text)

    def _digest(self, use: str, livemode: bool, text: str) -> str:
        keyed = self._digests[use, livemode].copy()
        keyed.update(text.encode())
        return keyed.hexdigest()

    def _bound_to(self, instrument_id: UUID, version: int) -> bytes:
        return (
            self._merchant_id.bytes + instrument_id.bytes + version.to_bytes(VERSION_BYTES, "big")
        )


class Keyring:
    """Opens merchants' keys and remembers the last 10,000 for five minutes."""

    def __init__(self, store: KeyStore, provider: KeyProvider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock
        self._opened: OrderedDict[UUID, tuple[float, MerchantKeys]] = OrderedDict()
        self._opening: dict[UUID, asyncio.Task[MerchantKeys]] = {}

    def remembered(self, merchant_id: UUID) -> MerchantKeys | None:
        """The keys when they are at hand: the way of nearly every call."""
        entry = self._opened.get(merchant_id)
        if entry is None or entry[0] < self._clock.monotonic():
            return None
        self._opened.move_to_end(merchant_id)
        return entry[1]

    async def keys(self, merchant_id: UUID) -> MerchantKeys:
        """The merchant's keys, made when it has none."""
        keys = self.remembered(merchant_id)
        if keys is not None:
            return keys
        # Callers that come together wait for one opening.
        task = self._opening.get(merchant_id)
        if task is None:
            task = asyncio.create_task(self._open(merchant_id))
            self._opening[merchant_id] = task
            task.add_done_callback(lambda _: self._opening.pop(merchant_id, None))
        return await asyncio.shield(task)

    async def keys_with(self, merchant_id: UUID, version: int) -> MerchantKeys:
        """The merchant's keys, read again when another process has rotated them since."""
        keys = await self.keys(merchant_id)
        if not keys.knows(version):
            self._opened.pop(merchant_id, None)
            keys = await self.keys(merchant_id)
        return keys

    async def rotate(self, merchant_id: UUID) -> int:
        """Seal with a new key from now on; what older ones sealed stays readable.

        PCI DSS 4.0.1 req. 3.7.4.  Other processes follow within five minutes.
        """
        version = (await self.keys(merchant_id)).newest_version + 1
        await self._add(merchant_id, "seal", version)
        self._opened.pop(merchant_id, None)
        return version

    async def _open(self, merchant_id: UUID) -> MerchantKeys:
        seal_keys = await self._load(merchant_id, "seal")
        secrets = await self._load(merchant_id, "fingerprint")
        keys = MerchantKeys(merchant_id, seal_keys, secrets[FIRST_VERSION])
        self._opened[merchant_id] = (self._clock.monotonic() + CACHE_SECONDS, keys)
        if len(self._opened) > CACHED_MERCHANTS:
            self._opened.popitem(last=False)
        return keys

    async def _load(self, merchant_id: UUID, purpose: str) -> dict[int, bytes]:
        wrapped = await self._store.load(merchant_id, purpose)
        if not wrapped:
            await self._add(merchant_id, purpose, FIRST_VERSION)
            # Read back: the version that counts is the one that was stored first.
            wrapped = await self._store.load(merchant_id, purpose)
        return {version: await self._provider.unwrap(sealed) for version, sealed in wrapped}

    async def _add(self, merchant_id: UUID, purpose: str, version: int) -> None:
        wrapped = await self._provider.wrap(os.urandom(KEY_BYTES))
        await self._store.add(merchant_id, purpose, version, wrapped)


def _derive(secret: bytes, use: str, livemode: bool) -> bytes:
    context = f"paymint {use} {'live' if livemode else 'test'} v1".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=context).derive(secret)
