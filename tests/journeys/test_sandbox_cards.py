"""The published sandbox cards, row by row."""

import pytest

from tests.shop import EXPIRY_YEAR, Merchant, Shop, card, error, told

SUCCEED = {
    "4242424242424242": "visa",
    "4000056655665556": "visa",
    "5555555555554444": "mastercard",
    "2223003122003222": "mastercard",
    "5200828282828210": "mastercard",
    "5105105105105100": "mastercard",
    "378282246310005": "amex",
    "371449635398431": "amex",
    # Any other number that can be right succeeds, and so do the dispute cards at first.
    "4111111111111111": "visa",
    "4000000000000259": "visa",
    "4000000000002685": "visa",
}
DECLINE = [
    ("4000000000000002", "card_declined", "generic_decline"),
    ("4000000000009995", "card_declined", "insufficient_funds"),
    ("4000000000009987", "card_declined", "lost_card"),
    ("4000000000009979", "card_declined", "stolen_card"),
    ("4000000000006975", "card_declined", "card_velocity_exceeded"),
    ("4000000000000069", "expired_card", "expired_card"),
    ("4000000000000127", "incorrect_cvc", "incorrect_cvc"),
    ("4000000000000119", "processing_error", "processing_error"),
    ("4000000000000341", "card_declined", "generic_decline"),
]
REFUSED = [
    (card("4242424242424241"), "incorrect_number", "card.number"),
    (card(exp_month=13), "invalid_expiry_month", "card.exp_month"),
    (card(exp_year=EXPIRY_YEAR - 5), "invalid_expiry_year", "card.exp_year"),
    (card(cvc="99"), "invalid_cvc", "card.cvc"),
    (card("378282246310005", cvc="123"), "invalid_cvc", "card.cvc"),
    (card("6011111111111117"), "card_not_supported", "card.number"),
]
BANK = {"country": "US", "currency": "usd", "routing_number": "110000000"}


def bank_account(number: str) -> dict[str, object]:
    return {"type": "bank_account", "bank_account": {**BANK, "account_number": number}}


def wallet(payload: str) -> dict[str, object]:
    return {"type": "wallet", "wallet": {"provider": "apple_pay", "payload": payload}}


@pytest.mark.parametrize("number", SUCCEED)
def test_a_card_that_succeeds(merchant: Merchant, number: str) -> None:
    token = told(merchant.token_answer(card(number)), 201)
    assert (token["brand"], token["last_four"]) == (SUCCEED[number], number[-4:])
    payment = merchant.pay(token["id"])
    assert (payment["status"], payment["network"]) == ("captured", SUCCEED[number])


@pytest.mark.parametrize(("number", "code", "decline_code"), DECLINE)
def test_a_card_that_declines(
    shop: Shop, merchant: Merchant, number: str, code: str, decline_code: str
) -> None:
    answer = merchant.pay_answer(merchant.tokenise(number))
    assert error(answer) == (402, code, None)
    fault = answer.json()["error"]
    assert (fault["type"], fault["decline_code"]) == ("card_error", decline_code)
    stored = merchant.payment(fault["payment_id"])
    assert (stored["status"], stored["failure_code"]) == ("failed", code)
    assert (stored["decline_code"], stored["amount_captured"]) == (decline_code, 0)
    assert [event["type"] for event in merchant.events()] == ["payment.failed"]
    assert shop.decisions(stored["id"]) == [("sale", "declined")]


@pytest.mark.parametrize(("body", "code", "param"), REFUSED)
def test_card_data_that_cannot_be_right(
    merchant: Merchant, body: dict[str, object], code: str, param: str
) -> None:
    answer = merchant.token_answer(body)
    assert error(answer) == (402, code, param)
    assert "payment_id" not in answer.json()["error"]


def test_a_saved_card_whose_every_payment_declines(merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    saved = told(merchant.save_card(customer, "4000000000000341"), 201)["id"]
    for _ in range(2):
        assert error(merchant.pay_answer(saved)) == (402, "card_declined", None)


def test_a_bank_account(merchant: Merchant) -> None:
    token = told(merchant.token_answer(bank_account("000123456789")), 201)
    assert (token["type"], token["last_four"], token["brand"]) == ("bank_account", "6789", None)
    assert merchant.pay(token["id"])["network"] == "bank"
    other = told(merchant.token_answer(bank_account("000123456789")), 201)["id"]
    held = merchant.pay_answer(other, capture=False)
    assert error(held) == (422, "capture_not_supported", "capture")
    assert merchant.pay(other)["status"] == "captured", "a refusal must leave the token unused"


def test_a_bank_account_that_fails(merchant: Merchant) -> None:
    token = told(merchant.token_answer(bank_account("000111111116")), 201)["id"]
    assert error(merchant.pay_answer(token)) == (402, "bank_account_declined", None)


def test_wallets(merchant: Merchant) -> None:
    good, expired = (
        told(merchant.token_answer(wallet(payload)), 201)["id"]
        for payload in ("wallet_ok", "wallet_expired")
    )
    assert merchant.pay(good)["network"] == "wallet"
    assert error(merchant.pay_answer(expired)) == (402, "wallet_expired", None)
