"""The keys of a merchant: what seals its instruments, what makes its fingerprints.

Envelope encryption: each merchant has data keys of its own, stored wrapped by the master
key (PCI DSS 4.0.1 req. 3.6.1.2); only the key provider sees the master key.
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

from adapters.keys import DataKeys, KeyProvider, Ring
from adapters.keys.ring import KEY_BYTES
from runtime.clock import Clock

NONCE_BYTES: Final = 12
VERSION_BYTES: Final = 4
FINGERPRINT: Final = "fingerprint"


class SealBroken(Exception):
    """A sealed record was altered, or belongs to another merchant or instrument."""


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


class Keyring(Ring[MerchantKeys]):
    """The keys of merchants."""

    def __init__(self, store: DataKeys, provider: KeyProvider, clock: Clock) -> None:
        super().__init__(store, provider, clock, FINGERPRINT, MerchantKeys)

    async def keys_with(self, merchant_id: UUID, version: int) -> MerchantKeys:
        """The merchant's keys, read again when another process has rotated them since."""
        keys = await self.of(merchant_id)
        if not keys.knows(version):
            self.forget(merchant_id)
            keys = await self.of(merchant_id)
        return keys


def _derive(secret: bytes, use: str, livemode: bool) -> bytes:
    context = f"paymint {use} {'live' if livemode else 'test'} v1".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=context).derive(secret)
