"""A process that is lost while a hold is made, added to, drawn on or given back."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from adapters.vault_door import Refused
from contract import relay
from domain.payment_requests import PaymentRequest
from domain.refusals import Conflict, Unavailable, Unprocessable
from flows.hold_draws import draw_payment
from flows.hold_endings import release_hold
from flows.hold_presentations import lease_due_draws, present
from flows.hold_recovery import (
    lease_due_holds,
    lease_due_top_ups,
    resume_hold,
    resume_top_up,
)
from flows.hold_top_ups import top_up_hold
from flows.holds import HoldRequest, create_hold
from flows.replies import Reply
from tests import books
from tests.flows.till import Lost, Till, lost, open_till
from tests.shop import Merchant, Shop
from tests.shop_holds import CEILING, WEEK, Wallet, journal_of

MOMENTS = ("before", "after")
DECLINED = relay.Decision(
    outcome="declined", network="visa", code="card_declined", decline_code="generic_decline"
)
# What the stack's own worker is not to see: it works by the wall clock.
LATER = timedelta(hours=1)
DUTIES = (
    (lease_due_holds, resume_hold),
    (lease_due_top_ups, resume_top_up),
    (lease_due_draws, present),
)


class HoldTill:
    """A till, and a wallet of its merchant."""

    def __init__(self, till: Till, wallet: Wallet) -> None:
        self.till = till
        self.wallet = wallet
        till.clock.advance(LATER)

    def lose(self, moment: str, kind: type) -> None:
        """The process will be lost before or after the next call of this kind."""
        (self.till.door.before if moment == "before" else self.till.door.after)[kind] = lost

    async def hold(self, key: Any = None) -> Reply:
        wallet, key = self.wallet, key or uuid4()
        request = HoldRequest(wallet.method, wallet.customer, CEILING, "usd", WEEK)
        return await create_hold(self.till.house, self.till.asking(key, request), request)

    async def top_up(self, hold: str, key: Any = None) -> Reply:
        asking = self.till.asking(key or uuid4(), hold, "top_up")
        return await top_up_hold(self.till.house, asking, hold, 5_000)

    async def draw(self, hold: str, amount: int) -> Reply:
        wallet = self.wallet
        request = PaymentRequest(amount, "usd", wallet.method, None, True, None, {}, hold)
        return await draw_payment(self.till.house, self.till.asking(uuid4(), request), request)

    async def release(self, hold: str) -> Reply:
        return await release_hold(self.till.house, self.till.asking(uuid4(), hold), hold)

    async def recover(self) -> None:
        """Two turns of the worker's rounds, each as if the time for it had come."""
        for _ in range(2):
            await self.recover_once()

    async def recover_once(self) -> None:
        """One turn of them."""
        self.till.clock.advance(timedelta(seconds=11))
        for lease, work in DUTIES:
            for row in await lease(self.till.house, 50):
                await work(self.till.house, row)


