"""A network that refuses a draw on what it has approved: the merchant keeps the money."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from contract import relay
from domain.ids import from_text
from domain.refusals import Unprocessable
from tests.flows.test_lost_holds import DECLINED, HoldTill, play
from tests.serving import eventually
from tests.shop import Merchant, Shop
from tests.shop_holds import CEILING, journal_of

DRAWN = 7_000
A_DAY = timedelta(days=1, minutes=1)


async def refuse(till: HoldTill) -> None:
    """One round of the worker in which the network refuses the draw that is due."""
    till.till.door.instead[relay.Capture] = DECLINED
    await till.recover_once()
    assert relay.Capture not in till.till.door.instead


def losses(shop: Shop, merchant: Merchant) -> list[Any]:
    with shop.database() as database:
        rows = database.execute(
            "SELECT amount, debit, credit FROM ledger_postings"
            " WHERE kind = 'draw_loss' AND merchant_id = %s",
            [from_text("mch", merchant.id)],
        )
        return rows.fetchall()


async def waited(till: HoldTill) -> None:
    for _ in range(3):
        await till.recover()


def test_the_hold_is_drawn_on_no_more_and_the_network_is_asked_again(
    shop: Shop, merchant: Merchant
) -> None:
    async def story(till: HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        payment = (await till.draw(hold, DRAWN)).resource
        await refuse(till)
        shown = till.wallet.shown(hold)
        assert (shown["status"], shown["amount_drawn"]) == ("released", DRAWN)
        assert merchant.events(limit=1)[0]["type"] == "hold.released"
        with pytest.raises(Unprocessable, match="hold_unexpected_state"):
            await till.draw(hold, 50)
        # A minute has to pass: nothing was asked, and nothing was given back.
        asked = len(till.till.door.asked)
        await till.recover_once()
        assert len(till.till.door.asked) == asked
        till.till.clock.advance(timedelta(minutes=1))
        await refuse(till)
        assert till.wallet.shown(hold) == shown
        till.till.clock.advance(timedelta(minutes=1))
        await waited(till)
        assert journal_of(shop, hold) == [
            ("authorise", "approved", CEILING),
            ("draw", "approved", DRAWN),
            ("reverse", "approved", CEILING - DRAWN),
        ]
        assert merchant.payment(payment["id"]) == payment
        assert losses(shop, merchant) == []

    play(shop, merchant, story)


@pytest.mark.parametrize("drawn", [DRAWN, CEILING], ids=["a part", "all of it"])
def test_after_a_day_it_is_lost_and_the_payer_gets_back_what_is_held(
    drawn: int, shop: Shop, merchant: Merchant
) -> None:
    async def story(till: HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        payment = (await till.draw(hold, drawn)).resource
        balance = merchant.get("/v1/balance")
        await refuse(till)
        till.till.clock.advance(A_DAY)
        await refuse(till)
        await waited(till)
        assert losses(shop, merchant) == [(drawn, "losses", "card_network")]
        assert journal_of(shop, hold) == [
            ("authorise", "approved", CEILING),
            ("reverse", "approved", CEILING),
        ]
        # The merchant sees nothing of it.
        assert merchant.payment(payment["id"]) == payment
        assert merchant.get("/v1/balance") == balance
        refund = merchant.refund(payment["id"], amount=1_000)
        path = f"/v1/payments/{payment['id']}/refunds/{refund['id']}"
        eventually(lambda: merchant.get(path)["status"] == "failed", 20.0)
        assert merchant.get(path)["failure_code"] == "refund_declined"
        assert merchant.payment(payment["id"]) == payment
        assert merchant.get("/v1/balance") == balance

    play(shop, merchant, story)


def test_silence_is_no_refusal(shop: Shop, merchant: Merchant) -> None:
    async def story(till: HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        await till.draw(hold, DRAWN)
        till.till.clock.advance(A_DAY)
        till.till.door.instead[relay.Capture] = relay.Rejected(code="network_unavailable")
        await till.recover_once()
        assert till.wallet.shown(hold)["status"] == "active"
        till.till.clock.advance(timedelta(minutes=1))
        await till.recover()
        assert journal_of(shop, hold)[-1] == ("draw", "approved", DRAWN)
        assert losses(shop, merchant) == []

    play(shop, merchant, story)


def test_the_database_presents_no_draw_that_was_lost(shop: Shop, merchant: Merchant) -> None:
    async def story(till: HoldTill) -> None:
        hold = (await till.hold()).resource["id"]
        payment = (await till.draw(hold, DRAWN)).resource["id"]
        till.till.clock.advance(A_DAY)
        await refuse(till)
        await waited(till)
        with shop.database() as database:
            for change in ("present_at = now()", "present_at = now(), lost_at = lost_at"):
                with pytest.raises(psycopg.errors.CheckViolation):
                    database.execute(
                        f"UPDATE hold_draws SET {change} WHERE id = %s".encode(),
                        [from_text("pay", payment)],
                    )

    play(shop, merchant, story)
