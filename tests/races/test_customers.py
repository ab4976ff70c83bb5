"""Customers changed, deleted and given cards at the same moment."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from contract import relay
from domain.ids import from_text
from domain.refusals import Missing, PreconditionFailed, Unprocessable
from flows.customers import remove_customer, update_customer
from flows.payment_methods import create_payment_method
from models.sealed import CUSTOMER_NAME
from runtime.database import POOL_MAX_CONNECTIONS
from tests.flows.test_lost_processes import play
from tests.flows.till import Till
from tests.races.rush import Answered, Rush, rush, together
from tests.serving import eventually
from tests.shop import Merchant, Shop, bearer, told

AT_ONCE = 12
DELETIONS = 4
ERASED_SECONDS = 40.0
_NUMBERS = b"""SELECT count(*) FROM instruments
    WHERE merchant_id = %s AND state = 'saved' AND ciphertext IS NOT NULL"""
_METHODS = b"SELECT count(*) FROM payment_methods WHERE customer_id = %s AND detached_at IS NULL"


def test_a_change_of_what_was_changed_since_is_412(shop: Shop, merchant: Merchant) -> None:
    async def story(till: Till) -> None:
        customer = merchant.customer(name="Ada", metadata={"n": "0"})["id"]
        seen = _asking(till, frozenset({1}))
        changes = [
            update_customer(till.house, seen, customer, {"metadata": {f"by{n}": "x"}})
            for n in range(AT_ONCE)
        ]
        results = await asyncio.gather(*changes, return_exceptions=True)
        won = [each for each in results if isinstance(each, dict)]
        lost = [each for each in results if isinstance(each, PreconditionFailed)]
        assert (len(won), len(lost)) == (1, AT_ONCE - 1)
        assert merchant.get(f"/v1/customers/{customer}") == won[0]
        assert won[0]["revision"] == 2
        with pytest.raises(PreconditionFailed):
            await update_customer(till.house, _asking(till, frozenset()), customer, {})
        with pytest.raises(Missing):
            await update_customer(till.house, seen, "cus_" + "0" * 32, {})
        assert await remove_customer(till.house, _asking(till, None), customer)
        with pytest.raises(Missing):
            await update_customer(till.house, _asking(till, frozenset({1})), customer, {})

    play(shop, merchant, story)


def test_a_key_is_found_while_every_connection_waits_for_one(
    shop: Shop, merchant: Merchant
) -> None:
    """A transaction may need a key that was forgotten since it began."""
    owner = from_text("mch", merchant.id)
    assert owner is not None

    async def story(till: Till) -> None:
        seals = till.house.seals
        sealed = await seals.seal(owner, CUSTOMER_NAME, b"Ada")
        async with AsyncExitStack() as held:
            for _ in range(POOL_MAX_CONNECTIONS):
                await held.enter_async_context(till.house.database.transaction())
            seals.forget_all()
            assert await seals.open(owner, CUSTOMER_NAME, sealed) == b"Ada"

    play(shop, merchant, story)


def _asking(till: Till, if_match: frozenset[int] | None) -> Any:
    return replace(till.asking(uuid4()), once=None, if_match=if_match)


def test_changes_without_a_condition_are_all_kept(merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    url = f"{merchant.http.base_url!s}".rstrip("/") + f"/v1/customers/{customer}"

    async def change(session: aiohttp.ClientSession, number: int) -> int:
        body = {"metadata": {f"k{number}": "v"}}
        async with session.patch(url, json=body, headers=bearer(merchant.secret_key)) as answer:
            return answer.status

    async def run() -> list[int]:
        async with aiohttp.ClientSession() as session:
            return await together([change(session, number) for number in range(AT_ONCE)])

    assert asyncio.run(run()) == [200] * AT_ONCE
    after = merchant.get(f"/v1/customers/{customer}")
    assert after["revision"] == AT_ONCE + 1
    assert after["metadata"] == {f"k{number}": "v" for number in range(AT_ONCE)}


def test_a_customer_is_deleted_once_while_cards_are_saved(shop: Shop, merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    merchant.customer()
    path = f"/v1/customers/{customer}"
    tokens = [merchant.tokenise(exp_year=2031 + n) for n in range(AT_ONCE)]

    async def ask(asking: Rush) -> list[Answered]:
        saving = [
            asking.post(f"{path}/payment_methods", {"type": "card", "token": each})
            for each in tokens
        ]
        deleting = asyncio.create_task(asyncio.to_thread(_delete_many, merchant, path))
        saved = await together(saving)
        assert sorted(await deleting) == [200] + [404] * (DELETIONS - 1)
        return saved

    answers = rush(merchant, ask)
    assert {answer.status for answer in answers} <= {200, 201, 404}
    assert merchant.get("/v1/customers")["total_count"] == 1
    with shop.database() as connection:
        left = connection.execute(_METHODS, [from_text("cus", customer)]).fetchone()
    assert left == (0,)
    # Whatever was saved for a customer who is gone is forgotten.
    assert eventually(lambda: numbers(shop, merchant) == 0, ERASED_SECONDS)


def _delete_many(merchant: Merchant, path: str) -> list[int]:
    return [merchant.ask("DELETE", path).status_code for _ in range(DELETIONS)]


def numbers(shop: Shop, merchant: Merchant) -> int:
    with shop.database("paymint-vault") as connection:
        row = connection.execute(_NUMBERS, [from_text("mch", merchant.id)]).fetchone()
    assert row is not None
    return int(row[0])


def test_one_card_saved_many_times_at_once_is_one_method(shop: Shop, merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    path = f"/v1/customers/{customer}/payment_methods"
    tokens = [merchant.tokenise() for _ in range(AT_ONCE)]

    async def ask(asking: Rush) -> list[Answered]:
        return await together([asking.post(path, {"type": "card", "token": t}) for t in tokens])

    answers = rush(merchant, ask)
    assert sorted(answer.status for answer in answers) == [200] * (AT_ONCE - 1) + [201]
    (method,) = {answer.body["id"] for answer in answers}
    assert merchant.get(path)["total_count"] == 1
    assert eventually(lambda: numbers(shop, merchant) == 1, ERASED_SECONDS)
    assert told(merchant.pay_answer(method), 201)["customer_id"] == customer


def test_a_card_that_is_detached_while_it_is_saved_again_stays_detached(
    shop: Shop, merchant: Merchant
) -> None:
    customer = merchant.customer()["id"]
    path = f"/v1/customers/{customer}/payment_methods"
    there = told(merchant.save_card(customer), 201)["id"]
    body = {"type": "card", "token": merchant.tokenise()}

    async def story(till: Till) -> None:
        async def detached() -> None:
            assert merchant.ask("DELETE", f"{path}/{there}").status_code == 200

        till.door.after[relay.Attach] = detached
        with pytest.raises(Unprocessable, match="token_already_used"):
            await create_payment_method(till.house, _asking(till, None), customer, body)

    play(shop, merchant, story)
    assert merchant.get(path)["total_count"] == 0
    assert eventually(lambda: numbers(shop, merchant) == 0, ERASED_SECONDS)
    assert told(merchant.save_card(customer), 201)["id"] != there


def test_a_token_that_is_saved_and_charged_at_once_leaves_no_number_behind(
    shop: Shop, merchant: Merchant
) -> None:
    customer = merchant.customer()["id"]
    body = {"type": "card", "token": merchant.tokenise()}

    async def story(till: Till) -> None:
        async def saved() -> None:
            with pytest.raises(Unprocessable, match="token_already_used"):
                await create_payment_method(till.house, _asking(till, None), customer, body)

        till.door.before[relay.Authorise] = saved
        with pytest.raises(Unprocessable, match="token_already_used"):
            await till.pay(uuid4(), body["token"])

    play(shop, merchant, story)
    assert merchant.get(f"/v1/customers/{customer}/payment_methods")["total_count"] == 0
    assert numbers(shop, merchant) == 0


def test_a_token_that_is_saved_twice_at_once_keeps_its_number(
    shop: Shop, merchant: Merchant
) -> None:
    customer = merchant.customer()["id"]
    path = f"/v1/customers/{customer}/payment_methods"
    body = {"type": "card", "token": merchant.tokenise()}

    async def ask(asking: Rush) -> list[Answered]:
        return await together([asking.post(path, body) for _ in range(AT_ONCE)])

    answers = rush(merchant, ask)
    assert {answer.status for answer in answers} <= {200, 201, 422}
    (method,) = {answer.body["id"] for answer in answers if answer.status != 422}
    assert told(merchant.pay_answer(method), 201)["customer_id"] == customer
    assert numbers(shop, merchant) == 1


def test_a_card_whose_number_is_erased_while_it_is_saved_again_is_saved_anew(
    shop: Shop, merchant: Merchant
) -> None:
    customer = merchant.customer()["id"]
    path = f"/v1/customers/{customer}/payment_methods"
    there = told(merchant.save_card(customer), 201)["id"]
    body = {"type": "card", "token": merchant.tokenise()}

    async def story(till: Till) -> None:
        async def erased() -> None:
            assert merchant.ask("DELETE", f"{path}/{there}").status_code == 200
            gone = await asyncio.to_thread(
                eventually, lambda: numbers(shop, merchant) == 0, ERASED_SECONDS
            )
            assert gone

        till.door.before[relay.Attach] = erased
        reply = await create_payment_method(till.house, _asking(till, None), customer, body)
        assert (reply.status, reply.resource["id"] == there) == (201, False)
        assert told(merchant.pay_answer(reply.resource["id"]), 201)["customer_id"] == customer

    play(shop, merchant, story)
