"""404, 412 and 422: what is there, whether it has changed, and what its state allows."""

import httpx
from psycopg.sql import SQL

from tests.errors.scene import NOBODY, Scene, gives, uuid_of
from tests.shop import told

ENDPOINTS_MAX = 16
EXPIRE_TOKEN = SQL("UPDATE instruments SET expires_at = now() - interval '1 s' WHERE id = %s")
BANK_ACCOUNT = {
    "country": "US",
    "currency": "usd",
    "routing_number": "110000000",
    "account_number": "000123456789",
}


@gives("resource_missing", by="retrieve_payment", param="payment_id")
def a_payment_that_is_none(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("GET", f"/v1/payments/pay_{NOBODY}")


@gives("precondition_failed", by="update_merchant", param="If-Match")
def a_stale_revision(scene: Scene) -> httpx.Response:
    path, stale = f"/v1/merchants/{scene.merchant.id}", {"If-Match": '"r999-ab"'}
    return scene.merchant.ask("PATCH", path, {"business_name": "New"}, headers=stale)


@gives("customer_mismatch", by="create_payment", param="customer_id")
def the_card_of_another_customer(scene: Scene) -> httpx.Response:
    owner, other = (scene.merchant.customer()["id"] for _ in range(2))
    method = told(scene.merchant.save_card(owner), 201)["id"]
    return scene.merchant.pay_answer(method, customer_id=other)


@gives("token_already_used", by="create_payment", param="payment_method_id")
def a_token_twice(scene: Scene) -> httpx.Response:
    token = scene.merchant.tokenise()
    scene.merchant.pay(token)
    return scene.merchant.pay_answer(token)


@gives("token_expired", by="create_payment", param="payment_method_id")
def an_old_token(scene: Scene) -> httpx.Response:
    token = scene.merchant.tokenise()
    with scene.shop.database("paymint-vault") as connection:
        assert connection.execute(EXPIRE_TOKEN, (uuid_of("tok", token),)).rowcount == 1
    return scene.merchant.pay_answer(token)


@gives("token_not_attachable", by="create_payment_method", param="token")
def a_card_as_a_wallet(scene: Scene) -> httpx.Response:
    path = f"/v1/customers/{scene.merchant.customer()['id']}/payment_methods"
    return scene.merchant.ask("POST", path, {"type": "wallet", "token": scene.merchant.tokenise()})


@gives("capture_not_supported", by="create_payment", param="capture")
def a_hold_on_a_bank_account(scene: Scene) -> httpx.Response:
    body = {"type": "bank_account", "bank_account": BANK_ACCOUNT}
    token = told(scene.merchant.token_answer(body), 201)["id"]
    return scene.merchant.pay_answer(token, capture=False)


@gives("currency_mismatch", by="create_payment", param="currency")
def euros_from_a_dollar_account(scene: Scene) -> httpx.Response:
    body = {"type": "bank_account", "bank_account": BANK_ACCOUNT}
    token = told(scene.merchant.token_answer(body), 201)["id"]
    return scene.merchant.pay_answer(token, currency="eur")


@gives("payment_unexpected_state", by="cancel_payment")
def cancelling_what_is_captured(scene: Scene) -> httpx.Response:
    return scene.merchant.act(scene.merchant.pay()["id"], "cancel")


@gives("capture_exceeds_authorization", by="capture_payment", param="amount")
def capturing_more_than_was_held(scene: Scene) -> httpx.Response:
    held = scene.merchant.pay(amount=10000, capture=False)["id"]
    return scene.merchant.act(held, "capture", {"amount": 10001})


@gives("refund_exceeds_capture", by="create_refund", param="amount")
def refunding_more_than_was_captured(scene: Scene) -> httpx.Response:
    return scene.merchant.act(scene.merchant.pay()["id"], "refunds", {"amount": 99999})


@gives("webhook_endpoint_limit", by="create_webhook_endpoint")
def one_endpoint_too_many(scene: Scene) -> httpx.Response:
    owner, body = scene.shop.open_account(), {"url": "https://shop.example.com/paymint"}
    for _ in range(ENDPOINTS_MAX):
        last = owner.ask("POST", "/v1/webhook_endpoints", body)
        told(last, 201)
    return owner.ask("POST", "/v1/webhook_endpoints", body)
