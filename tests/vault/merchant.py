"""A merchant of the tests: makes tokens as the token door does, and relay requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.keys import file_provider
from adapters.vault_door import VaultDoor
from contract import relay
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.ids import uuid7
from tests.vault.house import House
from tests.vault.linking import linked
from vault.keyring import Keyring
from vault.operations.security_codes import SecurityCodes
from vault.operations.tokenising import Tokenising
from vault.store.instruments import InstrumentStore
from vault.store.keys import DataKeyStore, PublishableKey
from vault.store.tokens import TokenStore

VISA = "4242424242424242"


def card(number: str = VISA, cvc: str | None = None) -> dict[str, Any]:
    """A body of the token door, with a CVC when one is given."""
    details: dict[str, Any] = {"number": number, "exp_month": 12, "exp_year": 2040}
    return {"type": "card", "card": details | ({"cvc": cvc} if cvc else {})}


@dataclass
class Merchant:
    """Acts for one merchant in test mode."""

    door: VaultDoor
    tokenising: Tokenising
    id: UUID

    @property
    def key(self) -> PublishableKey:
        return PublishableKey(self.id, False, False)

    @property
    def scope(self) -> dict[str, Any]:
        return {"request_id": "req_test", "merchant_id": self.id, "livemode": False}

    async def token(self, number: str = VISA) -> UUID:
        stored, _ = await self.tokenising.make(self.key, card(number), None)
        return stored.id

    async def method(self, number: str = VISA) -> UUID:
        """A saved instrument."""
        token_id, method_id = await self.token(number), uuid7()
        saved = await self.door.call(
            relay.Attach(**self.scope, token_id=token_id, method_id=method_id)
        )
        assert isinstance(saved, relay.Instrument)
        return method_id

    def authorise(self, instrument_id: UUID, **fields: Any) -> relay.Authorise:
        request: dict[str, Any] = {
            **self.scope,
            "attempt_id": uuid7(),
            "payment_id": uuid7(),
            "instrument_id": instrument_id,
            "amount": 1000,
            "currency": "usd",
            "capture": False,
        }
        return relay.Authorise(**(request | fields))

    async def resolve(self, attempt_id: UUID) -> relay.Answer:
        return await self.door.call(relay.Resolve(**self.scope, attempt_id=attempt_id))


@asynccontextmanager
async def merchant(house: House) -> AsyncIterator[Merchant]:
    """A merchant with a door of its own to the house's vault."""
    clock = SystemClock()
    database = Database(house.database_url)
    await database.open()
    instruments, tokens = InstrumentStore(database), TokenStore(house.database_url)
    provider = file_provider(house.directory / "keys")
    keyring = Keyring(DataKeyStore(database), provider, clock)
    tokenising = Tokenising(tokens, instruments, keyring, SecurityCodes(clock), clock)
    try:
        async with house.door() as door:
            payer = Merchant(door, tokenising, uuid7())
            await linked(door, payer.id)
            yield payer
    finally:
        await tokens.close()
        await database.close()
