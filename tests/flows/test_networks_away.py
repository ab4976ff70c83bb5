"""A card network that is away or whose answers are lost: what was begun ends, and once."""

from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.vault_door import Unknown
from contract import relay
from domain.refusals import Unprocessable
from tests.flows.test_lost_processes import MOMENTS, play
from tests.flows.till import TAKEN_UP_AFTER, Lost, Till, lost
from tests.shop import Merchant, Shop
from tests.workers.house import resume_due_payments

# A payment that was asked for in vain waits for 5 s; after 30 s it is given up.
ASKED_AGAIN_AFTER = timedelta(seconds=6)
AWAY = relay.Rejected(code="network_unavailable")
CALLS = {"capture": relay.Capture, "cancel": relay.Reverse}
ENDS_AS = {"capture": "captured", "cancel": "cancelled"}
KINDS = {"capture": "capture", "cancel": "reverse"}


async def unanswered() -> None:
    """The answer to this call is lost, and nobody knows whether it arrived."""
    raise Unknown("timed out")


def lose_the_answer(till: Till, moment: str, kind: type) -> None:
    (till.door.before if moment == "before" else till.door.after)[kind] = unanswered


def events(merchant: Merchant, payment: str) -> list[str]:
    found = [event for event in merchant.events() if event["data"]["object"]["id"] == payment]
    return [event["type"] for event in sorted(found, key=lambda event: event["sequence"])]


async def one_round(till: Till, after: timedelta = TAKEN_UP_AFTER) -> None:
    till.clock.advance(after)
    await resume_due_payments(till.house)


@pytest.mark.parametrize("capture", [True, False], ids=["sale", "hold"])
def test_a_payment_queues_and_is_made_once(capture: bool, shop: Shop, merchant: Merchant) -> None:
    async def story(till: Till) -> None:
        key, token = uuid4(), merchant.tokenise()
        till.door.instead[relay.Authorise] = AWAY
        reply = await till.pay(key, token, capture=capture)
        assert (reply.status, reply.resource["status"]) == (202, "pending")
        assert reply.resource["pending_reason"] == "network_unavailable"
        payment = reply.resource["id"]
        assert events(merchant, payment) == ["payment.queued"]
        # It is claimed: nobody else pays with it meanwhile.
        with pytest.raises(Unprocessable, match="token_already_used"):
            await till.pay(uuid4(), token)
        await till.recover()
        ended = merchant.payment(payment)
        assert ended["status"] == ("captured" if capture else "authorized")
        assert ended["pending_reason"] is None
        decided = "payment.captured" if capture else "payment.authorized"
        assert events(merchant, payment) == ["payment.queued", decided]
        kind = "sale" if capture else "authorise"
        assert shop.decisions(payment) == [(kind, "approved")]

    play(shop, merchant, story)


