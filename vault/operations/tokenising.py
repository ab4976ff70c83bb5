"""Turns what a payer typed into a token: sealed, fingerprinted, good for 15 minutes."""

from base64 import b64encode
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from domain.refusals import Conflict
from runtime.clock import Clock
from runtime.ids import uuid7
from runtime.masked import Masked
from vault.instruments import Card, Secret, fingerprint_text, kind_of, last_four, to_plaintext
from vault.keyring import Keyring, MerchantKeys
from vault.networks.behaviours import network_of
from vault.operations.reading import CardRefused, read_instrument
from vault.operations.security_codes import SecurityCodes
from vault.store.instruments import InstrumentStore, Stored
from vault.store.keys import PublishableKey
from vault.store.tokens import NewToken, TokenReply, TokenStore

TOKEN_LIFETIME = timedelta(minutes=15)

_canonical = msgspec.json.Encoder(order="sorted")


class Tokenising:
    """Makes tokens; one key makes one token, however often it comes."""

    def __init__(
        self,
        tokens: TokenStore,
        instruments: InstrumentStore,
        keyring: Keyring,
        codes: SecurityCodes,
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._instruments = instruments
        self._keyring = keyring
        self._codes = codes
        self._clock = clock

    async def make(
        self, key: PublishableKey, body: dict[str, Any], request_key: UUID | None
    ) -> tuple[Stored, bool]:
        """The token's row, and whether it is a replay.

        `body` fits the contract's TokenCreate.  Raises CardRefused (402), Conflict (409).
        """
        keys = await self._keyring.of(key.merchant_id)
        blank = self._blank_row(key, request_key, keys.request_digest(key.livemode, _text(body)))
        cvc: Masked | None = None
        try:
            secret, cvc = read_instrument(body, self._clock.now())
        except CardRefused as refusal:
            # What the digest does not cover is not remembered: a CVC may be typed again.
            if request_key is None or refusal.code == "invalid_cvc":
                raise
            row = blank._replace(refusal=f"{refusal.code} {refusal.param}")
        else:
            row = _filled(blank, keys, secret)
        if cvc is not None:
            # Before the row can be seen, so that the first authorisation finds it.
            self._codes.keep(row.id, cvc)
        return await self._answer(row, await self._tokens.store(row), cvc)

    async def _answer(
        self, row: NewToken, reply: TokenReply, cvc: Masked | None
    ) -> tuple[Stored, bool]:
        if not reply.replayed and reply.refusal is None:
            return _stored(row), False
        self._codes.drop(row.id)
        if reply.digest != row.digest:
            raise Conflict("idempotency_key_reused", "Idempotency-Key")
        if reply.refusal is not None:
            code, _, param = reply.refusal.partition(" ")
            raise CardRefused(code, param, replayed=reply.replayed)
        stored = await self._instruments.look(reply.token_id, row.merchant_id)
        assert stored is not None
        if cvc is not None and stored.state == "token":
            self._codes.keep(stored.id, cvc)
        return stored, True

    def _blank_row(self, key: PublishableKey, request_key: UUID | None, digest: str) -> NewToken:
        now = self._clock.now()
        return NewToken(
            id=uuid7(),
            merchant_id=key.merchant_id,
            livemode=key.livemode,
            request_key=request_key,
            digest=digest,
            created_at=now,
            expires_at=now + TOKEN_LIFETIME,
        )


def _filled(blank: NewToken, keys: MerchantKeys, secret: Secret) -> NewToken:
    card = secret if isinstance(secret, Card) else None
    return blank._replace(
        type=kind_of(secret),
        sealed=b64encode(keys.seal(blank.id, to_plaintext(secret))).decode(),
        key_version=keys.newest_version,
        fingerprint=keys.fingerprint(blank.livemode, fingerprint_text(secret)),
        network=network_of(secret),
        brand=card.brand if card else None,
        last_four=last_four(secret),
        exp_month=card.exp_month if card else None,
        exp_year=card.exp_year if card else None,
    )


def _text(body: dict[str, Any]) -> str:
    """The request as its digest covers it: everything but the CVC."""
    kind = body["type"]
    details = {name: value for name, value in body[kind].items() if name != "cvc"}
    return _canonical.encode([kind, details]).decode()


def _stored(row: NewToken) -> Stored:
    """The row as the table has it now, without reading it back."""
    assert row.type is not None and row.fingerprint is not None and row.network is not None
    return Stored(
        id=row.id,
        merchant_id=row.merchant_id,
        livemode=row.livemode,
        state="token",
        type=row.type,
        ciphertext=None,
        key_version=row.key_version or 0,
        fingerprint=row.fingerprint,
        network=row.network,
        brand=row.brand,
        last_four=row.last_four,
        exp_month=row.exp_month,
        exp_year=row.exp_year,
        used_by=None,
        spent_for=None,
        expires_at=row.expires_at,
        created_at=row.created_at,
        expired=False,
    )
