"""Customers and their saved payment methods."""

from tests.shop import EXPIRY_YEAR, Merchant, error, told


def test_a_customer(merchant: Merchant) -> None:
    metadata = {"tag": "<b>&amp;</b> \u2028 über"}
    created = merchant.customer(email="ada@example.com", name="Ada", metadata=metadata)
    assert (created["object"], created["merchant_id"]) == ("customer", merchant.id)
    path = f"/v1/customers/{created['id']}"
    assert merchant.get(path) == created
    assert created["metadata"] == metadata
    raw = merchant.ask("GET", path).text
    assert "<b>" not in raw and "\u2028" not in raw
    empty = merchant.customer()
    assert (empty["email"], empty["name"], empty["metadata"]) == (None, None, {})


def test_a_card_is_saved_charged_and_detached(merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    saved = told(merchant.save_card(customer), 201)
    path = f"/v1/customers/{customer}/payment_methods/{saved['id']}"
    assert merchant.get(path) == saved
    assert (saved["customer_id"], saved["brand"], saved["last_four"]) == (customer, "visa", "4242")
    for _ in range(2):
        payment = merchant.pay(saved["id"])
        assert (payment["customer_id"], payment["payment_method_id"]) == (customer, saved["id"])
    gone = told(merchant.ask("DELETE", path), 200)
    assert gone == {"object": "payment_method", "id": saved["id"], "deleted": True}
    for answer in (merchant.ask("GET", path), merchant.ask("DELETE", path)):
        assert error(answer) == (404, "resource_missing", "payment_method_id")
    assert error(merchant.pay_answer(saved["id"]))[:2] == (404, "resource_missing")
    refund = merchant.refund(payment["id"])
    assert refund["status"] == "pending", "a refund needs the network's reference, not the card"


def test_the_same_card_is_saved_once_and_its_expiry_renewed(merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    first = told(merchant.save_card(customer), 201)
    again = told(merchant.save_card(customer, exp_month=7, exp_year=EXPIRY_YEAR + 1), 200)
    assert again["id"] == first["id"]
    assert (again["exp_month"], again["exp_year"]) == (7, EXPIRY_YEAR + 1)
    assert merchant.get(f"/v1/customers/{customer}/payment_methods")["data"] == [again]
    other_customer = merchant.customer()["id"]
    elsewhere = told(merchant.save_card(other_customer), 201)
    assert elsewhere["id"] != first["id"]
    assert elsewhere["fingerprint"] == first["fingerprint"]


def test_a_fingerprint_is_unrelated_across_merchants(merchant: Merchant, rival: Merchant) -> None:
    prints = {
        told(each.save_card(each.customer()["id"]), 201)["fingerprint"]
        for each in (merchant, rival)
    }
    assert len(prints) == 2


def test_a_token_is_saved_or_charged_but_not_both(merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    path = f"/v1/customers/{customer}/payment_methods"
    token = merchant.tokenise()
    told(merchant.ask("POST", path, {"type": "card", "token": token}), 201)
    again = merchant.ask("POST", path, {"type": "card", "token": token})
    assert error(again) == (422, "token_already_used", "token")
    assert error(merchant.pay_answer(token)) == (422, "token_already_used", "payment_method_id")
    paid = merchant.tokenise("5555555555554444")
    merchant.pay(paid)
    spent = merchant.ask("POST", path, {"type": "card", "token": paid})
    assert error(spent) == (422, "token_already_used", "token")


def test_a_token_of_another_type_is_not_saved(merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    body = {"type": "wallet", "token": merchant.tokenise()}
    answer = merchant.ask("POST", f"/v1/customers/{customer}/payment_methods", body)
    assert error(answer) == (422, "token_not_attachable", "token")


def test_a_method_pays_for_its_own_customer_only(merchant: Merchant) -> None:
    owner, other = merchant.customer()["id"], merchant.customer()["id"]
    method = told(merchant.save_card(owner), 201)["id"]
    answer = merchant.pay_answer(method, customer_id=other)
    assert error(answer) == (422, "customer_mismatch", "customer_id")
    missing = merchant.pay_answer(method, customer_id="cus_" + "0" * 32)
    assert error(missing) == (404, "resource_missing", "customer_id")
    assert merchant.pay(method, customer_id=owner)["customer_id"] == owner
    wrong_path = f"/v1/customers/{other}/payment_methods/{method}"
    assert merchant.ask("GET", wrong_path).status_code == 404
