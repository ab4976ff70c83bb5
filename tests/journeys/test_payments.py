"""What a payment goes through: capture in full and in part, cancel, and what its state forbids."""

from uuid import uuid4

import pytest

from domain.ids import from_text
from tests.shop import Merchant, Shop, error, told


def test_a_sale_is_captured_at_once(shop: Shop, merchant: Merchant) -> None:
    key = str(uuid4()).upper()
    payment = merchant.pay(
        amount=4900, currency="eur", description="Order #1", metadata={"sku": "A"}, key=key
    )
    assert (payment["status"], payment["capture"]) == ("captured", True)
    assert (payment["amount_captured"], payment["amount_capturable"]) == (4900, 0)
    assert (payment["description"], payment["metadata"]) == ("Order #1", {"sku": "A"})
    assert (payment["merchant_id"], payment["idempotency_key"]) == (merchant.id, key.lower())
    assert payment["captured_at"] >= payment["created_at"]
    assert merchant.payment(payment["id"]) == payment
    assert shop.decisions(payment["id"]) == [("sale", "approved")]


def test_an_authorisation_is_captured_in_full_without_a_body(merchant: Merchant) -> None:
    held = merchant.pay(capture=False)
    assert (held["status"], held["amount_capturable"]) == ("authorized", 10000)
    captured = told(merchant.act(held["id"], "capture"), 200)
    assert (captured["status"], captured["amount_captured"]) == ("captured", 10000)


def test_a_part_is_captured_once_and_the_rest_released(shop: Shop, merchant: Merchant) -> None:
    held = merchant.pay(capture=False)["id"]
    captured = told(merchant.act(held, "capture", {"amount": 4000}), 200)
    assert (captured["amount"], captured["amount_captured"]) == (10000, 4000)
    assert captured["amount_capturable"] == 0
    again = merchant.act(held, "capture", {"amount": 100})
    assert error(again) == (422, "payment_unexpected_state", None)
    too_much = merchant.act(held, "refunds", {"amount": 4001})
    assert error(too_much) == (422, "refund_exceeds_capture", "amount")
    assert shop.decisions(held) == [("authorise", "approved"), ("capture", "approved")]


def test_more_than_was_authorised_is_not_captured(shop: Shop, merchant: Merchant) -> None:
    held = merchant.pay(capture=False)["id"]
    answer = merchant.act(held, "capture", {"amount": 10001})
    assert error(answer) == (422, "capture_exceeds_authorization", "amount")
    assert "(10001)" in answer.json()["error"]["message"]
    assert shop.decisions(held) == [("authorise", "approved")]


def test_an_authorisation_is_cancelled(shop: Shop, merchant: Merchant) -> None:
    held = merchant.pay(capture=False)["id"]
    cancelled = told(merchant.act(held, "cancel", {}), 200)
    assert (cancelled["status"], cancelled["amount_capturable"]) == ("cancelled", 0)
    assert shop.decisions(held) == [("authorise", "approved"), ("reverse", "approved")]
    for action in ("capture", "cancel", "refunds"):
        refused = merchant.act(held, action, {})
        assert error(refused) == (422, "payment_unexpected_state", None)
        assert "'cancelled'" in refused.json()["error"]["message"]


@pytest.mark.parametrize("action", ["capture", "cancel"])
def test_a_captured_payment_is_past_capture_and_cancel(merchant: Merchant, action: str) -> None:
    payment = merchant.pay()["id"]
    assert error(merchant.act(payment, action, {})) == (422, "payment_unexpected_state", None)


def test_an_uncaptured_payment_cannot_be_refunded(merchant: Merchant) -> None:
    held = merchant.pay(capture=False)["id"]
    assert error(merchant.act(held, "refunds", {})) == (422, "payment_unexpected_state", None)


def test_a_token_pays_once_even_when_it_was_declined(merchant: Merchant) -> None:
    for number, status in (("4242424242424242", 201), ("4000000000000002", 402)):
        token = merchant.tokenise(number)
        assert merchant.pay_answer(token).status_code == status
        again = merchant.pay_answer(token)
        assert error(again) == (422, "token_already_used", "payment_method_id")


def test_a_token_that_was_spent_in_vain_pays_under_the_same_key(
    shop: Shop, merchant: Merchant
) -> None:
    """As a commit leaves it whose answer the vault did not get: the caller was told 503."""
    token, key = merchant.tokenise(), str(uuid4())
    lost = (uuid4(), key, from_text("tok", token))
    with shop.database("paymint-vault") as vault:
        spent = "UPDATE instruments SET state = 'used', used_by = %s, spent_for = %s WHERE id = %s"
        assert vault.execute(spent, lost).rowcount == 1
    other = merchant.pay_answer(token)
    assert error(other) == (422, "token_already_used", "payment_method_id")
    payment = merchant.pay_answer(token, key=key)
    assert payment.status_code == 201, payment.text
    assert merchant.pay_answer(token, key=key).json() == payment.json()
    assert shop.decisions(payment.json()["id"]) == [("sale", "approved")]
    assert len(shop.journal(payment.json()["id"])) == 1


def test_a_replay_gives_the_first_answer_and_does_nothing(shop: Shop, merchant: Merchant) -> None:
    token, key = merchant.tokenise(), str(uuid4())
    first = merchant.pay_answer(token, key=key)
    again = merchant.pay_answer(token, key=key.upper())
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(shop.journal(first.json()["id"])) == 1


@pytest.mark.parametrize(
    ("number", "action", "body", "status"),
    [("4000000000009995", None, None, 402), ("4242424242424242", "refunds", {"amount": 1}, 422)],
)
def test_a_refusal_is_replayed_too(
    merchant: Merchant, number: str, action: str | None, body: object, status: int
) -> None:
    key = str(uuid4())
    if action is None:
        token = merchant.tokenise(number)
        answers = [merchant.pay_answer(token, key=key) for _ in range(2)]
    else:
        held = merchant.pay(capture=False)["id"]
        answers = [merchant.act(held, action, body, key=key) for _ in range(2)]
    first, again = (answer.json()["error"] for answer in answers)
    assert [answer.status_code for answer in answers] == [status, status]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert first.pop("request_id") != again.pop("request_id")
    assert first == again


@pytest.mark.parametrize("action", ["capture", "cancel", "refunds"])
def test_an_action_with_a_key_happens_once(shop: Shop, merchant: Merchant, action: str) -> None:
    payment = merchant.pay(capture=action == "refunds")["id"]
    key = str(uuid4())
    first = merchant.act(payment, action, {}, key=key)
    again = merchant.act(payment, action, {}, key=key)
    assert first.status_code == again.status_code in (200, 201)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = merchant.act(payment, action, None, key=key)
    assert error(other) == (409, "idempotency_key_reused", "Idempotency-Key")


def test_one_key_on_two_payments_is_refused(merchant: Merchant) -> None:
    first, second = (merchant.pay(capture=False)["id"] for _ in range(2))
    key = str(uuid4())
    told(merchant.act(first, "capture", {}, key=key), 200)
    other = merchant.act(second, "capture", {}, key=key)
    assert error(other) == (409, "idempotency_key_reused", "Idempotency-Key")
    assert merchant.payment(second)["status"] == "authorized"


@pytest.mark.parametrize(("currency", "amount"), [("jpy", 50), ("kwd", 99999999)])
def test_currencies_without_and_with_three_decimals(
    merchant: Merchant, currency: str, amount: int
) -> None:
    payment = merchant.pay(currency=currency, amount=amount)
    assert (payment["currency"], payment["amount_captured"]) == (currency, amount)