def play(shop: Shop, merchant: Merchant, story: Callable[[HoldTill], Awaitable[None]]) -> None:
    async def played() -> None:
        async with open_till(shop, merchant) as till:
            await story(HoldTill(till, Wallet(merchant)))

    asyncio.run(played())
    books.settle(shop)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_new_hold(moment: str, shop: Shop, merchant: Merchant) -> None:
    async def story(till: HoldTill) -> None:
        key = uuid4()
        till.lose(moment, relay.Authorise)
        with pytest.raises(Lost):
            await till.hold(key)
        with pytest.raises(Conflict, match="idempotency_key_in_use"):
            await till.hold(key)
        await till.recover()
        reply = await till.hold(key)
        assert (reply.status, reply.replayed) == (201, True)
        assert reply.resource["status"] == "active"
        assert journal_of(shop, reply.resource["id"]) == [("authorise", "approved", CEILING)]

    play(shop, merchant, story)


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_is_added(moment: str, shop: Shop, merchant: Merchant) -> None:
    async def story(till: HoldTill) -> None:
        hold, key = (await till.hold()).resource["id"], uuid4()
        till.lose(moment, relay.Authorise)
        with pytest.raises(Lost):
            await till.top_up(hold, key)
        # It is drawn empty meanwhile, and is not used up: more is on its way.
        await till.draw(hold, CEILING)
        assert till.wallet.shown(hold)["status"] == "active"
        await till.recover()
        reply = await till.top_up(hold, key)
        assert (reply.status, reply.replayed) == (200, True)
        assert (reply.resource["amount"], reply.resource["amount_remaining"]) == (25_000, 5_000)
        assert till.wallet.shown(hold) == reply.resource
        await till.release(hold)
        await till.recover()
        assert journal_of(shop, hold)[-1] == ("reverse", "approved", 5_000)

    play(shop, merchant, story)


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_is_added_to_a_hold_that_ends_meanwhile(
    moment: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        till.lose(moment, relay.Authorise)
        with pytest.raises(Lost):
            await till.top_up(hold)
        await till.release(hold)
        await till.recover()
        shown = till.wallet.shown(hold)
        assert (shown["status"], shown["amount"]) == ("released", CEILING)
        # Approved after all, it is given back with the hold.
        given_back = CEILING + (5_000 if moment == "after" else 0)
        assert journal_of(shop, hold)[-1] == ("reverse", "approved", given_back)

    play(shop, merchant, story)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_between_draw_and_presentation(
    moment: str, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        payment = (await till.draw(hold, 7_000)).resource["id"]
        await till.release(hold)
        assert shop.decisions(payment) == []
        till.lose(moment, relay.Capture)
        with pytest.raises(Lost):
            await till.recover()
        # It is not given back before the network has heard of the draw.
        assert ("reverse", "approved", 13_000) not in journal_of(shop, hold)
        await till.recover()
        await till.recover()
        assert journal_of(shop, hold) == [
            ("authorise", "approved", CEILING),
            ("draw", "approved", 7_000),
            ("reverse", "approved", 13_000),
        ]

    play(shop, merchant, story)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_that_gives_back(moment: str, shop: Shop, merchant: Merchant) -> None:
    async def story(till: HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        await till.release(hold)
        till.lose(moment, relay.Reverse)
        with pytest.raises(Lost):
            await till.recover()
        await till.recover()
        assert journal_of(shop, hold)[1:] == [("reverse", "approved", CEILING)]

    play(shop, merchant, story)


def test_a_network_that_is_away_leaves_it_pending_until_it_is_back(
    shop: Shop, merchant: Merchant
) -> None:
    async def story(till: HoldTill) -> None:
        away = relay.Rejected(code="network_unavailable")
        till.till.door.instead[relay.Authorise] = away
        reply = await till.hold()
        hold = reply.resource["id"]
        assert (reply.status, reply.resource["status"]) == (202, "pending")
        assert reply.resource["pending_reason"] == "network_unavailable"
        till.till.door.instead[relay.Authorise] = away
        await till.recover()
        assert till.wallet.shown(hold)["status"] == "active"
        till.till.door.instead[relay.Authorise] = away
        assert (await till.top_up(hold)).status == 202
        till.till.door.instead[relay.Capture] = away
        payment = (await till.draw(hold, 100)).resource["id"]
        await till.recover()
        assert till.wallet.shown(hold)["amount"] == 25_000
        await till.release(hold)
        till.till.door.instead[relay.Reverse] = away
        await till.recover()
        await till.recover()
        assert shop.decisions(payment) == [("draw", "approved")]
        assert journal_of(shop, hold)[-1] == ("reverse", "approved", 24_900)

    play(shop, merchant, story)


def test_a_vault_that_refuses_the_call_leaves_no_trace(shop: Shop, merchant: Merchant) -> None:
    async def story(till: HoldTill) -> None:
        till.till.door.before[relay.Authorise] = refused
        with pytest.raises(Unavailable):
            await till.hold()
        assert merchant.get("/v1/holds")["total_count"] == 0
        hold = (await till.hold()).resource["id"]
        key = uuid4()
        till.till.door.before[relay.Authorise] = refused
        with pytest.raises(Unavailable):
            await till.top_up(hold, key)
        assert (await till.top_up(hold, key)).resource["amount"] == 25_000

    play(shop, merchant, story)


async def refused() -> None:
    raise Refused("busy")


UNDECIDED = relay.Resolution(state="undecided")
AWAY = relay.Rejected(code="network_unavailable")
WAITS = {"away": {relay.Authorise: AWAY}, "undecided": {relay.Resolve: UNDECIDED}}


@pytest.mark.parametrize("answers", WAITS.values(), ids=WAITS)
def test_a_worker_tells_that_it_waits_where_its_request_could_not(
    answers: dict[type, relay.Answer], shop: Shop, merchant: Merchant
) -> None:
    async def story(till: HoldTill) -> None:
        key, moment = uuid4(), "before" if relay.Authorise in answers else "after"
        till.lose(moment, relay.Authorise)
        with pytest.raises(Lost):
            await till.hold(key)
        till.till.door.instead.update(answers)
        await till.recover_once()
        reply = await till.hold(key)
        assert (reply.status, reply.resource["status"], reply.replayed) == (202, "pending", True)
        assert reply.resource["pending_reason"] == "network_unavailable"
        hold = reply.resource["id"]
        assert till.wallet.shown(hold) == reply.resource
        await till.recover()
        assert till.wallet.shown(hold)["status"] == "active"
        key = uuid4()
        till.lose(moment, relay.Authorise)
        with pytest.raises(Lost):
            await till.top_up(hold, key)
        till.till.door.instead.update(answers)
        await till.recover_once()
        reply = await till.top_up(hold, key)
        assert (reply.status, reply.resource["amount"], reply.replayed) == (202, CEILING, True)
        await till.recover()
        assert till.wallet.shown(hold)["amount"] == CEILING + 5_000

    play(shop, merchant, story)


def test_an_addition_that_waited_in_vain_is_told(shop: Shop, merchant: Merchant) -> None:
    async def story(till: HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        till.till.door.instead[relay.Authorise] = relay.Rejected(code="network_unavailable")
        assert (await till.top_up(hold)).status == 202
        with pytest.raises(Unprocessable, match="hold_unexpected_state") as refused:
            await till.top_up(hold)
        assert refused.value.values == {"status": "being added to"}
        # Nothing of it is left, and more may come.
        await till.draw(hold, CEILING)
        till.till.door.instead[relay.Authorise] = DECLINED
        await till.recover()
        told = {event["type"]: event for event in merchant.events()}
        failed, used_up = told["hold.top_up_failed"], told["hold.used_up"]
        assert (failed["sequence"], used_up["sequence"]) == (2, 3)
        stands = failed["data"]["object"]
        assert (stands["status"], stands["amount"]) == ("active", CEILING)
        assert (stands["amount_drawn"], stands["amount_remaining"]) == (CEILING, 0)

    play(shop, merchant, story)


def test_an_addition_that_no_answer_comes_for_fails_at_its_deadline(
    shop: Shop, merchant: Merchant
) -> None:
    async def story(till: HoldTill) -> None:
        door, key = till.till.door, uuid4()
        hold = (await till.hold()).resource["id"]
        till.lose("before", relay.Authorise)
        with pytest.raises(Lost):
            await till.top_up(hold, key)

        async def silent_network() -> None:
            asked = door.asked[-1]
            assert isinstance(asked, relay.Resolve)
            state: Any = "never_begun" if asked.give_up else "undecided"
            door.instead[relay.Resolve] = relay.Resolution(state=state)

        door.before[relay.Resolve] = silent_network
        await till.recover_once()
        assert (await till.top_up(hold, key)).status == 202
        till.till.clock.advance(timedelta(seconds=31))
        door.before[relay.Resolve] = silent_network
        await till.recover_once()
        (failed, _) = merchant.events()
        assert failed["type"] == "hold.top_up_failed"
        assert failed["data"]["object"] == till.wallet.shown(hold)
        assert till.wallet.shown(hold)["amount"] == CEILING
        # Another may be added now.
        assert (await till.top_up(hold)).status == 200

    play(shop, merchant, story)


def test_a_hold_that_no_answer_comes_for_fails_at_its_deadline(
    shop: Shop, merchant: Merchant
) -> None:
    async def story(till: HoldTill) -> None:
        undecided = relay.Resolution(state="undecided")
        till.lose("after", relay.Authorise)
        with pytest.raises(Lost):
            await till.hold()
        till.till.clock.advance(timedelta(seconds=31))
        till.till.door.instead[relay.Resolve] = undecided
        await till.recover()
        (failed,) = merchant.get("/v1/holds")["data"]
        assert (failed["status"], failed["failure_code"]) == ("failed", "network_unavailable")
        await till.recover()
        # It was approved all the same, and is given back.
        assert journal_of(shop, failed["id"]) == [
            ("authorise", "approved", CEILING),
            ("reverse", "approved", CEILING),
        ]
        assert merchant.get("/v1/holds")["data"] == [failed]

    play(shop, merchant, story)
