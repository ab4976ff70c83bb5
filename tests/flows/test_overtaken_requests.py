"""A request that a worker took for lost answers with what the worker has made of it.

Nothing else may be said: 503 promises that nothing was done, and 200 that all was.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from adapters.vault_door import Refused
from contract import relay
from domain.callers import Asking
from domain.ids import to_text
from domain.refusals import Declined, Unprocessable
from flows.hold_top_ups import top_up_hold
from flows.holds import HoldRequest, create_hold
from flows.payment_operations import cancel_payment, capture_payment
from flows.replies import Reply
from tests.flows import test_lost_processes
from tests.flows.test_lost_holds import DECLINED, HoldTill, play
from tests.flows.till import Lost, Till
from tests.shop import Merchant, Shop
from tests.shop_holds import CEILING, WEEK

ADDED = 5_000
CALLS = {"capture": relay.Capture, "cancel": relay.Reverse}
ENDS_AS = {"capture": "captured", "cancel": "cancelled"}
KEYS = pytest.mark.parametrize("key", [None, uuid4()], ids=["without a key", "with a key"])


def asking(till: Till, key: UUID | None) -> Asking:
    found = till.asking(key or uuid4())
    return found if key else replace(found, once=None)


async def hold(till: HoldTill, key: UUID | None) -> Reply:
    wallet, house = till.wallet, till.till.house
    request = HoldRequest(wallet.method, wallet.customer, CEILING, "usd", WEEK)
    return await create_hold(house, asking(till.till, key), request)


async def top_up(till: HoldTill, standing: str, key: UUID | None) -> Reply:
    return await top_up_hold(till.till.house, asking(till.till, key), standing, ADDED)


async def operate(till: Till, payment: str, action: str, key: UUID | None) -> Reply:
    if action == "capture":
        return await capture_payment(till.house, asking(till, key), payment, None)
    return await cancel_payment(till.house, asking(till, key), payment)


def named_in(refusal: Declined) -> str:
    assert refusal.hold_id is not None
    return to_text("hld", refusal.hold_id)


def overtaken(
    recover: Callable[[], Awaitable[None]], then: Exception | None = None
) -> Callable[[], Awaitable[None]]:
    """A worker goes on in the request's place; then its own call may come to nothing."""

    async def happening() -> None:
        await recover()
        if then is not None:
            raise then

    return happening


def declining(till: Till, kind: type, recover: Callable[[], Awaitable[None]]) -> None:
    """A worker goes on in the place of the next request, and the network declines."""

    async def happening() -> None:
        till.door.instead[kind] = DECLINED
        await recover()

    till.door.before[kind] = happening


@KEYS
def test_a_hold_whose_call_the_vault_refused(
    key: UUID | None, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: HoldTill) -> None:
        till.till.door.before[relay.Authorise] = overtaken(till.recover, Refused("busy"))
        reply = await hold(till, key)
        assert (reply.status, reply.resource["status"]) == (201, "active")
        assert merchant.get("/v1/holds")["data"] == [reply.resource]

    play(shop, merchant, story)


@KEYS
def test_a_hold_that_was_declined(key: UUID | None, shop: Shop, merchant: Merchant) -> None:
    async def story(till: HoldTill) -> None:
        declining(till.till, relay.Authorise, till.recover)
        with pytest.raises(Declined, match="card_declined") as refused:
            await hold(till, key)
        assert refused.value.decline_code == "generic_decline"
        (failed,) = merchant.get("/v1/holds")["data"]
        assert (failed["id"], failed["status"]) == (named_in(refused.value), "failed")

    play(shop, merchant, story)


@KEYS
@pytest.mark.parametrize("then", [None, Refused("busy")], ids=["fenced", "refused"])
def test_an_addition(
    then: Exception | None, key: UUID | None, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: HoldTill) -> None:
        standing = (await till.hold()).resource["id"]
        till.till.door.before[relay.Authorise] = overtaken(till.recover, then)
        reply = await top_up(till, standing, key)
        assert (reply.status, reply.resource["amount"]) == (200, CEILING + ADDED)
        assert till.wallet.shown(standing) == reply.resource

    play(shop, merchant, story)


