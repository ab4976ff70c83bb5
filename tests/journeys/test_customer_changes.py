"""Customers that change and go: merge patches, lost updates, what a deletion leaves."""

from typing import Any
from uuid import uuid4

import pytest

from domain.ids import from_text
from tests.serving import eventually
from tests.shop import Merchant, Shop, error, told

ERASED_SECONDS = 40.0
FULL = {"email": "ada@example.com", "name": "Ada", "metadata": {"tier": "gold", "ref": "7"}}
_KEPT = "SELECT reply, reply_sealed FROM idempotency_keys WHERE key = %s"
_ERASED = b"SELECT state, ciphertext FROM instruments WHERE id = %s"
_ROW = b"SELECT email_sealed, email_index, name_sealed, metadata FROM customers WHERE id = %s"


def patch(merchant: Merchant, customer: str, body: Any) -> dict[str, Any]:
    return told(merchant.ask("PATCH", f"/v1/customers/{customer}", body), 200)


def test_a_patch_changes_what_it_names(merchant: Merchant) -> None:
    before = merchant.customer(**FULL)
    after = patch(merchant, before["id"], {"name": "Ada King", "metadata": {"ref": None, "x": "1"}})
    changed = {"name": "Ada King", "metadata": {"tier": "gold", "x": "1"}, "revision": 2}
    assert after == {**before, **changed}
    assert merchant.get(f"/v1/customers/{before['id']}") == after
    assert patch(merchant, before["id"], {"metadata": {}})["metadata"] == after["metadata"]
    cleared = patch(merchant, before["id"], {"email": None, "name": None, "metadata": None})
    assert (cleared["email"], cleared["name"], cleared["metadata"]) == (None, None, {})
    assert cleared["revision"] == 4
    assert merchant.get("/v1/customers")["total_count"] == 1


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"email": "nobody"}, "parameter_invalid_format", "email"),
        ({"name": ""}, "parameter_too_short", "name"),
        ({"name": 7}, "parameter_invalid_type", "name"),
        ({"id": "cus_1"}, "parameter_unknown", None),
        ({"metadata": {"a b": "c"}}, "metadata_key_invalid", "metadata"),
        ({"metadata": {"a": 1}}, "parameter_invalid_type", "metadata"),
        ({"metadata": {f"k{n}": "v" for n in range(50)}}, "parameter_too_many_items", "metadata"),
    ],
)
def test_a_patch_that_cannot_be(
    merchant: Merchant, body: dict[str, Any], code: str, param: str | None
) -> None:
    customer = merchant.customer(**FULL)
    answer = merchant.ask("PATCH", f"/v1/customers/{customer['id']}", body)
    assert error(answer) == (400, code, param)
    assert merchant.get(f"/v1/customers/{customer['id']}") == customer


def test_customers_are_found_by_their_address(merchant: Merchant, rival: Merchant) -> None:
    mine = [merchant.customer(email="ada@example.com")["id"] for _ in range(3)]
    merchant.customer(email="Ada@example.com")
    merchant.customer()
    rival.customer(email="ada@example.com")
    page = merchant.get("/v1/customers", email="ada@example.com", limit=2)
    assert [row["id"] for row in page["data"]] == mine[:0:-1]
    assert (page["has_more"], page["total_count"]) == (True, None)
    cursor = page["next_cursor"]
    rest = merchant.get("/v1/customers", email="ada@example.com", starting_after=cursor)
    assert [row["id"] for row in rest["data"]] == mine[:1]
    unfiltered = merchant.ask("GET", "/v1/customers", params={"starting_after": cursor})
    assert error(unfiltered) == (400, "invalid_cursor", "starting_after")
    patch(merchant, mine[0], {"email": "other@example.com"})
    found = merchant.get("/v1/customers", email="other@example.com")["data"]
    assert [row["id"] for row in found] == mine[:1]
    assert merchant.get("/v1/customers")["total_count"] == 5


