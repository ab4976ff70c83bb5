"""The rules of money taken out of the code: the database refuses by itself, and keeps nothing.

Each story removes the check that Python makes and asks for what it would have refused.  The
network is told nothing: the refusal comes from the commit before it is asked.
"""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from contract import relay
from domain import holds, payments, refunds
from domain.ids import from_text
from domain.payment_requests import PaymentRequest
from domain.payments import Transition
from flows import operation_outcomes
from flows.hold_draws import draw_payment
from flows.payment_operations import capture_payment
from flows.refunds import create_refund
from models import idempotency
from models.payment_changes import lock_payment
from models.payment_reads import PaymentKey
from tests.flows.test_lost_processes import play
from tests.flows.till import AMOUNT, Till, open_till
from tests.shop import Merchant, Shop
from tests.shop_holds import CEILING, Wallet

Patch = pytest.MonkeyPatch
APPROVED = relay.Decision(outcome="approved", network="visa", network_reference="ref")


def anything(_: Any, asked: int | None) -> int:
    """What is left of a rule about amounts: whatever is asked for."""
    assert asked is not None
    return asked


def step(action: str) -> Transition:
    return next(each for each in payments.TRANSITIONS if each.action == action)


def any_state(patch: Patch) -> None:
    patch.setattr(payments, "transition", lambda _, action: step(action))


def any_refund(patch: Patch) -> None:
    patch.setattr(refunds, "refund_amount", anything)


def any_capture(patch: Patch) -> None:
    patch.setattr(payments, "capture_amount", anything)


def kept(shop: Shop, payment: str) -> tuple[Any, ...]:
    """All that is stored of a payment: its row, refunds, postings, events."""
    identifier = from_text("pay", payment)
    with shop.database() as connection:
        return tuple(
            connection.execute(statement, {"id": identifier}).fetchall()
            for statement in (
                b"SELECT * FROM payments WHERE id = %(id)s",
                b"SELECT * FROM refunds WHERE payment_id = %(id)s",
                b"SELECT * FROM ledger_postings WHERE source_id = %(id)s ORDER BY kind, position",
                b"SELECT id FROM events WHERE object_id = %(id)s ORDER BY id",
            )
        )


def is_unused(shop: Shop, key: UUID) -> bool:
    with shop.database() as connection:
        used = connection.execute(b"SELECT 1 FROM idempotency_keys WHERE key = %s", (key,))
        return used.fetchone() is None


async def refund(till: Till, key: UUID, payment: str, amount: int) -> None:
    await create_refund(till.house, till.asking(key, payment, amount), payment, amount, None)


REFUNDS = {
    "beyond what was captured": AMOUNT + 1,
    "of nothing": 0,
    "of less than nothing": -1,
}


@pytest.mark.parametrize("amount", REFUNDS.values(), ids=REFUNDS)
def test_a_refund(amount: int, shop: Shop, merchant: Merchant, monkeypatch: Patch) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay()["id"], uuid4()
        before = kept(shop, payment)
        with monkeypatch.context() as patch:
            any_refund(patch)
            with pytest.raises(psycopg.errors.CheckViolation):
                await refund(till, key, payment, amount)
        assert kept(shop, payment) == before
        assert is_unused(shop, key)

    play(shop, merchant, story)


def test_a_refund_of_what_was_refunded(shop: Shop, merchant: Merchant, monkeypatch: Patch) -> None:
    async def story(till: Till) -> None:
        payment = merchant.pay()["id"]
        await refund(till, uuid4(), payment, AMOUNT - 1)
        before = kept(shop, payment)[:3]
        with monkeypatch.context() as patch:
            any_refund(patch)
            with pytest.raises(psycopg.errors.CheckViolation):
                await refund(till, uuid4(), payment, 2)
        after = kept(shop, payment)
        assert [len(rows) for rows in after[:3]] == [len(rows) for rows in before]

    play(shop, merchant, story)


@pytest.mark.parametrize("action", ["capture", "cancel"])
def test_an_operation_on_what_was_captured(
    action: str, shop: Shop, merchant: Merchant, monkeypatch: Patch
) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay()["id"], uuid4()
        before, journal = kept(shop, payment), shop.decisions(payment)
        with monkeypatch.context() as patch:
            any_state(patch)
            with pytest.raises(psycopg.errors.CheckViolation):
                await till.act(key, payment, action)
        assert kept(shop, payment) == before
        assert shop.decisions(payment) == journal
        assert is_unused(shop, key)

    play(shop, merchant, story)


CAPTURES = {
    "beyond what was authorised": AMOUNT + 1,
    "of nothing": 0,
    "of less than nothing": -1,
}


