"""Fields that are nearly right: bounds, names, moments, and the words of the refusals."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.shop import Merchant, Shop, card, error, told

TYPED = card()["card"]
FOUR_BYTES = "\U0001f600"


@pytest.fixture(scope="module")
def payer(shop: Shop) -> Merchant:
    """One for all: nothing here may have an effect that another test sees."""
    return shop.open_account()


def pay(payer: Merchant, **fields: Any) -> httpx.Response:
    body = {"amount": 5000, "currency": "usd", "payment_method_id": "tok_1", **fields}
    return payer.ask("POST", "/v1/payments", body, key=str(uuid4()))


def message(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["message"])


@pytest.mark.parametrize(
    ("currency", "words"),
    [
        ("usd", "The payment amount must be at least 50 cents."),
        ("eur", "The payment amount must be at least 50 cents."),
        ("jpy", "The payment amount must be at least 50 of the currency's smallest unit."),
        ("kwd", "The payment amount must be at least 50 of the currency's smallest unit."),
        ("xxx", "The payment amount must be at least 50 cents."),
        (["usd"], "The payment amount must be at least 50 cents."),
    ],
)
def test_an_amount_below_the_minimum_names_cents_where_there_are_some(
    payer: Merchant, currency: Any, words: str
) -> None:
    answer = pay(payer, amount=49, currency=currency)
    assert error(answer) == (400, "amount_too_small", "amount")
    assert message(answer) == words


@pytest.mark.parametrize("amount", [50, 99_999_999])
def test_the_bounds_of_an_amount_are_amounts(payer: Merchant, amount: int) -> None:
    assert told(payer.pay_answer(amount=amount), 201)["amount"] == amount


@pytest.mark.parametrize("currency", ["USD", "Usd", "XXX"])
def test_a_currency_of_three_letters_is_named_as_it_was_sent(
    payer: Merchant, currency: str
) -> None:
    answer = pay(payer, currency=currency)
    assert error(answer) == (400, "invalid_currency", "currency")
    assert message(answer).startswith(f"'{currency}' is not a supported currency.")


@pytest.mark.parametrize("currency", ["us", "usdx", "u$d", "4242424242424242", "", "us\x00"])
def test_what_is_no_currency_code_is_not_repeated(payer: Merchant, currency: str) -> None:
    answer = pay(payer, currency=currency)
    assert error(answer) == (400, "parameter_invalid", "currency")
    assert message(answer) == "Parameter 'currency' is not valid."


@pytest.mark.parametrize(
    ("metadata", "code", "words"),
    [
        ({"": "x"}, "metadata_key_invalid", "'metadata'"),
        ({"a" * 41: "x"}, "metadata_key_invalid", "'metadata'"),
        ({"order-id": "x"}, "metadata_key_invalid", "'metadata'"),
        ({"\u00e9": "x"}, "metadata_key_invalid", "'metadata'"),
        ({"a\n": "x"}, "metadata_key_invalid", "'metadata'"),
        ({"a": "x" * 501}, "parameter_too_long", "'metadata.*' is too long: the maximum"),
        ({"a": "\x00"}, "parameter_invalid_format", "'metadata.*'"),
        ({"a": "\n"}, "parameter_invalid_format", "'metadata.*'"),
        ({"a": "\x85"}, "parameter_invalid_format", "'metadata.*'"),
        ({"a": {"b": "c"}}, "parameter_invalid_type", "'metadata.*' must be of type string"),
        ({"a": 1}, "parameter_invalid_type", "'metadata.*' must be of type string"),
        ([], "parameter_invalid_type", "'metadata' must be of type object"),
    ],
)
def test_metadata_that_breaks_its_rules(
    payer: Merchant, metadata: Any, code: str, words: str
) -> None:
    answer = pay(payer, metadata=metadata)
    assert error(answer) == (400, code, "metadata")
    assert words in message(answer)


def test_the_bounds_of_metadata_and_description_are_kept_as_sent(payer: Merchant) -> None:
    metadata = {f"key_{number:02}_{'k' * 33}": FOUR_BYTES * 500 for number in range(50)}
    description = f"first\n\tsecond {FOUR_BYTES}"
    made = payer.pay(metadata=metadata, description=description)
    stored = payer.payment(made["id"])
    assert (stored["metadata"], stored["description"]) == (metadata, description)


@pytest.mark.parametrize("text", ["a\x00", "a\rb", "\x1b[0m", "\x7f", "\x85", "\x9f"])
@pytest.mark.parametrize("field", ["description", "payment_method_id", "customer_id"])
def test_a_control_character_is_refused(payer: Merchant, field: str, text: str) -> None:
    assert error(pay(payer, **{field: text})) == (400, "parameter_invalid_format", field)


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"card": {}}, "parameter_missing", "card.number"),
        ({"card": None}, "parameter_invalid_type", "card"),
        ({"card": {**card()["card"], "x": 1}}, "parameter_unknown", "card"),
        (
            {"card": {**card()["card"], "exp_month": 12.0}},
            "parameter_invalid_type",
            "card.exp_month",
        ),
        (
            {"card": {**card()["card"], "number": 4242424242424242}},
            "parameter_invalid_type",
            "card.number",
        ),
    ],
)
def test_a_field_inside_another_is_named_with_a_dot(
    payer: Merchant, change: dict[str, Any], code: str, param: str
) -> None:
    assert error(payer.token_answer({**card(), **change})) == (400, code, param)


def test_an_entry_of_a_list_is_named_by_its_place(payer: Merchant) -> None:
    body = {"url": "https://shop.example.com/p", "enabled_events": ["payment.captured", "nope"]}
    answer = payer.ask("POST", "/v1/webhook_endpoints", body)
    assert error(answer) == (400, "parameter_invalid_enum", "enabled_events[1]")
    assert "nope" not in answer.text


@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00:00%2B23:59", "2026-04-01", "2026-04-01%2000:00:00Z"],
)
@pytest.mark.parametrize("name", ["created_gte", "created_lte"])
def test_a_moment_that_is_none_is_400(payer: Merchant, name: str, moment: str) -> None:
    answer = payer.ask("GET", f"/v1/payments?{name}={moment}")
    assert error(answer) == (400, "parameter_invalid_format", name)


@pytest.mark.parametrize(
    "moment",
    [
        "2016-12-31T23:59:60Z",
        "2026-04-01t00:00:00.123456789z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-04-01T00:00:00-00:00",
    ],
)
@pytest.mark.parametrize("name", ["created_gte", "created_lte"])
def test_a_moment_of_rfc_3339_is_read(payer: Merchant, name: str, moment: str) -> None:
    told(payer.ask("GET", f"/v1/payments?{name}={moment}"), 200)


def test_a_body_with_a_content_coding_is_415(payer: Merchant) -> None:
    body = json.dumps({"name": "A"}).encode()
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = payer.ask("POST", "/v1/customers", content=body, headers=headers)
    assert error(answer) == (415, "content_type_unsupported", None)
    headers["Content-Encoding"] = "identity"
    told(payer.ask("POST", "/v1/customers", content=body, headers=headers), 201)
