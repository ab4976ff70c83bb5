"""A card that was saved at the vault by a process that was lost before it wrote its row."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from contract import relay
from domain.ids import from_text
from flows.card_erasure import erase_unknown_cards
from flows.payment_methods import create_payment_method
from tests.flows.till import Lost, Till, lost, open_till
from tests.shop import Merchant, Shop, told

# Luhn-valid, used by no other test.
NUMBER, OTHER = "4716461583322103", "4532733309529845"


def instruments(shop: Shop, merchant: Merchant) -> list[tuple[UUID, str, bool, bool]]:
    """(id, state, sealed, confirmed) of everything the vault has of a merchant, oldest first."""
    with shop.database("paymint-vault") as connection:
        rows: list[Any] = connection.execute(
            "SELECT id, state, ciphertext IS NOT NULL, confirmed FROM instruments"
            " WHERE merchant_id = %s ORDER BY created_at, id",
            [from_text("mch", merchant.id)],
        ).fetchall()
    return rows


def saved(shop: Shop, merchant: Merchant) -> list[tuple[UUID, str, bool, bool]]:
    return [row for row in instruments(shop, merchant) if row[1] in ("saved", "erased")]


def let_an_hour_pass(shop: Shop, merchant: Merchant) -> None:
    with shop.database("paymint-vault") as connection:
        connection.execute(
            "UPDATE instruments SET created_at = created_at - interval '61 minutes'"
            " WHERE merchant_id = %s",
            [from_text("mch", merchant.id)],
        )


async def lose_a_card(till: Till, merchant: Merchant) -> None:
    """The vault saves the card, and the process that asked for it is gone."""
    customer, token = merchant.customer()["id"], merchant.tokenise(NUMBER)
    till.door.after[relay.Attach] = lost
    body = {"type": "card", "token": token}
    with pytest.raises(Lost):
        await create_payment_method(till.house, till.asking(uuid4(), body), customer, body)


def test_a_lost_card_is_erased_after_an_hour_and_a_known_one_stays(
    shop: Shop, merchant: Merchant
) -> None:
    async def story() -> None:
        async with open_till(shop, merchant) as till:
            await lose_a_card(till, merchant)
            customer = merchant.customer()["id"]
            method = told(merchant.save_card(customer, OTHER), 201)["id"]
            await erase_unknown_cards(till.house)
            # Within the hour its request may still be repeated.
            assert [row[1:] for row in saved(shop, merchant)] == [("saved", True, False)] * 2
            let_an_hour_pass(shop, merchant)
            assert await erase_unknown_cards(till.house) >= 1
            gone, stays = saved(shop, merchant)
            assert gone[1:3] == ("erased", False)
            assert stays == (from_text("pm", method), "saved", True, True)
            asked = len(till.door.asked)
            await erase_unknown_cards(till.house)
            # Settled: nothing of this merchant is named again.
            later = till.door.asked[asked:]
            assert not [one for one in later if getattr(one, "instrument_id", None) == stays[0]]
        merchant.pay(method)

    asyncio.run(story())


def test_a_request_that_is_repeated_in_time_gets_its_card(shop: Shop, merchant: Merchant) -> None:
    async def story() -> None:
        async with open_till(shop, merchant) as till:
            customer, token, key = merchant.customer()["id"], merchant.tokenise(NUMBER), uuid4()
            body = {"type": "card", "token": token}
            till.door.after[relay.Attach] = lost
            asking = till.asking(key, body)
            with pytest.raises(Lost):
                await create_payment_method(till.house, asking, customer, body)
            reply = await create_payment_method(till.house, asking, customer, body)
            assert reply.status == 201
            let_an_hour_pass(shop, merchant)
            await erase_unknown_cards(till.house)
            assert [row[1:] for row in saved(shop, merchant)] == [("saved", True, True)]

    asyncio.run(story())
