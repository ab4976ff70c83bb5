"""Keys and accounts: what the operator, a live key and a network's address change."""

import httpx

from tests.errors.scene import Scene, gives
from tests.journeys.accounts import (
    OPENED,
    approve,
    new_key,
    operate,
    set_status,
    take_live_keys,
    using,
)
from tests.shop import Merchant, told

KEYS_MAX = 100
ELSEWHERE = ["203.0.113.0/24"]


def secret_key_of(merchant: Merchant) -> str:
    """The id of the merchant's first secret key."""
    keys = merchant.get("/v1/api_keys", type="secret")["data"]
    return str(keys[-1]["id"])


@gives("api_key_suspended", by="list_payments")
def a_suspended_key(scene: Scene) -> httpx.Response:
    key = new_key(scene.merchant)
    told(operate(scene.shop, "POST", f"/v1/api_keys/{key['id']}/suspend"), 200)
    return scene.list_with(key["secret"])


@gives("ip_not_allowed", by="list_payments")
def a_key_from_another_network(scene: Scene) -> httpx.Response:
    return scene.list_with(new_key(scene.merchant, ip_allowlist=ELSEWHERE)["secret"])


@gives("live_key_required", by="update_merchant")
def a_test_key_changes_an_active_account(scene: Scene) -> httpx.Response:
    merchant = scene.shop.open_account()
    approve(scene.shop, merchant)
    return merchant.ask("PATCH", f"/v1/merchants/{merchant.id}", {"business_name": "New"})


@gives("invalid_country", by="create_merchant", param="country")
def a_country_of_nowhere(scene: Scene) -> httpx.Response:
    return operate(scene.shop, "POST", "/v1/merchants", {**OPENED, "country": "ZZ"})


@gives("invalid_mcc", by="create_merchant", param="mcc")
def a_trade_that_is_none(scene: Scene) -> httpx.Response:
    return operate(scene.shop, "POST", "/v1/merchants", {**OPENED, "mcc": "0001"})


@gives("merchant_unexpected_state", by="update_merchant", param="status")
def suspending_who_is_under_review(scene: Scene) -> httpx.Response:
    return set_status(scene.shop, scene.shop.open_account(), "suspended")


@gives("production_access_missing", by="update_merchant")
def activating_who_did_not_ask(scene: Scene) -> httpx.Response:
    return set_status(scene.shop, scene.shop.open_account(), "active")


@gives("live_keys_taken", by="create_live_keys")
def live_keys_twice(scene: Scene) -> httpx.Response:
    merchant = scene.shop.open_account()
    approve(scene.shop, merchant)
    take_live_keys(merchant)
    return merchant.ask("POST", f"/v1/merchants/{merchant.id}/live_keys")


@gives("api_key_unexpected_state", by="roll_api_key")
def rolling_a_suspended_key(scene: Scene) -> httpx.Response:
    path = f"/v1/api_keys/{new_key(scene.merchant)['id']}"
    told(operate(scene.shop, "POST", f"{path}/suspend"), 200)
    return scene.merchant.ask("POST", f"{path}/roll", {"overlap_seconds": 0})


@gives("api_key_last_admin", by="delete_api_key")
def revoking_the_last_key(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("DELETE", f"/v1/api_keys/{secret_key_of(scene.merchant)}")


@gives("api_key_limit", by="create_api_key")
def one_key_too_many(scene: Scene) -> httpx.Response:
    owner = scene.shop.open_account()
    body = {"name": "Till", "type": "publishable"}
    for _ in range(KEYS_MAX):
        answer = owner.ask("POST", "/v1/api_keys", body)
        if answer.status_code != httpx.codes.CREATED:
            break
    return owner.ask("POST", "/v1/api_keys", body)


def keys_in_live_mode(scene: Scene) -> Merchant:
    """A merchant with live keys."""
    merchant = scene.shop.open_account()
    approve(scene.shop, merchant)
    return using(merchant, {"secret": take_live_keys(merchant).secret_key})
