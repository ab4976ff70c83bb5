"""A process that is lost while it opens or decides a dispute: the worker hears of it too."""

import asyncio
from uuid import UUID, uuid4

import pytest

from adapters.vault_door import Unsent
from contract import relay
from domain.ids import from_text
from domain.refusals import Unavailable, Unprocessable
from flows.dispute_intake import CHARGEBACKS_AT_ONCE, take_in_chargebacks
from flows.replies import Reply
from flows.sandbox_disputes import close_test_dispute, create_test_dispute
from tests.books import agree
from tests.flows.till import Lost, Till, lost, open_till
from tests.serving import eventually
from tests.shop import Merchant, Shop, told

SECONDS = 30.0
AMOUNT = 10_000
CHARGED_BACK = "4000000000000259"
# A refund is pending for some seconds, and then it fails, or succeeds.
REFUND_FAILS, REFUND_SUCCEEDS = "4000000000005126", "4000000000007726"
REFUNDED = 4_000


async def dispute(till: Till, key: UUID, payment: str) -> Reply:
    asking = till.asking(key, payment, "dispute")
    return await create_test_dispute(till.house, asking, payment, None, None)


def of(merchant: Merchant, payment: str) -> list[str]:
    return [each["id"] for each in merchant.get("/v1/disputes", payment_id=payment)["data"]]


def test_a_dispute_whose_process_was_lost_is_recorded_by_the_worker(
    shop: Shop, merchant: Merchant
) -> None:
    payment, key = merchant.pay()["id"], uuid4()

    async def scenario() -> None:
        async with open_till(shop, merchant) as till:
            till.door.after = {relay.OpenChargeback: lost}
            with pytest.raises(Lost):
                await dispute(till, key, payment)
            await asyncio.to_thread(eventually, lambda: of(merchant, payment), SECONDS)
            (known,) = of(merchant, payment)
            # The same request again finds it; another key asks for money that is not there.
            reply = await dispute(till, key, payment)
            assert (reply.status, reply.resource["id"]) == (201, known)

    asyncio.run(scenario())
    assert merchant.payment(payment)["amount_disputed"] == AMOUNT
    assert len(of(merchant, payment)) == 1


def test_without_the_vault_nothing_is_opened(shop: Shop, merchant: Merchant) -> None:
    payment, key = merchant.pay()["id"], uuid4()

    async def no_link() -> None:
        raise Unsent("no link")

    async def scenario() -> None:
        async with open_till(shop, merchant) as till:
            till.door.before = {relay.OpenChargeback: no_link}
            with pytest.raises(Unavailable):
                await dispute(till, key, payment)
            assert of(merchant, payment) == []
            assert (await dispute(till, key, payment)).status == 201

    asyncio.run(scenario())


def test_a_worker_that_is_lost_before_it_acknowledges(shop: Shop, merchant: Merchant) -> None:
    payment = merchant.pay(merchant.tokenise(CHARGED_BACK))["id"]

    async def scenario() -> None:
        async with open_till(shop, merchant) as till:
            till.door.before = {relay.AcknowledgeChargeback: lost}
            for _ in range(int(SECONDS / 0.1)):
                try:
                    await take_in_chargebacks(till.house)
                except Lost:
                    break
                if of(merchant, payment):
                    break
                await asyncio.sleep(0.1)

    asyncio.run(scenario())
    assert eventually(lambda: of(merchant, payment), SECONDS)
    assert len(of(merchant, payment)) == 1
    events = [event["type"] for event in merchant.events() if event["type"].startswith("dispute")]
    assert events == ["dispute.created"]


def test_a_decision_whose_process_was_lost_arrives(shop: Shop, merchant: Merchant) -> None:
    payment, key = merchant.pay()["id"], uuid4()

    async def scenario() -> None:
        async with open_till(shop, merchant) as till:
            known = (await dispute(till, uuid4(), payment)).resource["id"]
            answer = {"text": "A photograph of the parcel."}
            told(merchant.ask("POST", f"/v1/disputes/{known}/evidence", answer), 200)
            till.door.after = {relay.RuleOnChargeback: lost}
            asking = till.asking(key, known, "won")
            with pytest.raises(Lost):
                await close_test_dispute(till.house, asking, known, "won")

            def won() -> bool:
                return bool(merchant.get(f"/v1/disputes/{known}")["status"] == "won")

            assert await asyncio.to_thread(eventually, won, SECONDS)

    asyncio.run(scenario())
    assert merchant.payment(payment)["amount_disputed"] == 0


@pytest.mark.parametrize(
    ("number", "disputed"), [(REFUND_FAILS, AMOUNT), (REFUND_SUCCEEDS, AMOUNT - REFUNDED)]
)
def test_how_much_is_disputed_is_known_when_refunds_have_ended(
    shop: Shop, merchant: Merchant, number: str, disputed: int
) -> None:
    """The network has charged all of it back, when it did not know of the refund yet."""
    payment = merchant.pay(merchant.tokenise(number))["id"]

    async def scenario() -> None:
        async with open_till(shop, merchant) as till:

            async def refund_first() -> None:
                refund = await asyncio.to_thread(merchant.refund, payment, amount=REFUNDED)
                assert refund["status"] == "pending"

            # Whoever asked is refused, as after the refund, and the worker hears of the claim.
            till.door.before = {relay.OpenChargeback: refund_first}
            with pytest.raises(Unprocessable, match="payment_disputed") as refused:
                await dispute(till, uuid4(), payment)
            assert refused.value.values["available"] == AMOUNT - REFUNDED
            assert of(merchant, payment) == []

    asyncio.run(scenario())
    assert eventually(lambda: of(merchant, payment), SECONDS)
    assert merchant.payment(payment)["amount_disputed"] == disputed
    (refund,) = merchant.get(f"/v1/payments/{payment}/refunds")["data"]
    assert refund["status"] == ("failed" if disputed == AMOUNT else "succeeded")
    agree(shop)


def test_chargebacks_that_wait_keep_no_later_one_waiting(shop: Shop, merchant: Merchant) -> None:
    """More than are told at once wait for the end of a capture, as where its network is away."""
    waits = [from_text("pay", merchant.pay(capture=False)["id"]), from_text("mch", merchant.id)]
    with shop.database("paymint-vault") as vault:
        vault.execute(_TOLD_LONG_AGO, [*waits, AMOUNT, CHARGEBACKS_AT_ONCE + 1])
        try:
            payment = merchant.pay(merchant.tokenise(CHARGED_BACK))["id"]
            assert eventually(lambda: of(merchant, payment), SECONDS)
            untold = vault.execute(_UNTOLD, waits[:1]).fetchone()
            assert untold == (CHARGEBACKS_AT_ONCE + 1,)
        finally:
            vault.execute("DELETE FROM chargebacks WHERE payment_id = %s", waits[:1])


_TOLD_LONG_AGO = """INSERT INTO chargebacks
    (id, payment_id, merchant_id, livemode, amount, currency, reason, state, opened_at)
    SELECT gen_random_uuid(), %s, %s, false, %s, 'usd', 'fraudulent', 'open', '2020-01-01Z'
    FROM generate_series(1, %s)"""
_UNTOLD = "SELECT count(*) FROM chargebacks WHERE payment_id = %s AND acknowledged IS NULL"
