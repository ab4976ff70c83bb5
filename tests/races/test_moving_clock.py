"""Everything that moves money, while the merchant's clock is frozen, moved and deleted."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.ids import from_text
from tests.business_clock import CLOCKS, text
from tests.faults.evidence import Evidence
from tests.races.rush import Answered, Rush, rush, seeded, together
from tests.races.test_disputes import CARD, DISPUTE_CARD, check_money
from tests.serving import eventually
from tests.shop import Merchant, Shop

SECONDS = 12.0
SETTLED_SECONDS = 40.0
ITEMS = 8
RECENT = 40
MINUTE = timedelta(minutes=1)
SPANS = (MINUTE, timedelta(days=3), timedelta(days=8), timedelta(days=16))
LARGEST_PAUSE_SECONDS = 0.3
_PAYMENTS = "SELECT id FROM payments WHERE merchant_id = %s"
_UNSETTLED = "SELECT 1 FROM refunds WHERE merchant_id = %s AND status = 'pending'"
_BROKEN_SEQUENCES = """SELECT object_id, array_agg(sequence) FROM events WHERE merchant_id = %s
    GROUP BY object_id HAVING max(sequence) <> count(*) OR count(DISTINCT sequence) <> count(*)"""
_DISPUTES = """SELECT status, count(*) FROM disputes WHERE merchant_id = %s GROUP BY status
    EXCEPT SELECT status, sum(count) FROM counters
    WHERE merchant_id = %s AND resource = 'disputes' GROUP BY status"""
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


class Storm:
    """What is asked at random, and every answer that should not have come."""

    def __init__(self, asking: Rush, methods: list[str], chance: Random) -> None:
        self._asking, self._methods, self._chance = asking, methods, chance
        self._payments: list[str] = []
        self._disputes: list[str] = []
        self.faults: list[Answered] = []

    async def rage(self) -> None:
        """All of it side by side."""
        kinds = [self._pay, self._pay, self._act, self._act, self._act, self._argue, self._move]
        until = time.monotonic() + SECONDS
        await together([self._repeat(kind, until) for kind in kinds])

    async def _repeat(self, kind: Callable[[], Awaitable[None]], until: float) -> None:
        while time.monotonic() < until:
            await kind()
            await asyncio.sleep(self._chance.uniform(0, LARGEST_PAUSE_SECONDS))

    async def _post(self, path: str, body: object = None) -> Answered:
        answered = await self._asking.post(path, body)
        if answered.status >= 500:
            self.faults.append(answered)
        return answered

    def _item(self) -> dict[str, object]:
        return {
            "amount": self._chance.choice((100, 10_000)),
            "currency": "usd",
            "payment_method_id": self._chance.choice(self._methods),
            "capture": self._chance.random() < 0.5,
            "idempotency_key": str(uuid4()),
        }

    async def _pay(self) -> None:
        body = {"payments": [self._item() for _ in range(ITEMS)]}
        path = "/v1/payments/batch"
        for answered in await together([self._post(path, body), self._post(path, body)]):
            results = answered.body["data"]
            self._payments += [each["payment"]["id"] for each in results if "payment" in each]

    async def _act(self) -> None:
        if not self._payments:
            return
        payment = self._chance.choice(self._payments[-RECENT:])
        path = f"/v1/payments/{payment}"
        asked = [
            self._post(f"{path}/capture"),
            self._post(f"{path}/cancel"),
            self._post(f"{path}/refunds", {"amount": 50}),
            self._post(f"{path}/refunds"),
            self._dispute(payment),
        ]
        self._chance.shuffle(asked)
        await together(asked)

    async def _dispute(self, payment: str) -> Answered:
        opened = await self._post("/v1/test_helpers/disputes", {"payment_id": payment})
        if opened.status == 201:
            self._disputes.append(opened.body["id"])
        return opened

    async def _argue(self) -> None:
        if not self._disputes:
            return
        dispute = self._chance.choice(self._disputes[-RECENT:])
        path = f"/v1/test_helpers/disputes/{dispute}/close"
        evidence = {"text": self._chance.choice(("winning_evidence", "losing_evidence", "-"))}
        asked = [
            self._post(f"/v1/disputes/{dispute}/evidence", evidence),
            self._post(path, {"outcome": "won"}),
            self._post(path, {"outcome": "lost"}),
        ]
        self._chance.shuffle(asked)
        await together(asked)

    async def _move(self) -> None:
        at = datetime.now(UTC) + MINUTE
        frozen = await self._post(CLOCKS, {"frozen_time": text(at)})
        path = f"{CLOCKS}/{frozen.body['id']}"
        for _ in range(self._chance.randrange(3)):
            at += self._chance.choice(SPANS)
            await self._post(f"{path}/advance", {"frozen_time": text(at)})
            await asyncio.sleep(self._chance.uniform(0, LARGEST_PAUSE_SECONDS))
        assert (await self._asking.delete(path)).status == 200


def rows(shop: Shop, statement: str, *merchants: UUID) -> list[tuple[Any, ...]]:
    with shop.database() as connection:
        return connection.execute(statement.encode(), merchants).fetchall()


@pytest.fixture
def methods(merchant: Merchant) -> list[str]:
    customer = merchant.customer()["id"]
    return [merchant.save_card(customer, number).json()["id"] for number in (CARD, DISPUTE_CARD)]


def test_no_money_is_made_or_lost(shop: Shop, merchant: Merchant, methods: list[str]) -> None:
    chance = seeded("moving clock")
    deadlocks = rows(shop, _DEADLOCKS)

    async def rage(asking: Rush) -> list[Answered]:
        storm = Storm(asking, methods, chance)
        await storm.rage()
        return storm.faults

    assert rush(merchant, rage) == []
    mine = from_text("mch", merchant.id)
    assert mine is not None
    assert eventually(lambda: not rows(shop, _UNSETTLED, mine), SETTLED_SECONDS)
    evidence = Evidence(shop, merchant)
    evidence.nothing_stays_unfinished()
    evidence.network_agrees()
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()
    check_money(shop, [f"pay_{row[0].hex}" for row in rows(shop, _PAYMENTS, mine)])
    assert rows(shop, _BROKEN_SEQUENCES, mine) == []
    assert rows(shop, _DISPUTES, mine, mine) == []
    assert rows(shop, _DEADLOCKS) == deadlocks