@pytest.mark.parametrize("amount", CAPTURES.values(), ids=CAPTURES)
def test_a_capture(amount: int, shop: Shop, merchant: Merchant, monkeypatch: Patch) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay(capture=False)["id"], uuid4()
        before, journal = kept(shop, payment), shop.decisions(payment)
        with monkeypatch.context() as patch:
            any_capture(patch)
            with pytest.raises(psycopg.errors.CheckViolation):
                asking = till.asking(key, payment, amount)
                await capture_payment(till.house, asking, payment, amount)
        assert kept(shop, payment) == before
        assert shop.decisions(payment) == journal
        assert is_unused(shop, key)

    play(shop, merchant, story)


DRAWS = {"beyond what was set aside": CEILING + 1, "of nothing": 0, "of less than nothing": -1}


@pytest.mark.parametrize("amount", DRAWS.values(), ids=DRAWS)
def test_a_draw(amount: int, shop: Shop, merchant: Merchant, monkeypatch: Patch) -> None:
    async def story() -> None:
        wallet, key = Wallet(merchant), uuid4()
        hold = wallet.hold()
        request = PaymentRequest(
            amount, "usd", wallet.method, wallet.customer, True, None, {}, hold["id"]
        )
        async with open_till(shop, merchant) as till:
            with monkeypatch.context() as patch:
                patch.setattr(holds, "check_draw", lambda _, asked: None)
                with pytest.raises(psycopg.errors.CheckViolation):
                    await draw_payment(till.house, till.asking(key, request), request)
        assert wallet.shown(hold["id"]) == hold
        assert merchant.get("/v1/payments")["total_count"] == 0
        assert is_unused(shop, key)

    asyncio.run(story())


def test_a_draw_on_what_was_released(shop: Shop, merchant: Merchant, monkeypatch: Patch) -> None:
    async def story() -> None:
        wallet, key = Wallet(merchant), uuid4()
        released = wallet.release(wallet.hold()["id"])
        request = PaymentRequest(
            50, "usd", wallet.method, wallet.customer, True, None, {}, released["id"]
        )
        async with open_till(shop, merchant) as till:
            with monkeypatch.context() as patch:
                patch.setattr(holds, "check_active", lambda _, now: None)
                with pytest.raises(psycopg.errors.CheckViolation):
                    await draw_payment(till.house, till.asking(key, request), request)
        assert wallet.shown(released["id"]) == released
        assert merchant.get("/v1/payments")["total_count"] == 0
        assert is_unused(shop, key)

    asyncio.run(story())


def test_an_outcome_that_is_recorded_twice_is_posted_once(shop: Shop, merchant: Merchant) -> None:
    """A worker that does not look whether another one was faster."""

    async def story(till: Till) -> None:
        payment = merchant.pay(capture=False)["id"]
        stale = await read(till, payment)
        operation = {"operation": "capture", "operation_amount": AMOUNT}
        told = await till.act(uuid4(), payment, "capture")
        assert told.status == 200
        before = kept(shop, payment)
        with pytest.raises(psycopg.errors.UniqueViolation):
            async with till.house.database.transaction() as transaction:
                await operation_outcomes.finish_operation(
                    till.house, transaction, "req_twice", {**stale, **operation}, APPROVED
                )
        assert kept(shop, payment) == before

    play(shop, merchant, story)


async def read(till: Till, payment: str) -> dict[str, Any]:
    merchant_id, identifier = from_text("mch", till.merchant.id), from_text("pay", payment)
    assert merchant_id is not None and identifier is not None
    async with till.house.database.transaction() as transaction:
        row = await lock_payment(transaction, PaymentKey(identifier, merchant_id, False))
    assert row is not None
    return row


def test_one_key_is_claimed_once_though_nobody_looks(shop: Shop, merchant: Merchant) -> None:
    """Neither Valkey's hint nor the key's row is asked: the claim itself is refused."""

    async def story(till: Till) -> None:
        key, method = uuid4(), merchant.save_card(merchant.customer()["id"]).json()["id"]
        first = await till.pay(key, method)
        asking = till.asking(key, "another request")
        async with till.house.database.transaction() as transaction:
            assert await idempotency.claim(transaction, asking, till.clock.now()) is not None
        assert (await till.pay(key, method)).resource == first.resource
        assert merchant.get("/v1/payments")["total_count"] == 1
        with shop.database() as connection, pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(
                b"INSERT INTO idempotency_keys SELECT * FROM idempotency_keys WHERE key = %s",
                (key,),
            )

    play(shop, merchant, story)
