"""One idempotency key, asked many times at once: one payment, one charge."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.races.rush import Answered, Rush, rush, together
from tests.shop import Merchant, Shop, error

AT_ONCE = 50


def body_of(instrument: str, amount: int = 5000) -> dict[str, object]:
    return {"amount": amount, "currency": "usd", "payment_method_id": instrument}


def token(merchant: Merchant) -> str:
    return merchant.tokenise()


def saved_card(merchant: Merchant) -> str:
    return str(merchant.save_card(merchant.customer()["id"]).json()["id"])


@pytest.mark.parametrize("instrument", [token, saved_card])
def test_fifty_at_once_pay_once(
    shop: Shop, merchant: Merchant, instrument: Callable[[Merchant], str]
) -> None:
    body, key = body_of(instrument(merchant)), str(uuid4())

    async def ask(asking: Rush) -> list[Answered]:
        return await together(
            [asking.post_until_told("/v1/payments", body, key) for _ in range(AT_ONCE)]
        )

    answers = rush(merchant, ask)
    assert {answer.status for answer in answers} == {201}
    assert len({answer.raw for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    payment = answers[0].body["id"]
    assert merchant.get("/v1/payments")["total_count"] == 1
    assert shop.decisions(payment) == [("sale", "approved")]
    assert len(merchant.events()) == 1
    assert len(charges_of(shop, merchant)) == 1


def charges_of(shop: Shop, merchant: Merchant) -> list[dict[str, object]]:
    """The merchant's lines in the network's own books."""
    identifier = merchant.id.removeprefix("mch_")
    return [line for line in shop.journal() if line["merchant"] == identifier]


def test_two_bodies_at_once_under_one_key_pay_once(shop: Shop, merchant: Merchant) -> None:
    method, key = saved_card(merchant), str(uuid4())
    bodies = [body_of(method, amount) for amount in (5000, 6000)] * 10

    async def ask(asking: Rush) -> list[Answered]:
        return await together(
            [asking.post_until_told("/v1/payments", each, key) for each in bodies]
        )

    answers = rush(merchant, ask)
    assert {answer.code for answer in answers if answer.status != 201} == {"idempotency_key_reused"}
    assert {answer.status for answer in answers} == {201, 409}
    won = {answer.body["amount"] for answer in answers if answer.status == 201}
    assert len(won) == 1
    assert [line["amount"] for line in charges_of(shop, merchant)] == list(won)


def test_another_body_under_a_used_key_has_no_effect(shop: Shop, merchant: Merchant) -> None:
    method, key = saved_card(merchant), str(uuid4())
    first = merchant.pay(method, key=key)
    changes: tuple[dict[str, Any], ...] = (
        {"amount": 10001},
        {"currency": "eur"},
        {"capture": False},
        {"metadata": {}},
    )
    for change in changes:
        other = merchant.pay_answer(method, key=key, **change)
        assert error(other) == (409, "idempotency_key_reused", "Idempotency-Key")
    assert merchant.get("/v1/payments")["total_count"] == 1
    assert [line["amount"] for line in charges_of(shop, merchant)] == [first["amount"]]


def test_one_key_at_two_merchants_is_two_payments(
    shop: Shop, merchant: Merchant, rival: Merchant
) -> None:
    key = str(uuid4())
    ours, theirs = merchant.pay(key=key), rival.pay(key=key)
    assert ours["id"] != theirs["id"]
    assert merchant.pay_answer(merchant.tokenise(), key=key).status_code == 409
    for each in (merchant, rival):
        assert len(charges_of(shop, each)) == 1


def test_a_declined_key_declines_once(shop: Shop, merchant: Merchant) -> None:
    body, key = body_of(merchant.tokenise("4000000000009995")), str(uuid4())

    async def ask(asking: Rush) -> list[Answered]:
        return await together([asking.post_until_told("/v1/payments", body, key) for _ in range(9)])

    answers = rush(merchant, ask)
    assert {(answer.status, answer.code) for answer in answers} == {(402, "card_declined")}
    assert len({answer.body["error"]["payment_id"] for answer in answers}) == 1
    assert [line["decision"] for line in charges_of(shop, merchant)] == ["declined"]


def test_one_token_under_many_keys_is_charged_once(shop: Shop, merchant: Merchant) -> None:
    body = body_of(merchant.tokenise())

    async def ask(asking: Rush) -> list[Answered]:
        return await together(
            [asking.post("/v1/payments", body, str(uuid4())) for _ in range(AT_ONCE)]
        )

    answers = rush(merchant, ask)
    assert sorted({answer.status for answer in answers}) == [201, 422]
    assert sum(answer.status == 201 for answer in answers) == 1
    assert {answer.code for answer in answers if answer.status == 422} == {"token_already_used"}
    assert len(charges_of(shop, merchant)) == 1


@pytest.mark.parametrize("action", ["capture", "cancel"])
def test_fifty_at_once_act_once(action: str, shop: Shop, merchant: Merchant) -> None:
    payment, key = merchant.pay(saved_card(merchant), capture=False)["id"], str(uuid4())

    async def ask(asking: Rush) -> list[Answered]:
        path = f"/v1/payments/{payment}/{action}"
        return await together(
            [asking.post_until_told(path, None, key) for _ in range(AT_ONCE)],
        )

    answers = rush(merchant, ask)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.raw for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    kind = "capture" if action == "capture" else "reverse"
    assert shop.decisions(payment) == [("authorise", "approved"), (kind, "approved")]
    assert len(charges_of(shop, merchant)) == 2
