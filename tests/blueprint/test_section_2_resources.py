"""Blueprint section 2, line by line: attributes, relationships, paths and methods."""

from typing import Any

import pytest

from tests.serving import eventually
from tests.shop import Merchant, Shop, bearer, told

DISPUTED_CARD = "4000000000000259"
DISPUTE_SECONDS = 60.0
ATTRIBUTES = {
    "payment": "id merchant_id amount currency status payment_method_id description metadata"
    " idempotency_key created_at captured_at",
    "merchant": "id business_name mcc country status settlement_currency webhook_url created_at",
    "payment_method": "id customer_id type last_four exp_month exp_year brand fingerprint"
    " created_at",
    "refund": "id payment_id amount reason status created_at",
    "dispute": "id payment_id amount reason status evidence_due_by created_at",
    "customer": "id merchant_id email name metadata created_at",
}
# "HTTP Methods per Endpoint"; a path without its ids is the same path for every merchant.
METHODS = {
    "/v1/payments": "GET POST",
    "/v1/payments/{payment}": "GET",
    "/v1/payments/{payment}/capture": "POST",
    "/v1/payments/{payment}/cancel": "POST",
    "/v1/payments/{payment}/refunds": "GET POST",
    "/v1/payments/{payment}/refunds/{refund}": "GET",
    "/v1/merchants": "GET POST",
    "/v1/merchants/{merchant}": "GET PATCH",
    "/v1/customers": "GET POST",
    "/v1/customers/{customer}": "GET PATCH DELETE",
    "/v1/customers/{customer}/payment_methods": "GET POST",
    "/v1/customers/{customer}/payment_methods/{payment_method}": "GET DELETE",
    "/v1/disputes": "GET",
    "/v1/disputes/{dispute}": "GET",
    "/v1/disputes/{dispute}/evidence": "POST",
}
EVERY_METHOD = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def owner(shop: Shop) -> Merchant:
    return shop.open_account()


@pytest.fixture(scope="module")
def resources(owner: Merchant) -> dict[str, dict[str, Any]]:
    """One of each resource, by the name of its `object`."""
    customer = owner.customer(email="ada@example.com", name="Ada", metadata={"tier": "gold"})
    method = told(owner.save_card(customer["id"], DISPUTED_CARD), 201)
    payment = owner.pay(method["id"], metadata={"order_id": "9281"}, description="Order #9281")
    refund = owner.refund(payment["id"], amount=1000, reason="customer_request")
    assert eventually(lambda: owner.get("/v1/disputes")["data"], DISPUTE_SECONDS)
    shown = (
        owner.payment(payment["id"]),
        owner.get(f"/v1/merchants/{owner.id}"),
        method,
        refund,
        *owner.get("/v1/disputes")["data"],
        customer,
    )
    return {each["object"]: each for each in shown}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes(resources: dict[str, dict[str, Any]], name: str) -> None:
    missing = set(ATTRIBUTES[name].split()) - resources[name].keys()
    assert missing == set()


def test_a_merchant_needs_what_the_table_requires(shop: Shop) -> None:
    body = {"business_name": "Bakery", "mcc": "5462", "country": "FR", "settlement_currency": "eur"}
    headers = bearer(shop.platform_key)
    made = told(shop.http.post("/v1/merchants", json=body, headers=headers), 201)
    assert body.items() <= made.items() and made["status"] == "pending_review"


def test_relationships(resources: dict[str, dict[str, Any]], owner: Merchant) -> None:
    payment, method = resources["payment"], resources["payment_method"]
    assert payment["merchant_id"] == resources["customer"]["merchant_id"] == owner.id
    assert method["customer_id"] == resources["customer"]["id"] == payment["customer_id"]
    assert payment["payment_method_id"] == method["id"]
    assert resources["refund"]["payment_id"] == resources["dispute"]["payment_id"] == payment["id"]


def test_no_card_number_is_returned(resources: dict[str, dict[str, Any]]) -> None:
    assert DISPUTED_CARD not in str(resources)
    assert resources["payment_method"]["last_four"] == DISPUTED_CARD[-4:]


@pytest.mark.parametrize("path", METHODS)
def test_methods(resources: dict[str, dict[str, Any]], owner: Merchant, path: str) -> None:
    ids = {name: each["id"] for name, each in resources.items()}
    offered = METHODS[path].split()
    for method in EVERY_METHOD:
        # Without a body and, for what writes, an idempotency key nothing is changed.
        if method == "DELETE" and method in offered:
            continue
        headers = bearer(owner.secret_key)
        answer = owner.http.request(method, path.format(**ids), headers=headers)
        assert (answer.status_code != 405) == (method in offered), f"{method} {answer.text}"
        if answer.status_code == 405:
            # Every path answers OPTIONS, and HEAD where it answers GET.
            allowed = set(answer.headers["allow"].split(", ")) - {"HEAD", "OPTIONS"}
            assert allowed == set(offered)