def test_a_deleted_customer_is_gone_and_its_payments_stay(shop: Shop, merchant: Merchant) -> None:
    customer = merchant.customer(**FULL)["id"]
    path = f"/v1/customers/{customer}"
    methods = [
        told(merchant.save_card(customer, number), 201)["id"]
        for number in ("4242424242424242", "5555555555554444")
    ]
    payment = merchant.pay(methods[0])
    stays = merchant.customer()["id"]
    gone = told(merchant.ask("DELETE", path), 200)
    assert gone == {"object": "customer", "id": customer, "deleted": True}
    for answer in (
        merchant.ask("GET", path),
        merchant.ask("DELETE", path),
        merchant.ask("PATCH", path, {"name": "Back"}),
        merchant.ask("GET", f"{path}/payment_methods"),
        merchant.save_card(customer),
    ):
        assert error(answer) == (404, "resource_missing", "customer_id")
    method_path = f"{path}/payment_methods/{methods[0]}"
    assert error(merchant.ask("GET", method_path)) == (404, "resource_missing", "payment_method_id")
    assert error(merchant.pay_answer(methods[0]))[::2] == (404, "payment_method_id")
    named = merchant.pay_answer(merchant.tokenise(), customer_id=customer)
    assert error(named) == (404, "resource_missing", "customer_id")
    page = merchant.get("/v1/customers")
    assert ([row["id"] for row in page["data"]], page["total_count"]) == ([stays], 1)
    assert merchant.get("/v1/customers", email=FULL["email"])["data"] == []
    assert merchant.payment(payment["id"]) == payment
    assert payment["customer_id"] == customer
    assert merchant.refund(payment["id"], amount=100)["status"] == "pending"
    with shop.database() as connection:
        row = connection.execute(_ROW, [from_text("cus", customer)]).fetchone()
    assert row == (None, None, None, {})
    assert eventually(lambda: all(erased(shop, each) for each in methods), ERASED_SECONDS)


def test_a_kept_reply_is_sealed_and_erased_with_its_customer(
    shop: Shop, merchant: Merchant
) -> None:
    key = str(uuid4())
    made = told(merchant.ask("POST", "/v1/customers", FULL, key=key), 201)
    again = merchant.ask("POST", "/v1/customers", FULL, key=key)
    assert (told(again, 201), again.headers["idempotent-replayed"]) == (made, "true")
    with shop.database() as connection:
        kept = connection.execute(_KEPT, [key]).fetchone()
        assert kept is not None and kept[0] is None and b"Ada" not in kept[1]
        told(merchant.ask("DELETE", f"/v1/customers/{made['id']}"), 200)
        kept = connection.execute(_KEPT, [key]).fetchone()
    assert kept is not None and kept[1] is None
    erased_reply = told(merchant.ask("POST", "/v1/customers", FULL, key=key), 201)
    assert erased_reply["id"] == made["id"]
    assert (erased_reply["email"], erased_reply["name"], erased_reply["metadata"]) == (
        None,
        None,
        {},
    )


def test_customers_are_found_by_address_as_pages(merchant: Merchant) -> None:
    mine = [merchant.customer(email="twice@example.com", name=str(n))["id"] for n in range(3)]
    merchant.customer(email="other@example.com")
    first = merchant.get("/v1/customers", email="twice@example.com", limit=2)
    assert [row["email"] for row in first["data"]] == ["twice@example.com"] * 2
    cursor = first["next_cursor"]
    second = merchant.get(
        "/v1/customers", email="twice@example.com", limit=2, starting_after=cursor
    )
    found = [row["id"] for row in (*first["data"], *second["data"])]
    assert found == mine[::-1]
    elsewhere = merchant.ask(
        "GET", "/v1/customers", params={"email": "other@example.com", "starting_after": cursor}
    )
    assert error(elsewhere)[:2] == (400, "invalid_cursor")


def erased(shop: Shop, method: str) -> bool:
    with shop.database("paymint-vault") as connection:
        row = connection.execute(_ERASED, [from_text("pm", method)]).fetchone()
    return row == ("erased", None)


def test_another_merchant_changes_and_deletes_nothing(merchant: Merchant, rival: Merchant) -> None:
    customer = merchant.customer(**FULL)
    path = f"/v1/customers/{customer['id']}"
    for answer in (rival.ask("PATCH", path, {"name": "Mine"}), rival.ask("DELETE", path)):
        assert error(answer) == (404, "resource_missing", "customer_id")
    assert merchant.get(path) == customer