@pytest.mark.parametrize(("moment", "status"), [("before", 202), ("after", 201)])
def test_a_payment_whose_answer_is_lost(
    moment: str, status: int, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        lose_the_answer(till, moment, relay.Authorise)
        reply = await till.pay(uuid4(), merchant.tokenise())
        assert reply.status == status
        await till.recover()
        payment = reply.resource["id"]
        assert merchant.payment(payment)["status"] == "captured"
        assert shop.decisions(payment) == [("sale", "approved")]

    play(shop, merchant, story)


def test_a_payment_that_waits_for_its_network_is_cancelled_at_once(
    shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        till.door.instead[relay.Authorise] = AWAY
        payment = (await till.pay(uuid4(), merchant.tokenise())).resource["id"]
        assert (await till.act(uuid4(), payment, "cancel")).resource["status"] == "cancelled"
        await till.recover()
        assert events(merchant, payment) == ["payment.queued", "payment.cancelled"]
        assert shop.decisions(payment) == []

    play(shop, merchant, story)


def test_a_worker_tells_that_a_payment_waits_when_its_request_could_not(
    shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        key, token = uuid4(), merchant.tokenise()
        till.door.before[relay.Authorise] = lost
        with pytest.raises(Lost):
            await till.pay(key, token)
        till.door.instead[relay.Authorise] = AWAY
        await one_round(till)
        reply = await till.pay(key, token)
        assert (reply.status, reply.resource["status"], reply.replayed) == (202, "pending", True)
        payment = reply.resource["id"]
        assert events(merchant, payment) == ["payment.queued"]
        till.door.instead[relay.Authorise] = AWAY
        await one_round(till, ASKED_AGAIN_AFTER)
        # Once is enough.
        assert events(merchant, payment) == ["payment.queued"]
        await till.recover()
        assert events(merchant, payment) == ["payment.queued", "payment.captured"]
        assert shop.decisions(payment) == [("sale", "approved")]

    play(shop, merchant, story)


def test_a_worker_that_is_fenced_off_fails_nothing(shop: Shop, merchant: Merchant) -> None:
    async def story(till: Till) -> None:
        key, token = uuid4(), merchant.tokenise()
        till.door.before[relay.Authorise] = lost
        with pytest.raises(Lost):
            await till.pay(key, token)
        till.door.instead[relay.Authorise] = relay.Rejected(code="attempt_fenced")
        await one_round(till)
        await till.recover()
        reply = await till.pay(key, token)
        assert (reply.status, reply.resource["status"]) == (201, "captured")

    play(shop, merchant, story)


@pytest.mark.parametrize("action", CALLS)
@pytest.mark.parametrize(
    "refused", [AWAY, relay.Rejected(code="attempt_fenced")], ids=["away", "fenced"]
)
def test_a_capture_or_cancellation_is_kept_and_done_once(
    refused: relay.Rejected, action: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay(capture=False)["id"], uuid4()
        till.door.instead[CALLS[action]] = refused
        reply = await till.act(key, payment, action)
        assert (reply.status, reply.resource["status"]) == (202, "authorized")
        # Decided on: nothing else may begin on it until it is done.
        with pytest.raises(Unprocessable, match="payment_unexpected_state"):
            await till.act(uuid4(), payment, action)
        till.door.instead[CALLS[action]] = AWAY
        await one_round(till)
        assert merchant.payment(payment)["status"] == "authorized"
        await till.recover()
        assert merchant.payment(payment)["status"] == ENDS_AS[action]
        assert shop.decisions(payment) == [("authorise", "approved"), (KINDS[action], "approved")]

    play(shop, merchant, story)


@pytest.mark.parametrize("action", CALLS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_capture_or_cancellation_whose_answers_are_lost(
    moment: str, action: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        payment = merchant.pay(capture=False)["id"]
        lose_the_answer(till, moment, CALLS[action])
        assert (await till.act(uuid4(), payment, action)).status == 202
        lose_the_answer(till, moment, CALLS[action])
        await one_round(till)
        await till.recover()
        assert merchant.payment(payment)["status"] == ENDS_AS[action]
        assert shop.decisions(payment) == [("authorise", "approved"), (KINDS[action], "approved")]

    play(shop, merchant, story)


@pytest.mark.parametrize("moment", [*MOMENTS, "away"])
def test_a_reversal_is_repeated_until_it_is_answered(
    moment: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        till.door.after[relay.Authorise] = lost
        with pytest.raises(Lost):
            await till.pay(uuid4(), merchant.tokenise())
        [payment] = merchant.get("/v1/payments", status="pending")["data"]
        assert (await till.act(uuid4(), payment["id"], "cancel")).status == 200
        for _ in range(3):
            if moment == "away":
                till.door.instead[relay.Reverse] = AWAY
            else:
                lose_the_answer(till, moment, relay.Reverse)
            await one_round(till)
        await till.recover()
        assert shop.decisions(payment["id"]) == [("sale", "approved"), ("reverse", "approved")]

    play(shop, merchant, story)
