"""Blueprint section 3, line by line: its own requests, sent to a running stack."""

import json
import re
from uuid import uuid4

from tests.journeys.signatures import verify_paymint
from tests.midlife import put_clock
from tests.receiver import Receiver
from tests.serving import eventually
from tests.shop import Merchant, Shop, error, told

# Five seconds are promised, and measured where many are delivered: this is one of them.
DELIVERED_SECONDS = 30.0
REFUND_SECONDS = 60.0
CREATE = """{
"amount": 15000,
"currency": "usd",
"payment_method_id": "%s",
"customer_id": "%s",
"capture": false,
"description": "Order #9281",
"metadata": {
"order_id": "9281",
"sku": "WIDGET-PRO"
}
}"""
KEY = "550e8400-e29b-41d4-a716-446655440000"


def saved(merchant: Merchant) -> tuple[str, str]:
    """A customer and a card of theirs."""
    customer = str(merchant.customer()["id"])
    return customer, str(told(merchant.save_card(customer), 201)["id"])


def test_create_capture_and_refund_as_printed(merchant: Merchant) -> None:
    customer, method = saved(merchant)
    headers = {"Content-Type": "application/json"}
    text = CREATE % (method, customer)
    answer = merchant.ask("POST", "/v1/payments", key=KEY, content=text, headers=headers)
    payment = told(answer, 201)
    printed = {
        "object": "payment",
        "amount": 15000,
        "currency": "usd",
        "status": "authorized",
        "payment_method_id": method,
        "customer_id": customer,
        "capture": False,
        "description": "Order #9281",
        "metadata": {"order_id": "9281", "sku": "WIDGET-PRO"},
        "livemode": False,
    }
    assert printed.items() <= payment.items()
    assert re.fullmatch(r"pay_[0-9a-f]{32}", payment["id"])
    captured = told(merchant.act(payment["id"], "capture", {"amount": 12000}), 200)
    assert (captured["amount"], captured["amount_captured"]) == (15000, 12000)
    assert captured["status"] == "captured" and captured["captured_at"].endswith("Z")
    body = {"amount": 5000, "reason": "customer_request"}
    refund = told(merchant.act(payment["id"], "refunds", body), 201)
    printed = {"object": "refund", "payment_id": payment["id"], "status": "pending", **body}
    assert printed.items() <= refund.items()
    # "Partial capture is supported once."
    assert error(merchant.act(payment["id"], "capture", {"amount": 1}))[0] in (400, 422)


def test_capture_without_amount_takes_all(merchant: Merchant) -> None:
    payment = merchant.pay(amount=15000, capture=False)["id"]
    assert told(merchant.act(payment, "capture"), 200)["amount_captured"] == 15000


def test_the_envelopes(shop: Shop, merchant: Merchant) -> None:
    put_clock(shop, merchant)
    merchant.pay()
    page = merchant.get("/v1/payments")
    assert {"object", "data", "has_more", "next_cursor", "total_count"} <= page.keys()
    assert (page["object"], page["has_more"], page["total_count"]) == ("list", False, 1)
    headers = {"Paymint-Version": "2025-09-15"}
    nested = told(
        merchant.ask("GET", f"/v1/payments/{page['data'][0]['id']}", headers=headers), 200
    )
    assert nested.keys() == {"object", "id", "data", "livemode", "created_at"}


def test_the_cursor_parameters(merchant: Merchant) -> None:
    for _ in range(3):
        merchant.pay()
    first = merchant.get("/v1/payments", limit=2)
    assert (len(first["data"]), first["has_more"], first["total_count"]) == (2, True, 3)
    cursor = first["next_cursor"]
    assert cursor.startswith("crs_")
    second = merchant.get("/v1/payments", limit=2, starting_after=cursor)
    assert (len(second["data"]), second["has_more"]) == (1, False)
    back = merchant.get("/v1/payments", limit=2, ending_before=second["prev_cursor"])
    assert back["data"] == first["data"]
    assert error(merchant.ask("GET", "/v1/payments?limit=101"))[0] == 400
    assert len(merchant.get("/v1/payments")["data"]) == 3


def test_filters_sort_and_fields_as_printed(merchant: Merchant) -> None:
    amounts = (700, 500, 600)
    for amount in amounts:
        merchant.pay(amount=amount)
    printed = (
        "/v1/payments?status=captured&currency=usd&created_gte=2026-04-01T00:00:00Z"
        "&sort=-created_at"
    )
    assert [each["amount"] for each in merchant.get(printed)["data"]] == list(amounts[::-1])
    for sort, expected in (("amount", sorted(amounts)), ("-amount", sorted(amounts)[::-1])):
        found = merchant.get(f"/v1/payments?sort={sort}")["data"]
        assert [each["amount"] for each in found] == expected
    assert merchant.get("/v1/payments?created_lte=2026-04-01T00:00:00Z")["data"] == []
    payment = str(merchant.get("/v1/payments")["data"][0]["id"])
    refund = merchant.refund(payment, amount=100)
    refunds = f"/v1/payments/{payment}/refunds?status="
    assert merchant.get(refunds + "failed")["data"] == []
    assert eventually(lambda: merchant.get(refunds + "succeeded")["data"], REFUND_SECONDS)
    assert merchant.get(refunds + "succeeded")["data"][0]["id"] == refund["id"]
    sparse = merchant.get(f"/v1/payments/{payment}?fields=id,amount,status,created_at")
    assert sparse.keys() == {"object", "id", "amount", "status", "created_at"}


def test_the_batch(merchant: Merchant) -> None:
    tokens = [merchant.tokenise(), merchant.tokenise()]
    items = [
        {"amount": 5000, "currency": "usd", "payment_method_id": tokens[0]},
        {"amount": 8000, "currency": "eur", "payment_method_id": tokens[1]},
    ]
    body = {"payments": [{**item, "idempotency_key": str(uuid4())} for item in items]}
    results = told(merchant.ask("POST", "/v1/payments/batch", body), 207)["data"]
    assert [(each["index"], each["status"]) for each in results] == [(0, 201), (1, 201)]
    assert [each["payment"]["amount"] for each in results] == [5000, 8000]
    again = told(merchant.ask("POST", "/v1/payments/batch", body), 207)["data"]
    assert [each["payment"]["id"] for each in again] == [each["payment"]["id"] for each in results]
    assert error(merchant.ask("POST", "/v1/payments/batch", {"payments": items * 51}))[0] == 400


def test_the_webhook(merchant: Merchant, receiver: Receiver) -> None:
    url = {"webhook_url": receiver.url}
    told(merchant.ask("PATCH", f"/v1/merchants/{merchant.id}", url), 200)
    payment = merchant.pay()
    delivery = receiver.wait_for("payment.captured", DELIVERED_SECONDS)[0]
    event = delivery.event
    assert event.keys() >= {"id", "object", "type", "created_at", "data", "api_version"}
    assert (event["object"], event["api_version"]) == ("event", "2026-04-01")
    assert event["data"]["object"] == merchant.payment(payment["id"])
    verify_paymint(delivery, merchant.webhook_secret)
    deliveries = f"/v1/events/{event['id']}/deliveries"
    assert eventually(
        lambda: merchant.get(deliveries)["data"][0]["state"] == "succeeded", DELIVERED_SECONDS
    )
    told(merchant.ask("POST", f"/v1/events/{event['id']}/retry"), 200)
    assert len(receiver.wait_for("payment.captured", DELIVERED_SECONDS, count=2)) == 2
    assert json.loads(receiver.deliveries[-1].body) == event
