"""Refunds end once, and payment, counters and events say the same."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import uvloop

from adapters.vault_door import Refused, Unknown, Unsent
from contract import relay
from flows.refund_settlement import lease_due_refunds, settle
from models import counting
from models.refunds import insert_refund
from runtime.database import Row
from runtime.ids import uuid7
from tests.workers.house import Bench, Place, bench, until
from workers.duties import REFUNDS
from workers.leasing import Leasing

APPROVED = relay.Decision(outcome="approved", network="visa")
PENDING = relay.Decision(outcome="pending", network="visa")
DECLINED = relay.Decision(outcome="declined", network="visa", code="refund_failed")
FENCED = relay.Rejected(code="attempt_fenced")
AWAY = relay.Rejected(code="network_unavailable")

Scenario = Callable[[Bench], Awaitable[None]]


def played(place: Place, scenario: Scenario) -> None:
    async def run() -> None:
        async with bench(place) as built:
            await scenario(built)

    uvloop.run(run())


async def captured_payment(built: Bench, refunded: int) -> UUID:
    """A captured payment of 10000 whose refunds have reserved `refunded`."""
    payment_id = uuid7()
    await built.rows(
        "INSERT INTO payments (id, merchant_id, livemode, amount, currency, status, capture,"
        " payment_method_id, is_token, metadata, idempotency_key, attempt_id, network,"
        " amount_authorized, amount_captured, amount_refunded, created_at, captured_at)"
        " VALUES (%(id)s, %(merchant)s, false, 10000, 'usd', 'captured', true, %(id)s, false, '{}',"
        " %(id)s, %(id)s, 'visa', 10000, 10000, %(refunded)s, now(), now()) RETURNING id",
        id=payment_id,
        merchant=built.merchant_id,
        refunded=refunded,
    )
    async with built.house.database.transaction() as transaction:
        row = {"merchant_id": built.merchant_id, "livemode": False}
        await counting.add(transaction, row, "payments", {"captured": 1})
    return payment_id


async def refund_of(built: Bench, payment_id: UUID, amount: int) -> Row:
    now = built.clock.now()
    refund = {
        "id": uuid7(),
        "merchant_id": built.merchant_id,
        "livemode": False,
        "payment_id": payment_id,
        "amount": amount,
        "currency": "usd",
        "status": "pending",
        "reason": None,
        "failure_code": None,
        "event_sequence": 1,
        "created_at": now,
        "settle_at": now,
    }
    async with built.house.database.transaction() as transaction:
        await insert_refund(transaction, refund)
    return refund


async def settle_due(built: Bench) -> None:
    for refund in await lease_due_refunds(built.house, 10):
        await settle(built.house, refund)


async def refund_row(built: Bench, refund: Row) -> Row:
    (row,) = await built.rows("SELECT * FROM refunds WHERE id = %(id)s", id=refund["id"])
    return row


async def payment_row(built: Bench, payment_id: UUID) -> Row:
    (row,) = await built.rows("SELECT * FROM payments WHERE id = %(id)s", id=payment_id)
    return row


async def total(built: Bench, status: str) -> int:
    async with built.house.database.transaction() as transaction:
        return await counting.total(transaction, built.merchant_id, False, "payments", status)


async def event_rows(built: Bench) -> list[tuple[str, int, Any]]:
    rows = await built.rows("SELECT * FROM events ORDER BY id")
    return [(row["type"], row["sequence"], row["object"]["status"]) for row in rows]


def test_the_last_success_makes_the_payment_refunded(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        payment_id = await captured_payment(built, 10000)
        first = await refund_of(built, payment_id, 6000)
        second = await refund_of(built, payment_id, 4000)
        built.vault.answers = [APPROVED, Unsent("no link")]
        await settle_due(built)
        assert (await refund_row(built, first))["status"] == "succeeded"
        assert (await payment_row(built, payment_id))["status"] == "captured"
        built.vault.answers = [APPROVED]
        built.clock.advance(timedelta(seconds=1))
        await settle_due(built)
        settled = await refund_row(built, second)
        assert (settled["status"], settled["settle_at"]) == ("succeeded", None)
        payment = await payment_row(built, payment_id)
        assert (payment["status"], payment["amount_refunded"]) == ("refunded", 10000)
        assert (await total(built, "captured"), await total(built, "refunded")) == (0, 1)
        assert await event_rows(built) == [("refund.succeeded", 2, "succeeded")] * 2
        asked = built.vault.asked[0]
        assert isinstance(asked, relay.Refund)
        assert (asked.attempt_id, asked.refund_id, asked.amount) == (first["id"], first["id"], 6000)

    played(place, scenario)


def test_a_failed_refund_gives_its_reservation_back(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        payment_id = await captured_payment(built, 10000)
        refund = await refund_of(built, payment_id, 10000)
        built.vault.answers = [DECLINED]
        await settle_due(built)
        settled = await refund_row(built, refund)
        assert (settled["status"], settled["failure_code"]) == ("failed", "refund_declined")
        payment = await payment_row(built, payment_id)
        assert (payment["status"], payment["amount_refunded"]) == ("captured", 0)
        assert (await total(built, "captured"), await total(built, "refunded")) == (1, 0)
        assert await event_rows(built) == [("refund.failed", 2, "failed")]

    played(place, scenario)


@pytest.mark.parametrize(
    "silence",
    [
        [Unsent("no link")],
        [Refused("busy")],
        [Unknown("timeout"), relay.Resolution(state="undecided")],
        [Unknown("timeout"), Unknown("timeout")],
        [PENDING, relay.Resolution(state="decided", decision=PENDING)],
        [AWAY],
    ],
)
def test_without_an_end_it_is_asked_again_after_a_second(
    place: Place, silence: list[relay.Answer | Exception]
) -> None:
    async def scenario(built: Bench) -> None:
        refund = await refund_of(built, await captured_payment(built, 5000), 5000)
        built.vault.answers = list(silence)
        await settle_due(built)
        assert (await refund_row(built, refund))["status"] == "pending"
        assert not await lease_due_refunds(built.house, 10)
        built.clock.advance(timedelta(seconds=1))
        built.vault.answers = [APPROVED]
        await settle_due(built)
        assert (await refund_row(built, refund))["status"] == "succeeded"
        assert await event_rows(built) == [("refund.succeeded", 2, "succeeded")]

    played(place, scenario)


def test_what_has_been_out_for_long_is_asked_for_less_often(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        built.clock.stop()
        refund = await refund_of(built, await captured_payment(built, 5000), 5000)
        built.clock.advance(timedelta(seconds=40))
        built.vault.answers = [AWAY]
        await settle_due(built)
        built.clock.advance(timedelta(seconds=9))
        assert not await lease_due_refunds(built.house, 10)
        built.clock.advance(timedelta(seconds=1))
        built.vault.answers = [APPROVED]
        await settle_due(built)
        assert (await refund_row(built, refund))["status"] == "succeeded"
        attempts = [one.attempt_id for one in built.vault.asked if isinstance(one, relay.Refund)]
        assert attempts == [refund["id"]] * 2

    played(place, scenario)


def test_what_was_pending_is_settled_by_an_inquiry(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        refund = await refund_of(built, await captured_payment(built, 5000), 5000)
        built.vault.answers = [PENDING, relay.Resolution(state="decided", decision=DECLINED)]
        await settle_due(built)
        assert (await refund_row(built, refund))["status"] == "failed"

    played(place, scenario)


def test_a_fenced_attempt_is_followed_by_another_one(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        refund = await refund_of(built, await captured_payment(built, 5000), 5000)
        built.vault.answers = [Unknown("timeout"), relay.Resolution(state="never_begun")]
        await settle_due(built)
        built.clock.advance(timedelta(seconds=1))
        built.vault.answers = [FENCED, FENCED, APPROVED]
        await settle_due(built)
        assert (await refund_row(built, refund))["status"] == "succeeded"
        attempts = [one.attempt_id for one in built.vault.asked if isinstance(one, relay.Refund)]
        assert attempts[0] == attempts[1] == refund["id"]
        assert len(set(attempts[1:])) == 3

    played(place, scenario)


def test_it_is_given_up_when_no_attempt_ever_begins(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        refund = await refund_of(built, await captured_payment(built, 5000), 5000)
        built.vault.answers = [FENCED] * 10
        await settle_due(built)
        assert (await refund_row(built, refund))["failure_code"] == "network_unavailable"

    played(place, scenario)


def test_two_workers_settle_it_once(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        refund = await refund_of(built, await captured_payment(built, 10000), 10000)
        (leased,) = await lease_due_refunds(built.house, 10)
        assert not await lease_due_refunds(built.house, 10)
        built.vault.answers = [APPROVED, APPROVED]
        await asyncio.gather(settle(built.house, leased), settle(built.house, leased))
        assert await event_rows(built) == [("refund.succeeded", 2, "succeeded")]
        assert (await refund_row(built, refund))["event_sequence"] == 2
        assert await total(built, "refunded") == 1

    played(place, scenario)


def test_the_loop_settles_what_is_due_within_a_second(place: Place) -> None:
    async def scenario(built: Bench) -> None:
        payment_id = await captured_payment(built, 900)
        refunds = Leasing(built.house, *REFUNDS)
        running = asyncio.create_task(refunds.loop.run())
        built.vault.answers = [APPROVED] * 3
        took = []
        for number in (1, 2, 3):
            begun = time.monotonic()
            await refund_of(built, payment_id, 300)
            await until(partial(_settled, built, number))
            took.append(time.monotonic() - begun)
        # A busy machine may hold up one of them.
        assert statistics.median(took) < 1.0, took
        refunds.loop.stop()
        await running
        await refunds.finish()

    played(place, scenario)


async def _settled(built: Bench, count: int) -> bool:
    return len(await built.rows("SELECT 1 FROM refunds WHERE status = 'succeeded'")) == count
