"""What a payer may type, and what is refused with which code and field."""

from datetime import UTC, datetime
from typing import Any

import pytest

from vault.instruments import Card
from vault.operations.reading import CardRefused, read_instrument

NOW = datetime(2026, 4, 11, tzinfo=UTC)


def typed_card(**fields: Any) -> dict[str, Any]:
    good = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "123"}
    return {"type": "card", "card": good | fields}


def typed_account(**fields: Any) -> dict[str, Any]:
    good = {
        "country": "US",
        "currency": "usd",
        "routing_number": "110000000",
        "account_number": "000123456789",
    }
    return {"type": "bank_account", "bank_account": good | fields}


@pytest.mark.parametrize(
    ("number", "brand", "cvc"),
    [
        ("4242424242424242", "visa", "123"),
        ("4000056655665556", "visa", "123"),
        ("4222222222222", "visa", "123"),
        ("5555555555554444", "mastercard", "123"),
        ("2223003122003222", "mastercard", "123"),
        ("5200828282828210", "mastercard", "123"),
        ("5105105105105100", "mastercard", "123"),
        ("378282246310005", "amex", "1234"),
        ("371449635398431", "amex", "1234"),
    ],
)
def test_brands(number: str, brand: str, cvc: str) -> None:
    card, code = read_instrument(typed_card(number=number, cvc=cvc), NOW)
    assert isinstance(card, Card) and card.brand == brand
    assert code is not None and code.reveal() == cvc


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"number": "4242424242424241"}, "incorrect_number", "card.number"),
        ({"number": "4242 4242 4242 4242"}, "incorrect_number", "card.number"),
        ({"number": "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"}, "incorrect_number", "card.number"),
        ({"number": "0" * 16}, "card_not_supported", "card.number"),
        ({"number": "6011111111111117"}, "card_not_supported", "card.number"),
        ({"exp_month": 0}, "invalid_expiry_month", "card.exp_month"),
        ({"exp_month": 13}, "invalid_expiry_month", "card.exp_month"),
        ({"exp_month": 3, "exp_year": 2026}, "invalid_expiry_month", "card.exp_month"),
        ({"exp_year": 2025}, "invalid_expiry_year", "card.exp_year"),
        ({"exp_year": 26}, "invalid_expiry_year", "card.exp_year"),
        ({"exp_year": 2077}, "invalid_expiry_year", "card.exp_year"),
        ({"cvc": "99"}, "invalid_cvc", "card.cvc"),
        ({"cvc": "1234"}, "invalid_cvc", "card.cvc"),
        ({"cvc": "12a"}, "invalid_cvc", "card.cvc"),
        ({"number": "378282246310005", "cvc": "123"}, "invalid_cvc", "card.cvc"),
    ],
)
def test_refused_cards(fields: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(CardRefused) as refusal:
        read_instrument(typed_card(**fields), NOW)
    assert (refusal.value.code, refusal.value.param) == (code, param)


def test_a_card_is_good_until_the_end_of_its_month_and_needs_no_cvc() -> None:
    body = typed_card(exp_month=4, exp_year=2026)
    del body["card"]["cvc"]
    _, code = read_instrument(body, NOW)
    assert code is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"routing_number": "110000001"}, "routing_number"),
        ({"routing_number": "11000000"}, "routing_number"),
        ({"account_number": "12345678901234567890"}, "account_number"),
        ({"account_number": "00012x"}, "account_number"),
        ({"country": "DE", "routing_number": "DEUT DE"}, "routing_number"),
    ],
)
def test_refused_bank_accounts(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(CardRefused) as refusal:
        read_instrument(typed_account(**fields), NOW)
    assert refusal.value.code == "bank_account_invalid"
    assert refusal.value.param == f"bank_account.{field}"