@KEYS
def test_an_addition_that_was_declined(key: UUID | None, shop: Shop, merchant: Merchant) -> None:
    async def story(till: HoldTill) -> None:
        standing = (await till.hold()).resource["id"]
        declining(till.till, relay.Authorise, till.recover)
        # Why is kept with the key alone.
        with pytest.raises(Declined, match="card_declined" if key else "processing_error"):
            await top_up(till, standing, key)
        assert till.wallet.shown(standing)["amount"] == CEILING

    play(shop, merchant, story)


@KEYS
def test_an_addition_to_a_hold_that_ended(key: UUID | None, shop: Shop, merchant: Merchant) -> None:
    async def story(till: HoldTill) -> None:
        standing = (await till.hold()).resource["id"]

        async def released() -> None:
            await till.release(standing)
            await till.recover()

        till.till.door.before[relay.Authorise] = released
        with pytest.raises(Unprocessable, match="hold_unexpected_state"):
            await top_up(till, standing, key)

    play(shop, merchant, story)


def test_an_addition_that_still_waits(shop: Shop, merchant: Merchant) -> None:
    async def story(till: HoldTill) -> None:
        standing = (await till.hold()).resource["id"]

        async def still_waits() -> None:
            till.till.door.instead[relay.Authorise] = relay.Rejected(code="network_unavailable")
            await till.recover_once()

        till.till.door.before[relay.Authorise] = still_waits
        reply = await top_up(till, standing, None)
        assert (reply.status, reply.resource["amount"]) == (202, CEILING)
        await till.recover()
        assert till.wallet.shown(standing)["amount"] == CEILING + ADDED

    play(shop, merchant, story)


@KEYS
@pytest.mark.parametrize("action", CALLS)
def test_an_operation_whose_call_the_vault_refused(
    action: str, key: UUID | None, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        payment = merchant.pay(capture=False)["id"]
        till.door.before[CALLS[action]] = overtaken(till.recover, Refused("busy"))
        reply = await operate(till, payment, action, key)
        assert (reply.status, reply.resource["status"]) == (200, ENDS_AS[action])

    test_lost_processes.play(shop, merchant, story)


@KEYS
@pytest.mark.parametrize("action", CALLS)
def test_an_operation_that_was_declined(
    action: str, key: UUID | None, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: Till) -> None:
        payment = merchant.pay(capture=False)["id"]
        declining(till, CALLS[action], till.recover)
        with pytest.raises(Unprocessable, match="payment_unexpected_state"):
            await operate(till, payment, action, key)
        assert merchant.payment(payment)["status"] == "authorized"

    test_lost_processes.play(shop, merchant, story)


def test_a_payment_whose_call_the_vault_refused(shop: Shop, merchant: Merchant) -> None:
    async def story(till: Till) -> None:
        till.door.before[relay.Authorise] = overtaken(till.recover, Refused("busy"))
        reply = await till.pay(uuid4(), merchant.tokenise())
        assert (reply.status, reply.resource["status"]) == (201, "captured")
        assert len(merchant.get("/v1/payments")["data"]) == 1

    test_lost_processes.play(shop, merchant, story)


def test_a_hold_whose_card_the_vault_forgot_names_no_network(
    shop: Shop, merchant: Merchant
) -> None:
    async def story(till: HoldTill) -> None:
        till.lose("before", relay.Authorise)
        with pytest.raises(Lost):
            await till.hold()
        till.till.door.instead[relay.Authorise] = relay.Rejected(code="instrument_unknown")
        await till.recover()
        # Read through the door, which holds its answers to the document.
        (failed,) = merchant.get("/v1/holds")["data"]
        assert (failed["status"], failed["failure_code"]) == ("failed", "processing_error")
        assert failed["network"] is None

    play(shop, merchant, story)
