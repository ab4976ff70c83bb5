"""A capture or cancellation that the network declines: refused, and refused again the same."""

from uuid import uuid4

import pytest

from contract import relay
from domain.refusals import Unprocessable
from tests.flows.test_lost_processes import play
from tests.flows.till import AMOUNT, Lost, Till, lost
from tests.shop import Merchant, Shop

DECLINED = relay.Decision(outcome="declined", network="visa", code="processing_error")
FAILURES = {"capture": "payment.capture_failed", "cancel": "payment.cancel_failed"}
CALLS = {"capture": relay.Capture, "cancel": relay.Reverse}


def told_of(merchant: Merchant, payment: str) -> list[str]:
    """The types of a payment's events, in their order."""
    events = merchant.events(object_id=payment)
    return [event["type"] for event in sorted(events, key=lambda each: int(each["sequence"]))]


@pytest.mark.parametrize("action", CALLS)
def test_every_repetition_gets_the_same_refusal(
    action: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay(capture=False)["id"], uuid4()
        till.door.instead[CALLS[action]] = DECLINED
        for replayed in (False, True, True):
            with pytest.raises(Unprocessable, match="payment_unexpected_state") as refused:
                await till.act(key, payment, action)
            assert refused.value.replayed is replayed
            assert refused.value.values == {"status": "authorized"}
        assert merchant.payment(payment)["status"] == "authorized"
        assert told_of(merchant, payment) == ["payment.authorized", FAILURES[action]]
        assert (await till.act(uuid4(), payment, action)).status == 200

    play(shop, merchant, story)


@pytest.mark.parametrize("action", CALLS)
def test_a_refusal_that_recovery_heard_is_the_reply(
    action: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay(capture=False)["id"], uuid4()
        till.door.before[CALLS[action]] = lost
        with pytest.raises(Lost):
            await till.act(key, payment, action)
        till.door.instead[CALLS[action]] = DECLINED
        await till.recover()
        with pytest.raises(Unprocessable, match="payment_unexpected_state"):
            await till.act(key, payment, action)
        assert told_of(merchant, payment) == ["payment.authorized", FAILURES[action]]

    play(shop, merchant, story)


@pytest.mark.parametrize("action", CALLS)
def test_who_was_answered_202_is_told_by_an_event(
    action: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay(capture=False)["id"], uuid4()
        till.door.instead[CALLS[action]] = relay.Rejected(code="network_unavailable")
        reply = await till.act(key, payment, action)
        assert (reply.status, reply.resource["status"]) == (202, "authorized")
        assert told_of(merchant, payment) == ["payment.authorized"]
        till.door.instead[CALLS[action]] = DECLINED
        await till.recover()
        (failure, _) = merchant.events(object_id=payment)
        assert failure["type"] == FAILURES[action]
        assert failure["data"]["object"] == merchant.payment(payment)
        assert failure["data"]["object"]["amount_capturable"] == AMOUNT

    play(shop, merchant, story)
