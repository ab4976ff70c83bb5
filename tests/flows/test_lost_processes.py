"""A process that is lost between its two commits: recovery ends what it began, once."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from contract import relay
from domain.ids import from_text
from domain.refusals import Conflict
from tests.faults.evidence import Evidence
from tests.flows.till import COUNTRY, Lost, Till, lost, open_till
from tests.shop import Merchant, Shop

MOMENTS = ("before", "after")
Story = Callable[[Till], Awaitable[None]]


def play(shop: Shop, merchant: Merchant, story: Story) -> None:
    """The story, and then everything that must hold whatever happened."""

    async def played() -> None:
        async with open_till(shop, merchant) as till:
            await story(till)

    asyncio.run(played())
    evidence = Evidence(shop, merchant)
    evidence.nothing_stays_unfinished()
    evidence.network_agrees()
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()


def interrupt(till: Till, moment: str, kind: type) -> None:
    """The process will be lost before or after the next call of this kind."""
    (till.door.before if moment == "before" else till.door.after)[kind] = lost


@pytest.mark.parametrize("capture", [True, False], ids=["sale", "hold"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_payment(moment: str, capture: bool, shop: Shop, merchant: Merchant) -> None:
    async def story(till: Till) -> None:
        key, token = uuid4(), merchant.tokenise()
        interrupt(till, moment, relay.Authorise)
        with pytest.raises(Lost):
            await till.pay(key, token, capture=capture)
        with pytest.raises(Conflict, match="idempotency_key_in_use"):
            await till.pay(key, token, capture=capture)
        await till.recover()
        await ends_as(till, key, token, capture)

    play(shop, merchant, story)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_payment_keeps_the_signals_of_its_request(
    moment: str, shop: Shop, merchant: Merchant
) -> None:
    """Resumed by a worker, whose turn comes from nowhere."""

    async def story(till: Till) -> None:
        key, token = uuid4(), merchant.tokenise()
        interrupt(till, moment, relay.Authorise)
        with pytest.raises(Lost):
            await till.pay(key, token)
        await till.recover()
        payment = (await till.pay(key, token)).resource["id"]
        with shop.database() as connection:
            rows = connection.execute(
                "SELECT risk_signals FROM payments WHERE id = %s", [from_text("pay", payment)]
            ).fetchall()
        assert rows == [({"ip_country": COUNTRY, "velocity_flag": False},)]

    play(shop, merchant, story)


async def ends_as(till: Till, key: UUID, token: str, capture: bool) -> None:
    """The repeated request gets the payment as it ended, every time the same."""
    reply = await till.pay(key, token, capture=capture)
    assert (reply.status, reply.replayed) == (201, True)
    assert reply.resource["status"] == ("captured" if capture else "authorized")
    assert (await till.pay(key, token, capture=capture)).resource == reply.resource


@pytest.mark.parametrize("action", ["capture", "cancel"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_capture_or_cancellation(
    moment: str, action: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay(capture=False)["id"], uuid4()
        interrupt(till, moment, relay.Capture if action == "capture" else relay.Reverse)
        with pytest.raises(Lost):
            await till.act(key, payment, action)
        await till.recover()
        reply = await till.act(key, payment, action)
        assert (reply.status, reply.replayed) == (200, True)
        assert reply.resource["status"] == ("captured" if action == "capture" else "cancelled")
        kind = "capture" if action == "capture" else "reverse"
        assert shop.decisions(payment) == [("authorise", "approved"), (kind, "approved")]

    play(shop, merchant, story)


@pytest.mark.parametrize("moment", MOMENTS)
def test_recovery_itself(moment: str, shop: Shop, merchant: Merchant) -> None:
    async def story(till: Till) -> None:
        key, token = uuid4(), merchant.tokenise()
        interrupt(till, "before", relay.Authorise)
        with pytest.raises(Lost):
            await till.pay(key, token)
        interrupt(till, moment, relay.Authorise)
        with pytest.raises(Lost):
            await till.recover()
        await till.recover()
        await ends_as(till, key, token, True)

    play(shop, merchant, story)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_reversal_of_what_was_cancelled_while_pending(
    moment: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        key, token = uuid4(), merchant.tokenise()
        interrupt(till, "after", relay.Authorise)
        with pytest.raises(Lost):
            await till.pay(key, token)
        [payment] = merchant.get("/v1/payments", status="pending")["data"]
        interrupt(till, moment, relay.Reverse)
        assert (await till.act(uuid4(), payment["id"], "cancel")).status == 200
        with pytest.raises(Lost):
            await till.recover()
        await till.recover()
        stored = merchant.payment(payment["id"])
        assert stored["status"] == "cancelled"
        assert shop.decisions(payment["id"]) == [("sale", "approved"), ("reverse", "approved")]

    play(shop, merchant, story)


def test_a_request_that_was_taken_for_lost_gets_the_payment_that_recovery_made(
    shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        key, token = uuid4(), merchant.tokenise()
        till.door.before[relay.Authorise] = till.recover
        reply = await till.pay(key, token)
        assert (reply.status, reply.resource["status"]) == (201, "captured")
        assert shop.decisions(reply.resource["id"]) == [("sale", "approved")]
        await ends_as(till, key, token, True)

    play(shop, merchant, story)


@pytest.mark.parametrize("action", ["capture", "cancel"])
def test_an_operation_that_was_taken_for_lost_gets_what_recovery_made(
    action: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        payment, key = merchant.pay(capture=False)["id"], uuid4()
        kind = relay.Capture if action == "capture" else relay.Reverse
        till.door.before[kind] = till.recover
        reply = await till.act(key, payment, action)
        assert reply.status == 200
        assert reply.resource["status"] == ("captured" if action == "capture" else "cancelled")
        assert (await till.act(key, payment, action)).resource == reply.resource

    play(shop, merchant, story)
