"""A process of the main house inside the test, which may be lost at any call to the vault.

It works on the running stack's own database and vault.  `Lost` ends a flow the way kill -9
ends a process: nothing after that line runs, nothing is put in order.
"""

import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

from adapters.settings import Settings
from adapters.vault_door import VaultDoor
from contract import relay
from domain.callers import Asking, Caller, Once
from domain.ids import from_text, to_text
from domain.payment_requests import PaymentRequest
from domain.risk_signals import from_country
from flows.house import House, open_house
from flows.payment_operations import cancel_payment, capture_payment
from flows.payments import create_payment
from flows.replies import Reply
from runtime.ids import uuid7
from tests.shop import Merchant, Shop
from tests.vault.linking import linked
from tests.workers.house import MovableClock, resume_due_payments

PROCESS_NUMBER = "9"
# A lost request is taken up after 10 s, a lost round of recovery after 5 s; 30 s end a payment.
TAKEN_UP_AFTER = timedelta(seconds=11)
AMOUNT = 10000
# Where the requests of a till are said to come from.
COUNTRY = "FR"

Happening = Callable[[], Awaitable[None]]


class Lost(BaseException):
    """The process is gone."""


async def lost() -> None:
    """What happens when the process ends here."""
    raise Lost


@dataclass
class BreakingDoor:
    """The real door; before or after one kind of call something happens, once."""

    real: VaultDoor
    before: dict[type, Happening] = field(default_factory=dict)
    after: dict[type, Happening] = field(default_factory=dict)
    instead: dict[type, relay.Answer] = field(default_factory=dict)
    asked: list[relay.Request] = field(default_factory=list)

    async def call(self, request: relay.Request, timeout_seconds: float = 3.0) -> relay.Answer:
        self.asked.append(request)
        if happening := self.before.pop(type(request), None):
            await happening()
        if (answer := self.instead.pop(type(request), None)) is not None:
            return answer
        answer = await self.real.call(request, timeout_seconds)
        if happening := self.after.pop(type(request), None):
            await happening()
        return answer


@dataclass
class Till:
    """One merchant's requests, made straight to the flows of an opened house."""

    house: House
    door: BreakingDoor
    clock: MovableClock
    merchant: Merchant

    def asking(self, key: UUID, *about: object) -> Asking:
        """A request under a key; `about` is what its digest is made of."""
        merchant_id = from_text("mch", self.merchant.id)
        assert merchant_id is not None
        caller = Caller(merchant_id, False, uuid4(), "sk_test_...", frozenset(), "active")
        digest = hashlib.sha256(repr(about).encode()).digest()
        once, signals = Once(key, digest), from_country(COUNTRY)
        return Asking(caller, to_text("req", uuid7()), once, risk_signals=signals)

    async def pay(self, key: UUID, instrument: str, *, capture: bool = True) -> Reply:
        request = PaymentRequest(AMOUNT, "usd", instrument, None, capture, None, {})
        return await create_payment(self.house, self.asking(key, request), request)

    async def act(self, key: UUID, payment: str, action: str) -> Reply:
        """Capture or cancel."""
        asking = self.asking(key, payment, action)
        if action == "capture":
            return await capture_payment(self.house, asking, payment, None)
        return await cancel_payment(self.house, asking, payment)

    async def recover(self) -> None:
        """The worker's rounds, as if the time for them had come."""
        self.clock.advance(TAKEN_UP_AFTER)
        while await resume_due_payments(self.house):
            pass


@asynccontextmanager
async def open_till(shop: Shop, merchant: Merchant) -> AsyncIterator[Till]:
    environment: dict[str, Any] = shop.environment["paymint-api"]
    settings = Settings.from_environment(
        {**os.environ, **environment, "PAYMINT_PROCESS_NUMBER": PROCESS_NUMBER, "REDIS_URL": ""}
    )
    clock = MovableClock()
    house = await open_house(settings, clock)
    door = BreakingDoor(house.vault)
    try:
        await linked(house.vault, house.new_id())
        broken = replace(house, vault=cast(VaultDoor, door))
        yield Till(broken, door, clock, merchant)
    finally:
        await house.close()
