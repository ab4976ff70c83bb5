"""A house over a test's database, with a clock that can be moved and a vault that is played."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import orjson

from adapters.merchant_http import MerchantHttp
from adapters.settings import Settings
from adapters.vault_door import Unsent, VaultDoor
from contract import relay
from domain.api_versions import PRESENT
from domain.callers import Asking, Caller
from domain.signatures import compose_secret
from flows.house import House, open_house
from flows.payment_recovery import lease_due_payments, resume
from flows.webhook_delivery import WebhookDelivery
from models import accounts
from models.outbox import record_event
from models.sealed import WEBHOOK_SECRET
from models.webhook_endpoints import insert_endpoint
from runtime.clock import SystemClock
from runtime.database import Row, Statement
from runtime.ids import uuid7
from workers.deliveries import Deliveries

SECRET = compose_secret(bytes(range(32)))
NO_VAULT_PORT = 1
PAYMENTS_AT_ONCE = 32


@dataclass(frozen=True)
class Place:
    """A migrated database and a state directory."""

    database_url: str
    state_directory: Path

    def settings(self, *, allow_loopback: bool = True) -> Settings:
        return Settings(
            database_url=self.database_url,
            redis_url=None,
            state_directory=self.state_directory,
            api_port=0,
            relay_port=NO_VAULT_PORT,
            metrics_port=0,
            allow_loopback_webhooks=allow_loopback,
            process_number=1,
        )


class MovableClock(SystemClock):
    """The machine's clock, moved forward or stopped at will."""

    def __init__(self) -> None:
        self._moved_ms = 0
        self._stopped_ms: int | None = None

    def stop(self) -> None:
        """From here on only `advance` moves it."""
        self._stopped_ms = super().unix_ms()

    def advance(self, span: timedelta) -> None:
        self._moved_ms += span // timedelta(milliseconds=1)

    def unix_ms(self) -> int:
        began = self._stopped_ms
        return (super().unix_ms() if began is None else began) + self._moved_ms


@dataclass
class PlayedVault:
    """Answers from a script, or not at all; keeps what it was asked."""

    answers: list[relay.Answer | Exception] = field(default_factory=list)
    asked: list[relay.Request] = field(default_factory=list)

    async def call(self, request: relay.Request) -> relay.Answer:
        self.asked.append(request)
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else Unsent("nothing in the script")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        """Nothing is held."""


@dataclass
class Bench:
    """A house, one merchant in test mode, and the workers of a test."""

    house: House
    clock: MovableClock
    vault: PlayedVault
    merchant_id: UUID = field(default_factory=uuid7)
    livemode: bool = False

    @property
    def asking(self) -> Asking:
        scopes = frozenset({"merchant:admin"})
        caller = Caller(self.merchant_id, self.livemode, uuid7(), "", scopes, "pending_review")
        return Asking(caller, "req_test", None)

    async def open_merchant(self) -> None:
        now = self.clock.now()
        sealed = await self.sealed_secret()
        async with self.house.database.transaction() as transaction:
            await transaction.run(
                accounts.INSERT_MERCHANT,
                id=self.merchant_id,
                business_name="Widget Works",
                email="shop@example.com",
                mcc="5999",
                country="US",
                status="pending_review",
                settlement_currency="usd",
                api_version=PRESENT,
                created_at=now,
                revision=1,
            )
            await transaction.run(
                accounts.INSERT_ENDPOINT,
                id=uuid7(),
                merchant_id=self.merchant_id,
                livemode=self.livemode,
                is_merchant_url=True,
                status="enabled",
                secret_sealed=sealed,
                created_at=now,
            )

    async def sealed_secret(self) -> bytes:
        return await self.house.seals.seal(self.merchant_id, WEBHOOK_SECRET, SECRET.encode())

    async def endpoint(self, url: str, enabled_events: list[str] | None = None) -> UUID:
        endpoint_id, sealed = uuid7(), await self.sealed_secret()
        async with self.house.database.transaction() as transaction:
            await insert_endpoint(
                transaction,
                id=endpoint_id,
                merchant_id=self.merchant_id,
                livemode=self.livemode,
                url=url,
                enabled_events=enabled_events,
                api_version=None,
                description=None,
                secret_sealed=sealed,
                created_at=self.clock.now(),
            )
        return endpoint_id

    async def event(
        self, object_id: UUID | None = None, sequence: int = 1, kind: str = "payment.captured"
    ) -> UUID:
        event_id = self.house.new_id()
        async with self.house.database.transaction() as transaction:
            await record_event(
                transaction,
                event_id=event_id,
                merchant_id=self.merchant_id,
                livemode=self.livemode,
                event_type=kind,
                object_id=object_id or uuid7(),
                sequence=sequence,
                object=orjson.dumps({"object": "payment", "description": "<b>&"}).decode(),
                request_id="req_test",
                occurred_at=self.clock.now(),
            )
        return event_id

    async def rows(self, text: str, **parameters: Any) -> list[Row]:
        async with self.house.database.transaction() as transaction:
            return await transaction.all(Statement(text), **parameters)

    async def deliveries(self) -> list[Row]:
        return await self.rows("SELECT * FROM webhook_deliveries ORDER BY event_id, endpoint_id")

    async def attempts(self) -> list[Row]:
        return await self.rows("SELECT * FROM webhook_attempts ORDER BY event_id, attempt")

    def delivery(self, http: MerchantHttp | None = None) -> WebhookDelivery:
        return WebhookDelivery(self.house, http)

    @asynccontextmanager
    async def delivering(self, http: MerchantHttp | None = None) -> AsyncIterator[Deliveries]:
        """A running delivery loop."""
        deliveries = Deliveries(self.delivery(http))
        running = asyncio.create_task(deliveries.loop.run())
        try:
            yield deliveries
        finally:
            deliveries.loop.stop()
            await running
            await deliveries.finish()


@asynccontextmanager
async def bench(place: Place) -> AsyncIterator[Bench]:
    """An opened house with one merchant."""
    clock, vault = MovableClock(), PlayedVault()
    opened = await open_house(place.settings(), clock)
    await opened.vault.close()
    built = Bench(replace(opened, vault=cast(VaultDoor, vault)), clock, vault)
    try:
        await built.open_merchant()
        yield built
    finally:
        await built.house.close()


async def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait until `condition` holds; an awaitable answer is awaited."""
    async with asyncio.timeout(seconds):
        while True:
            answer = condition()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.02)


async def resume_due_payments(house: House) -> int:
    """What a worker does with payments that are due; how many it took up."""
    due = await lease_due_payments(house, PAYMENTS_AT_ONCE)
    await asyncio.gather(*(resume(house, payment) for payment in due))
    return len(due)
