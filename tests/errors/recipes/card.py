"""402: the cards, accounts and wallets of the sandbox that are refused."""

from typing import Any

import httpx

from tests.errors.recipes.objects import BANK_ACCOUNT
from tests.errors.scene import Scene, gives
from tests.shop import EXPIRY_YEAR, card, told


def pay_with(scene: Scene, instrument: dict[str, Any]) -> httpx.Response:
    """A payment with a fresh token of this instrument."""
    return scene.merchant.pay_answer(told(scene.merchant.token_answer(instrument), 201)["id"])


@gives("card_declined", by="create_payment")
def a_declined_card(scene: Scene) -> httpx.Response:
    return pay_with(scene, card("4000000000000002"))


@gives("expired_card", by="create_payment")
def an_expired_card(scene: Scene) -> httpx.Response:
    return pay_with(scene, card("4000000000000069"))


@gives("incorrect_cvc", by="create_payment")
def a_wrong_code(scene: Scene) -> httpx.Response:
    return pay_with(scene, card("4000000000000127"))


@gives("processing_error", by="create_payment")
def an_issuer_in_trouble(scene: Scene) -> httpx.Response:
    return pay_with(scene, card("4000000000000119"))


@gives("incorrect_number", by="create_token", param="card.number")
def a_wrong_check_digit(scene: Scene) -> httpx.Response:
    return scene.merchant.token_answer(card("4242424242424241"))


@gives("invalid_expiry_month", by="create_token", param="card.exp_month")
def a_thirteenth_month(scene: Scene) -> httpx.Response:
    return scene.merchant.token_answer(card(exp_month=13))


@gives("invalid_expiry_year", by="create_token", param="card.exp_year")
def a_year_that_is_past(scene: Scene) -> httpx.Response:
    return scene.merchant.token_answer(card(exp_year=EXPIRY_YEAR - 5))


@gives("invalid_cvc", by="create_token", param="card.cvc")
def a_code_of_two_digits(scene: Scene) -> httpx.Response:
    return scene.merchant.token_answer(card(cvc="99"))


@gives("card_not_supported", by="create_token", param="card.number")
def a_brand_we_do_not_take(scene: Scene) -> httpx.Response:
    return scene.merchant.token_answer(card("6011111111111117"))


@gives("bank_account_invalid", by="create_token", param="bank_account.routing_number")
def a_wrong_routing_number(scene: Scene) -> httpx.Response:
    account = {**BANK_ACCOUNT, "routing_number": "110000001"}
    return scene.merchant.token_answer({"type": "bank_account", "bank_account": account})


@gives("bank_account_declined", by="create_payment")
def an_account_that_fails(scene: Scene) -> httpx.Response:
    account = {**BANK_ACCOUNT, "account_number": "000111111116"}
    return pay_with(scene, {"type": "bank_account", "bank_account": account})


@gives("wallet_expired", by="create_payment")
def an_expired_wallet(scene: Scene) -> httpx.Response:
    wallet = {"provider": "apple_pay", "payload": "wallet_expired"}
    return pay_with(scene, {"type": "wallet", "wallet": wallet})
