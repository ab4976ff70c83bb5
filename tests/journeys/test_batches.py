"""Many payments in one request: each its own, and none harmed by another."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.shop import Merchant, Shop, error, told

PATH = "/v1/payments/batch"
MAX_BYTES = 1_048_576
MAX_ITEMS = 100
DECLINED = "4000000000009995"


def item(instrument: str, **fields: Any) -> dict[str, Any]:
    body = {"amount": 5000, "currency": "usd", "payment_method_id": instrument}
    return {**body, "idempotency_key": str(uuid4()), **fields}


def batch_answer(merchant: Merchant, items: list[Any], **options: Any) -> httpx.Response:
    return merchant.ask("POST", PATH, {"payments": items}, **options)


def batch(merchant: Merchant, items: list[Any], **options: Any) -> list[dict[str, Any]]:
    """The results, which must stand in the order of the items."""
    body = told(batch_answer(merchant, items, **options), 207)
    assert body["object"] == "list"
    results: list[dict[str, Any]] = body["data"]
    assert [result["index"] for result in results] == list(range(len(items)))
    return results


def refusals(results: list[dict[str, Any]]) -> list[tuple[int, str, str | None]]:
    return [
        (result["status"], result["error"]["code"], result["error"].get("param"))
        for result in results
    ]


@pytest.fixture
def method(merchant: Merchant) -> str:
    return str(told(merchant.save_card(merchant.customer()["id"]), 201)["id"])


def test_a_batch_of_a_hundred(shop: Shop, merchant: Merchant, method: str) -> None:
    items = [item(method, amount=1000 + number) for number in range(MAX_ITEMS)]
    results = batch(merchant, items)
    assert {result["status"] for result in results} == {201}
    for sent, result in zip(items, results, strict=True):
        payment = result["payment"]
        assert (payment["amount"], payment["status"]) == (sent["amount"], "captured")
        assert payment["idempotency_key"] == sent["idempotency_key"]
        assert shop.decisions(payment["id"]) == [("sale", "approved")]
    assert merchant.get("/v1/payments", status="captured", limit=1)["total_count"] == MAX_ITEMS
    assert merchant.payment(results[0]["payment"]["id"]) == results[0]["payment"]
    assert len(merchant.events(limit=100)) == MAX_ITEMS


def test_every_kind_of_item_gets_its_own_answer(merchant: Merchant, method: str) -> None:
    customer = merchant.customer()["id"]
    declined = merchant.tokenise(DECLINED)
    used = merchant.tokenise()
    merchant.pay(used)
    good = item(method, capture=False, description="Order", metadata={"sku": "A"})
    poison = [
        ("a text", (400, "body_not_object", None)),
        (None, (400, "body_not_object", None)),
        ([good], (400, "body_not_object", None)),
        (1.5, (400, "body_not_object", None)),
        ({}, (400, "parameter_missing", "amount")),
        ({**good, "idempotency_key": "x"}, (400, "parameter_invalid_format", "idempotency_key")),
        (
            {name: value for name, value in good.items() if name != "idempotency_key"},
            (400, "parameter_missing", "idempotency_key"),
        ),
        (item(method, amount=49), (400, "amount_too_small", "amount")),
        (item(method, amount=50.5), (400, "parameter_invalid_type", "amount")),
        (item(method, amount="5000"), (400, "parameter_invalid_type", "amount")),
        (item(method, amount=None), (400, "parameter_invalid_type", "amount")),
        (item(method, currency="xxx"), (400, "invalid_currency", "currency")),
        (item(method, metadata={"a b": "c"}), (400, "metadata_key_invalid", "metadata")),
        (item(method, status="captured"), (400, "parameter_unknown", None)),
        (item("pm_" + "0" * 32), (404, "resource_missing", "payment_method_id")),
        (item(method, customer_id=customer), (422, "customer_mismatch", "customer_id")),
        (item(used), (422, "token_already_used", "payment_method_id")),
        (item(declined), (402, "card_declined", None)),
    ]
    answer = batch_answer(merchant, [good, *(each for each, _ in poison), item(method)])
    results = told(answer, 207)["data"]
    assert (results[0]["status"], results[-1]["status"]) == (201, 201)
    assert results[0]["payment"]["status"] == "authorized"
    assert refusals(results[1:-1]) == [expected for _, expected in poison]
    for result in results[1:-1]:
        assert set(result) == {"index", "status", "error"}
        assert result["error"]["request_id"] == answer.headers["x-request-id"]
        assert "Order" not in json.dumps(result) and method not in json.dumps(result)
    failed = results[-2]["error"]
    assert failed["decline_code"] == "insufficient_funds"
    assert merchant.payment(failed["payment_id"])["status"] == "failed"


def test_a_whole_that_is_wrong_is_refused_whole(merchant: Merchant, method: str) -> None:
    for items, code in (
        ([], "parameter_too_few_items"),
        ([item(method) for _ in range(MAX_ITEMS + 1)], "parameter_too_many_items"),
        ("no list", "parameter_invalid_type"),
        (None, "parameter_invalid_type"),
    ):
        answer = merchant.ask("POST", PATH, {"payments": items})
        assert error(answer) == (400, code, "payments")
    answer = merchant.ask("POST", PATH, {})
    assert error(answer) == (400, "parameter_missing", "payments")
    answer = merchant.ask("POST", PATH, {"payments": [item(method)], "amount": 1})
    assert error(answer)[:2] == (400, "parameter_unknown")
    assert merchant.get("/v1/payments")["total_count"] == 0


def test_bytes_that_are_no_batch(merchant: Merchant, method: str) -> None:
    text = json.dumps({"payments": [item(method)]})
    headers = {"Content-Type": "application/json"}
    doubled = text.replace('"amount"', '"amount": 1, "amount"')
    answer = merchant.ask("POST", PATH, content=doubled.encode(), headers=headers)
    assert error(answer)[:2] == (400, "json_duplicate_key")
    padded = text.encode() + b" " * (MAX_BYTES - len(text))
    too_long = merchant.ask("POST", PATH, content=padded + b" ", headers=headers)
    assert error(too_long)[:2] == (413, "payload_too_large")
    assert merchant.get("/v1/payments")["total_count"] == 0
    assert told(merchant.ask("POST", PATH, content=padded, headers=headers), 207)


def test_a_whole_batch_may_be_repeated(shop: Shop, merchant: Merchant, method: str) -> None:
    items = [
        item(method),
        item(merchant.tokenise()),
        item(merchant.tokenise(DECLINED)),
        item("pm_" + "0" * 32),
    ]
    # The header says nothing about items: two batches under one are two batches.
    header = str(uuid4())
    first = batch(merchant, items, key=header)
    again = batch(merchant, items, key=header)
    for before, after in zip(first, again, strict=True):
        for result in (before, after):
            result.get("error", {}).pop("request_id", None)
    assert again == first
    assert [result["status"] for result in first] == [201, 201, 402, 404]
    assert batch(merchant, [item(method)], key=header)[0]["status"] == 201
    assert merchant.get("/v1/payments")["total_count"] == 4
    assert shop.decisions(first[0]["payment"]["id"]) == [("sale", "approved")]


def test_a_key_twice_in_one_batch(merchant: Merchant, method: str) -> None:
    one = item(method)
    upper = {**one, "idempotency_key": one["idempotency_key"].upper()}
    results = batch(merchant, [one, one, {**one, "amount": 6000}, upper])
    assert [result["status"] for result in results] == [201, 201, 409, 201]
    assert results[1]["payment"] == results[0]["payment"] == results[3]["payment"]
    assert refusals(results[2:3]) == [(409, "idempotency_key_reused", "idempotency_key")]
    assert merchant.get("/v1/payments")["total_count"] == 1


def test_one_key_space_with_single_payments(merchant: Merchant, method: str) -> None:
    key = str(uuid4())
    merchant.pay(method, key=key)
    single = {"amount": 10000, "currency": "usd", "payment_method_id": method}
    results = batch(merchant, [{**single, "idempotency_key": key}, item(method)])
    assert refusals(results[:1]) == [(409, "idempotency_key_reused", "idempotency_key")]
    taken = results[1]["payment"]["idempotency_key"]
    answer = merchant.pay_answer(method, key=taken, amount=5000)
    assert error(answer) == (409, "idempotency_key_reused", "Idempotency-Key")


def test_one_token_twice_in_one_batch(shop: Shop, merchant: Merchant) -> None:
    token = merchant.tokenise()
    items = [item(token), item(token), item(merchant.tokenise())]
    results = batch(merchant, items)
    assert [result["status"] for result in results] == [201, 422, 201]
    assert refusals(results[1:2]) == [(422, "token_already_used", "payment_method_id")]
    assert merchant.get("/v1/payments")["total_count"] == 2


def test_another_merchants_things_are_missing_in_items(
    merchant: Merchant, rival: Merchant, method: str
) -> None:
    customer = merchant.customer()["id"]
    theirs = [item(method), item(merchant.tokenise())]
    results = batch(rival, [*theirs, item(rival.tokenise(), customer_id=customer)])
    assert refusals(results) == [
        (404, "resource_missing", "payment_method_id"),
        (404, "resource_missing", "payment_method_id"),
        (404, "resource_missing", "customer_id"),
    ]
    # A key of one merchant is nothing to another.
    shared = item(merchant.tokenise())
    other = {**shared, "payment_method_id": rival.tokenise()}
    assert batch(merchant, [shared])[0]["status"] == batch(rival, [other])[0]["status"] == 201
