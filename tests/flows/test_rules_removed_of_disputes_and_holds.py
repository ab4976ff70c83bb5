"""The rules of disputes, top-ups and endings taken out of the code, as in test_rules_removed.py."""

import asyncio
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from msgspec.structs import replace
from psycopg.rows import dict_row

from contract import relay
from domain import disputes
from domain.ids import from_text
from flows import dispute_changes, hold_endings, hold_top_ups
from flows.dispute_changes import end_dispute, open_dispute
from flows.hold_changes import hold_key
from flows.hold_endings import release_hold
from flows.hold_top_ups import top_up_hold
from models.disputes import key_of
from models.holds import lock_hold
from models.payment_changes import lock_payment
from models.payment_reads import PaymentKey
from runtime.database import Row
from runtime.ids import uuid7
from tests.flows.test_lost_processes import play
from tests.flows.test_rules_removed import kept, refund
from tests.flows.till import AMOUNT, Till, open_till
from tests.serving import eventually
from tests.shop import Merchant, Shop, told
from tests.shop_holds import CEILING, Wallet, journal_of

Patch = pytest.MonkeyPatch
ADDED = 5_000
PAID_BACK_SECONDS = 10.0
# A UUIDv7 begins with its moment in ms.
TIME_SHIFT = 80


def payment_key(till: Till, payment: str) -> PaymentKey:
    merchant_id, identifier = from_text("mch", till.merchant.id), from_text("pay", payment)
    assert merchant_id is not None and identifier is not None
    return PaymentKey(identifier, merchant_id, False)


def claim(key: PaymentKey, amount: int) -> relay.Chargeback:
    return relay.Chargeback(
        id=uuid7(),
        merchant_id=key.merchant_id,
        livemode=False,
        payment_id=key.id,
        amount=amount,
        currency="usd",
        reason="fraudulent",
        state="open",
        opened_at_ms=1,
    )


async def opened(till: Till, chargeback: relay.Chargeback) -> None:
    """What the intake of chargebacks does with this one."""
    key = PaymentKey(chargeback.payment_id, chargeback.merchant_id, False)
    async with till.house.database.transaction() as transaction:
        row = await lock_payment(transaction, key)
        assert row is not None
        await open_dispute(till.house, transaction, "req_test", row, chargeback)


DISPUTES = {"beyond what was captured": (0, AMOUNT + 1), "of what was refunded": (AMOUNT - 1, 2)}


@pytest.mark.parametrize(("refunded", "amount"), DISPUTES.values(), ids=DISPUTES)
def test_a_dispute(
    refunded: int, amount: int, shop: Shop, merchant: Merchant, monkeypatch: Patch
) -> None:
    async def story(till: Till) -> None:
        payment = merchant.pay()["id"]
        if refunded:
            await refund(till, uuid4(), payment, refunded)
            assert eventually(lambda: paid_back(merchant, payment), PAID_BACK_SECONDS)
        before = kept(shop, payment)
        with monkeypatch.context() as patch:
            patch.setattr(disputes, "left_to_dispute", lambda _: amount)
            with pytest.raises(psycopg.errors.CheckViolation):
                await opened(till, claim(payment_key(till, payment), amount))
        assert kept(shop, payment) == before
        assert merchant.get("/v1/disputes", payment_id=payment)["data"] == []

    play(shop, merchant, story)


def test_a_dispute_that_is_told_twice(shop: Shop, merchant: Merchant, monkeypatch: Patch) -> None:
    """Whoever takes it in does not look whether it is there."""

    async def story(till: Till) -> None:
        payment = merchant.pay()["id"]
        asked = {"payment_id": payment, "amount": 1000}
        told(merchant.ask("POST", "/v1/test_helpers/disputes", asked), 201)
        known, before = stored(shop, payment), kept(shop, payment)
        again = replace(
            claim(payment_key(till, payment), 1000),
            id=known["chargeback_id"],
            opened_at_ms=known["id"].int >> TIME_SHIFT,
        )
        with monkeypatch.context() as patch:
            patch.setattr(dispute_changes, "lock_dispute", nobody)
            with pytest.raises(psycopg.errors.UniqueViolation):
                await opened(till, again)
        assert kept(shop, payment) == before

    play(shop, merchant, story)


