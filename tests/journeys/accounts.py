"""What tests do with accounts: the operator's requests, and a merchant's way into live mode."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx

from tests.shop import Merchant, Shop, bearer, told

FILE_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
HANDED_IN = {"legal_entity": "Test Shop Inc.", "pci_document": "saq_a", "file_digest": FILE_DIGEST}
OPENED = {
    "business_name": "Opened Shop",
    "email": "owner@opened.example",
    "mcc": "5734",
    "country": "DE",
    "settlement_currency": "eur",
}


def operate(
    shop: Shop, method: str, path: str, body: Any = None, *, key: str | None = None, **query: Any
) -> httpx.Response:
    """One request of the operator's; `key` is the Idempotency-Key."""
    headers = bearer(shop.platform_key)
    if key is not None:
        headers["Idempotency-Key"] = key
    return shop.http.request(
        method, path, json=body, headers=headers, params=query, follow_redirects=False
    )


def set_status(shop: Shop, merchant: Merchant, status: str) -> httpx.Response:
    return operate(shop, "PATCH", f"/v1/merchants/{merchant.id}", {"status": status})


def approve(shop: Shop, merchant: Merchant) -> None:
    """Let a merchant into live mode."""
    path = f"/v1/merchants/{merchant.id}/production_access"
    told(merchant.ask("POST", path, HANDED_IN), 201)
    assert told(set_status(shop, merchant, "active"), 200)["status"] == "active"


def take_live_keys(merchant: Merchant) -> Merchant:
    """The same merchant with its live keys."""
    path = f"/v1/merchants/{merchant.id}/live_keys"
    keys = told(merchant.ask("POST", path, key=str(uuid4())), 201)
    names = ("secret_key", "publishable_key", "webhook_secret")
    return replace(merchant, **{name: keys[name] for name in names})


def new_key(merchant: Merchant, **fields: Any) -> dict[str, Any]:
    """A new secret key that reads payments, if not said otherwise."""
    body = {"name": "Reports", "type": "secret", "scopes": ["payments:read"], **fields}
    return told(merchant.ask("POST", "/v1/api_keys", body), 201)


def using(merchant: Merchant, key: dict[str, Any]) -> Merchant:
    """The same merchant, asking with another secret key."""
    return replace(merchant, secret_key=key["secret"])
