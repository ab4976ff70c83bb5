"""401 and 403: who asks, and what they may."""

import httpx
from psycopg.sql import SQL

from tests.errors.scene import Scene, gives

EXPIRE = SQL("UPDATE api_keys SET expires_at = now() WHERE merchant_id = %(merchant)s")
REVOKE = SQL("UPDATE api_keys SET revoked_at = now() WHERE merchant_id = %(merchant)s")
SUSPEND = SQL("UPDATE merchants SET status = 'suspended' WHERE id = %(merchant)s")
TERMINATE = SQL("UPDATE merchants SET status = 'terminated' WHERE id = %(merchant)s")


@gives("api_key_missing", by="list_payments")
def no_key(scene: Scene) -> httpx.Response:
    return scene.shop.http.get("/v1/payments")


@gives("api_key_invalid", by="list_payments")
def a_key_that_nobody_was_given(scene: Scene) -> httpx.Response:
    return scene.list_with("sk_test_" + "A" * 60)


@gives("api_key_expired", by="list_payments")
def an_expired_key(scene: Scene) -> httpx.Response:
    return scene.list_with(scene.opened(EXPIRE).secret_key)


@gives("api_key_revoked", by="list_payments")
def a_revoked_key(scene: Scene) -> httpx.Response:
    return scene.list_with(scene.opened(REVOKE).secret_key)


@gives("insufficient_scope", by="list_payments")
def the_operators_key(scene: Scene) -> httpx.Response:
    return scene.list_with(scene.shop.platform_key)


@gives("key_kind_forbidden", by="list_payments")
def a_publishable_key(scene: Scene) -> httpx.Response:
    return scene.list_with(scene.merchant.publishable_key)


@gives("merchant_suspended", by="create_payment")
def a_suspended_merchant_pays(scene: Scene) -> httpx.Response:
    return Scene(scene.shop, scene.opened(SUSPEND)).pay()


@gives("merchant_not_active", by="create_customer")
def a_closed_account_writes(scene: Scene) -> httpx.Response:
    return scene.opened(TERMINATE).ask("POST", "/v1/customers", {})