def test_a_dispute_that_is_won_twice(shop: Shop, merchant: Merchant, monkeypatch: Patch) -> None:
    """Whoever ends it goes by what it was before."""

    async def story(till: Till) -> None:
        payment = merchant.pay()["id"]
        asked = {"payment_id": payment}
        dispute = told(merchant.ask("POST", "/v1/test_helpers/disputes", asked), 201)["id"]
        evidence = {"text": "signed for by the payer"}
        told(merchant.ask("POST", f"/v1/disputes/{dispute}/evidence", evidence), 200)
        stale = stored(shop, payment)
        close = f"/v1/test_helpers/disputes/{dispute}/close"
        told(merchant.ask("POST", close, {"outcome": "won"}), 200)
        before = kept(shop, payment)

        async def as_it_was(*_: Any) -> Row:
            return stale

        with monkeypatch.context() as patch:
            patch.setattr(dispute_changes, "lock_dispute", as_it_was)
            with pytest.raises(psycopg.errors.CheckViolation):
                async with till.house.database.transaction() as transaction:
                    key = key_of(stale)
                    await end_dispute(till.house, transaction, "req_test", key, "won")
        assert kept(shop, payment) == before

    play(shop, merchant, story)


def test_two_additions_to_a_hold_at_once(
    shop: Shop, merchant: Merchant, monkeypatch: Patch
) -> None:
    """Whoever adds does not look whether something is added already."""

    async def story() -> None:
        wallet = Wallet(merchant)
        hold = wallet.hold()["id"]
        async with open_till(shop, merchant) as till:

            async def add() -> None:
                asking = till.asking(uuid4(), hold, ADDED)
                await top_up_hold(till.house, asking, hold, ADDED)

            async def another() -> None:
                with pytest.raises(psycopg.errors.UniqueViolation):
                    await add()

            with monkeypatch.context() as patch:
                patch.setattr(hold_top_ups, "pending_top_up", nobody)
                till.door.before[relay.Authorise] = another
                await add()
        shown = wallet.shown(hold)
        assert shown["amount"] == CEILING + ADDED
        assert [each[0] for each in journal_of(shop, hold)] == ["authorise", "authorise"]
        wallet.release(hold)

    asyncio.run(story())


def test_a_hold_that_is_released_twice(shop: Shop, merchant: Merchant, monkeypatch: Patch) -> None:
    """Whoever releases it goes by what it was before."""

    async def story() -> None:
        wallet = Wallet(merchant)
        hold = wallet.hold()["id"]
        async with open_till(shop, merchant) as till:
            asking = till.asking(uuid4(), hold, "release")
            async with till.house.database.transaction() as transaction:
                stale = await lock_hold(transaction, hold_key(asking, hold))
            released = wallet.release(hold)

            async def as_it_was(*_: Any) -> Row | None:
                return stale

            with monkeypatch.context() as patch:
                patch.setattr(hold_endings, "lock_hold", as_it_was)
                with pytest.raises(psycopg.errors.UniqueViolation):
                    await release_hold(till.house, asking, hold)
        assert wallet.shown(hold) == released

    asyncio.run(story())


def paid_back(merchant: Merchant, payment: str) -> bool:
    """Whether all refunds have reached the network."""
    refunds = merchant.get(f"/v1/payments/{payment}/refunds")["data"]
    return {each["status"] for each in refunds} == {"succeeded"}


async def nobody(*_: Any) -> None:
    """A look that finds nothing, whatever is there."""


def stored(shop: Shop, payment: str) -> Row:
    """The dispute of a payment, as it is stored."""
    with shop.database() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        statement = b"SELECT * FROM disputes WHERE payment_id = %s"
        row = cursor.execute(statement, (from_text("pay", payment),)).fetchone()
    assert row is not None
    return row
