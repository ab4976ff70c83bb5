"""Batches that meet: the same items in two of them at once are one payment each."""

import asyncio
import time
from collections import Counter
from typing import Any
from uuid import uuid4

from tests.races.rush import Answered, Rush, rush, seeded, together
from tests.races.test_one_key import charges_of, saved_card
from tests.shop import Merchant, Shop

PATH = "/v1/payments/batch"
BATCHES = 6
ITEMS = 30
TOLD_SECONDS = 30.0
PAUSE_SECONDS = 0.02


def items_of(instrument: str) -> list[dict[str, Any]]:
    return [
        {
            "amount": 1000 + number,
            "currency": "usd",
            "payment_method_id": instrument,
            "idempotency_key": str(uuid4()),
        }
        for number in range(ITEMS)
    ]


async def until_told(asking: Rush, items: list[dict[str, Any]]) -> dict[str, Any]:
    """The results by key, once no item is still under way in another batch."""
    results: dict[str, Any] = {}
    until = time.monotonic() + TOLD_SECONDS
    while time.monotonic() < until:
        open_items = [each for each in items if each["idempotency_key"] not in results]
        if not open_items:
            break
        answer = await asking.post(PATH, {"payments": open_items})
        assert answer.status == 207, answer
        for sent, result in zip(open_items, answer.body["data"], strict=True):
            if result.get("error", {}).get("code") != "idempotency_key_in_use":
                results[sent["idempotency_key"]] = result
        await asyncio.sleep(PAUSE_SECONDS)
    return results


def test_the_same_items_in_several_batches_pay_once(shop: Shop, merchant: Merchant) -> None:
    chance = seeded("the_same_items_in_several_batches")
    items = items_of(saved_card(merchant))
    orders = [chance.sample(items, len(items)) for _ in range(BATCHES)]

    async def ask(asking: Rush) -> list[dict[str, Any]]:
        return await together([until_told(asking, order) for order in orders])

    answers = rush(merchant, ask)
    for results in answers:
        assert {result["status"] for result in results.values()} == {201}
        assert len(results) == ITEMS
    for item in items:
        ids = {results[item["idempotency_key"]]["payment"]["id"] for results in answers}
        assert len(ids) == 1
    assert merchant.get("/v1/payments")["total_count"] == ITEMS
    charged = Counter(line["amount"] for line in charges_of(shop, merchant))
    assert charged == Counter(item["amount"] for item in items)


def test_one_token_in_many_batches_is_charged_once(shop: Shop, merchant: Merchant) -> None:
    token, method = merchant.tokenise(), saved_card(merchant)
    batches = [[*items_of(method)[:5], items_of(token)[0]] for _ in range(BATCHES)]

    async def ask(asking: Rush) -> list[Answered]:
        return await together([asking.post(PATH, {"payments": items}) for items in batches])

    results = [answer.body["data"] for answer in rush(merchant, ask)]
    last = [result[-1] for result in results]
    assert sorted(result["status"] for result in last) == [201] + [422] * (BATCHES - 1)
    codes = {result["error"]["code"] for result in last if "error" in result}
    assert codes == {"token_already_used"}
    # Whoever shares a statement with the loser of such a race is none the worse for it.
    assert {each["status"] for result in results for each in result[:-1]} == {201}
    assert len(charges_of(shop, merchant)) == BATCHES * 5 + 1
