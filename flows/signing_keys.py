"""The RSA keys that sign access tokens: made, published, used, retired.

A key is published an hour before it signs, and until the last token of its own has ended
(RFC 9700 section 4.1 names rotation; PCI DSS 4.0.1 req. 3.7.4).  The private half is sealed at
rest.  Rows are read again every minute, and at once for a key that is not known.
"""

import asyncio
import base64
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from adapters.keys import PLATFORM, Seals
from domain.oauth import ACCESS_TOKEN_SECONDS
from models import signing_keys as rows
from models.sealed import OAUTH_SIGNING_KEY
from runtime.clock import Clock
from runtime.database import Database, Row, Transaction
from runtime.ids import uuid7

KEY_BITS = 2048
PUBLIC_EXPONENT = 65537
ROWS_FRESH_SECONDS = 60.0
# For a key id that nobody knows the rows are read again, but not for each such token.
LOOK_AGAIN_SECONDS = 1.0
PUBLISHED_BEFORE = timedelta(hours=1)
# How long a key is published after the next one began to sign: its tokens, and slow clocks.
PUBLISHED_AFTER = timedelta(seconds=2 * ACCESS_TOKEN_SECONDS)
ROTATED_AFTER = timedelta(days=90)


class SigningKey(NamedTuple):
    """A key that may sign now: its name in the header of a token, and the private half."""

    kid: str
    private: rsa.RSAPrivateKey


class SigningKeys:
    """The keys as one process knows them."""

    def __init__(self, database: Database, seals: Seals, clock: Clock) -> None:
        self._database = database
        self._seals = seals
        self._clock = clock
        self._rows: list[Row] = []
        self._public: dict[str, rsa.RSAPublicKey] = {}
        self._private: dict[str, rsa.RSAPrivateKey] = {}
        self._read_at = -math.inf
        self._reading = asyncio.Lock()

    async def current(self) -> SigningKey:
        """The key that signs now; the first one is made when it is asked for."""
        await self._refresh(ROWS_FRESH_SECONDS)
        row = _signing(self._rows, self._clock.now())
        kid = row["id"].hex
        if kid not in self._private:
            der = await self._seals.open(
                PLATFORM, OAUTH_SIGNING_KEY, bytes(row["private_key_sealed"])
            )
            private = load_der_private_key(der, None)
            assert isinstance(private, rsa.RSAPrivateKey)
            self._private[kid] = private
        return SigningKey(kid, self._private[kid])

    async def public(self, kid: str) -> rsa.RSAPublicKey | None:
        """The public half of one of our published keys; nothing is ever fetched for a token."""
        if kid not in self._public:
            await self._refresh(LOOK_AGAIN_SECONDS)
        else:
            await self._refresh(ROWS_FRESH_SECONDS)
        return self._public.get(kid)

    async def published(self) -> list[dict[str, str]]:
        """The keys as a JWK set has them (RFC 7517), oldest first."""
        await self._refresh(ROWS_FRESH_SECONDS)
        return [_jwk(kid, key) for kid, key in self._public.items()]

    def forget(self) -> None:
        """Read the rows again before the next use."""
        self._read_at = -math.inf

    async def _refresh(self, fresh_seconds: float) -> None:
        if self._clock.monotonic() - self._read_at < fresh_seconds:
            return
        async with self._reading:
            if self._clock.monotonic() - self._read_at < fresh_seconds:
                return
            async with self._database.reading() as transaction:
                found = await rows.read_signing_keys(transaction)
            if not found:
                found = await make_signing_key(
                    self._database, self._seals, self._clock, unless_any=True
                )
            now = self._clock.now()
            self._rows = found
            self._public = {
                row["id"].hex: self._public.get(row["id"].hex) or _loaded(row)
                for row, following in zip(found, [*found[1:], None], strict=True)
                if following is None or now < following["signs_from"] + PUBLISHED_AFTER
            }
            self._private = {k: key for k, key in self._private.items() if k in self._public}
            self._read_at = self._clock.monotonic()


async def make_signing_key(
    database: Database,
    seals: Seals,
    clock: Clock,
    *,
    at_once: bool = False,
    unless_any: bool = False,
) -> list[Row]:
    """Make the next key, unless one waits to sign; `at_once`: it signs from now on.

    `unless_any`: only where there is none; another process may have made it meanwhile.
    Answers every key, in the order in which they sign.
    """
    private = await asyncio.to_thread(_generate)
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    sealed = await seals.seal(PLATFORM, OAUTH_SIGNING_KEY, der)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    async with database.transaction() as transaction:
        await rows.lock_signing_keys(transaction)
        found = await rows.read_signing_keys(transaction)
        now = clock.now()
        first = not found
        waits = not first and (unless_any or found[-1]["signs_from"] > now)
        if at_once or not waits:
            await rows.insert_signing_key(
                transaction,
                id=uuid7(clock.unix_ms()),
                public_key=public,
                private_key_sealed=sealed,
                created_at=now,
                signs_from=now if first or at_once else now + PUBLISHED_BEFORE,
            )
        return await _without_retired(transaction, now)


async def rotate_when_due(database: Database, seals: Seals, clock: Clock) -> int:
    """Make the next key when the newest has signed for 90 days; answers how many were made."""
    async with database.reading() as transaction:
        found = await rows.read_signing_keys(transaction)
    if not found or clock.now() < found[-1]["signs_from"] + ROTATED_AFTER:
        return 0
    await make_signing_key(database, seals, clock)
    return 1


async def _without_retired(transaction: Transaction, now: datetime) -> list[Row]:
    found = await rows.read_signing_keys(transaction)
    retired = [
        row for row, following in pairwise(found) if following["signs_from"] + PUBLISHED_AFTER < now
    ]
    if retired:
        kept = found[len(retired)]
        await rows.delete_signing_keys(transaction, kept["signs_from"])
        found = await rows.read_signing_keys(transaction)
    return found


def _signing(found: Sequence[Row], now: datetime) -> Row:
    begun = [row for row in found if row["signs_from"] <= now]
    # Before all of them: this process's clock is behind that of the one that made the first.
    return begun[-1] if begun else found[0]


def _generate() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(PUBLIC_EXPONENT, KEY_BITS)


def _loaded(row: Row) -> rsa.RSAPublicKey:
    public = load_der_public_key(bytes(row["public_key"]))
    assert isinstance(public, rsa.RSAPublicKey)
    return public


def _jwk(kid: str, key: rsa.RSAPublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    parts: dict[str, Any] = {"n": _number(numbers.n), "e": _number(numbers.e)}
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, **parts}


def _number(value: int) -> str:
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
