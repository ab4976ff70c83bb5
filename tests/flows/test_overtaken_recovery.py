"""A worker that is overtaken while it asks the vault: what it heard changes nothing any more."""

from uuid import uuid4

import pytest

from contract import relay
from tests.flows.test_lost_processes import play
from tests.flows.till import TAKEN_UP_AFTER, Lost, Till, lost
from tests.shop import Merchant, Shop
from tests.workers.house import resume_due_payments

DECLINED = relay.Decision(outcome="declined", network="visa", code="processing_error")


def test_a_payment_that_was_cancelled_meanwhile_is_not_authorised_again(
    shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        key, token = uuid4(), merchant.tokenise()
        till.door.before[relay.Authorise] = lost
        with pytest.raises(Lost):
            await till.pay(key, token)
        [payment] = merchant.get("/v1/payments", status="pending")["data"]

        async def cancelled() -> None:
            assert (await till.act(uuid4(), payment["id"], "cancel")).status == 200
            assert await resume_due_payments(till.house) == 1

        till.door.after[relay.Resolve] = cancelled
        await till.recover()
        assert merchant.payment(payment["id"])["status"] == "cancelled"
        assert shop.decisions(payment["id"]) == []

    play(shop, merchant, story)


def test_the_answer_to_a_capture_does_not_end_a_later_cancellation(
    shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        payment = merchant.pay(capture=False)["id"]
        till.door.before[relay.Capture] = lost
        with pytest.raises(Lost):
            await till.act(uuid4(), payment, "capture")
        cancelling = uuid4()

        async def declined_then_cancelled() -> None:
            till.clock.advance(TAKEN_UP_AFTER)
            till.door.instead[relay.Capture] = DECLINED
            assert await resume_due_payments(till.house) == 1
            till.door.after[relay.Reverse] = lost
            with pytest.raises(Lost):
                await till.act(cancelling, payment, "cancel")

        till.door.before[relay.Capture] = declined_then_cancelled
        await till.recover()
        await till.recover()
        assert merchant.payment(payment)["status"] == "cancelled"
        reply = await till.act(cancelling, payment, "cancel")
        assert (reply.status, reply.resource["status"]) == (200, "cancelled")

    play(shop, merchant, story)
