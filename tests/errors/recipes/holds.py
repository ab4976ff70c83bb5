"""Codes of holds, and of payments that are drawn on them."""

import httpx

from tests.errors.scene import Scene, gives
from tests.shop import told
from tests.shop_holds import Wallet

ACCOUNT = {
    "type": "bank_account",
    "bank_account": {
        "country": "US",
        "currency": "usd",
        "routing_number": "110000000",
        "account_number": "000123456789",
    },
}


@gives("payment_method_mismatch", by="create_payment", param="payment_method_id")
def drawing_with_another_card(scene: Scene) -> httpx.Response:
    wallet, other = Wallet(scene.merchant), Wallet(scene.merchant)
    hold = wallet.hold()["id"]
    return wallet.draw_answer(hold, 50, payment_method_id=other.method)


@gives("hold_not_supported", by="create_hold", param="payment_method_id")
def holding_money_of_a_bank_account(scene: Scene) -> httpx.Response:
    wallet = Wallet(scene.merchant)
    token = told(scene.merchant.token_answer(ACCOUNT), 201)["id"]
    path = f"/v1/customers/{wallet.customer}/payment_methods"
    saved = scene.merchant.ask("POST", path, {"type": "bank_account", "token": token})
    return wallet.hold_answer(payment_method_id=told(saved, 201)["id"])


@gives("hold_unexpected_state", by="create_payment", param="hold_id")
def drawing_on_what_was_released(scene: Scene) -> httpx.Response:
    wallet = Wallet(scene.merchant)
    hold = wallet.hold()["id"]
    wallet.release(hold)
    return wallet.draw_answer(hold, 50)


@gives("hold_insufficient", by="create_payment", param="amount")
def drawing_more_than_is_left(scene: Scene) -> httpx.Response:
    wallet = Wallet(scene.merchant)
    return wallet.draw_answer(wallet.hold(amount=100)["id"], 101)


@gives("hold_exceeds_maximum", by="top_up_hold", param="amount")
def adding_more_than_a_hold_can_have(scene: Scene) -> httpx.Response:
    wallet = Wallet(scene.merchant)
    return wallet.top_up_answer(wallet.hold(amount=99_999_999)["id"], 50)
