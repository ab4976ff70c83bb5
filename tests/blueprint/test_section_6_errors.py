"""Blueprint section 6, line by line: the printed payloads and their answers."""

from typing import Any

import pytest

from tests.shop import Merchant

REJECTED = [
    (
        {"currency": "usd", "payment_method_id": "pm_4f2e8a9b"},
        ("invalid_request_error", "parameter_missing", "amount"),
        "Required parameter 'amount' is missing.",
    ),
    (
        {"amount": 49, "currency": "usd", "payment_method_id": "pm_4f2e8a9b"},
        ("invalid_request_error", "amount_too_small", "amount"),
        "The payment amount must be at least 50 cents.",
    ),
]


@pytest.mark.parametrize(("body", "fault", "message"), REJECTED)
def test_rejected_payloads(
    merchant: Merchant, body: dict[str, Any], fault: tuple[str, str, str], message: str
) -> None:
    key = "550e8400-e29b-41d4-a716-446655440000"
    answer = merchant.ask("POST", "/v1/payments", body, key=key)
    shown = answer.json()["error"]
    assert answer.status_code == 400
    assert (shown["type"], shown["code"], shown["param"]) == fault
    assert shown["message"] == message
    assert shown["doc_url"] == f"https://docs.paymint.com/errors/{fault[1]}"
    assert shown["request_id"] == answer.headers["x-request-id"]


def test_an_invalid_currency(merchant: Merchant) -> None:
    body = {"amount": 5000, "currency": "xxx", "payment_method_id": "pm_4f2e8a9b"}
    key = "550e8400-e29b-41d4-a716-446655440000"
    answer = merchant.ask("POST", "/v1/payments", body, key=key)
    shown = answer.json()["error"]
    assert (answer.status_code, shown["code"], shown["param"]) == (
        400,
        "invalid_currency",
        "currency",
    )
    assert "supported currenc" in shown["message"]


def test_a_refund_beyond_the_capture(merchant: Merchant) -> None:
    payment = merchant.pay(amount=15000, capture=False)["id"]
    merchant.act(payment, "capture", {"amount": 12000})
    answer = merchant.act(payment, "refunds", {"amount": 99999})
    shown = answer.json()["error"]
    assert (answer.status_code, shown["code"], shown["param"]) == (
        422,
        "refund_exceeds_capture",
        "amount",
    )
    assert shown["message"] == "Refund amount (99999) exceeds the captured amount (12000)."
