"""Both versions of the API over HTTP: resources, lists, webhooks, one key from two versions.

The older version is asked for at the middle of its life, where the merchant's test clock
stands, so these journeys do not end with it.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.ids import from_text
from tests.midlife import MID_LIFE, put_clock
from tests.receiver import Receiver
from tests.serving import eventually
from tests.shop import Merchant, Shop, error, told

OLD, PRESENT = "2025-09-15", "2026-04-01"
SUNSET = datetime(2027, 4, 1, tzinfo=UTC)
ARRIVAL_SECONDS = 20.0


def pin(shop: Shop, merchant: Merchant, version: str) -> None:
    """Make the merchant one that was opened in this version."""
    with shop.database() as database:
        database.execute(
            "UPDATE merchants SET api_version = %s WHERE id = %s",
            (version, from_text("mch", merchant.id)),
        )


@pytest.fixture
def veteran(shop: Shop, merchant: Merchant) -> Merchant:
    """A merchant that was opened in the older version, at the middle of its life."""
    put_clock(shop, merchant, MID_LIFE)
    pin(shop, merchant, OLD)
    return merchant


def asked(merchant: Merchant, version: str, path: str, **query: Any) -> httpx.Response:
    return merchant.ask("GET", path, params=query, headers={"Paymint-Version": version})


def test_a_payment_in_both_versions(veteran: Merchant) -> None:
    answer = veteran.pay_answer(capture=False)
    old = told(answer, 201)
    assert answer.headers["paymint-version"] == OLD
    assert answer.headers["sunset"] == "Thu, 01 Apr 2027 00:00:00 GMT"
    assert old.keys() == {"object", "id", "data", "livemode", "created_at"}
    path = f"/v1/payments/{old['id']}"
    assert veteran.get(path) == old
    answer = asked(veteran, PRESENT, path)
    new = told(answer, 200)
    assert answer.headers["paymint-version"] == PRESENT and "sunset" not in answer.headers
    assert new["amount_capturable"] == 10000 and new["pending_reason"] is None
    gone = ("amount_capturable", "hold_id", "pending_reason")
    opened = {**old, **old["data"]}
    del opened["data"]
    assert opened == {name: value for name, value in new.items() if name not in gone}
    captured = told(veteran.act(old["id"], "capture"), 200)
    assert captured["data"]["status"] == "captured"
    refund = told(veteran.act(old["id"], "refunds", {"amount": 100}), 201)
    assert refund["object"] == "refund" and refund["data"]["amount"] == 100


def test_lists_in_both_versions(veteran: Merchant) -> None:
    for _ in range(3):
        veteran.pay_answer()
    page = veteran.get("/v1/payments", limit=2)
    assert page.keys() == {"object", "data", "has_more", "next_cursor", "total_count"}
    assert all(item["data"]["amount"] == 10000 for item in page["data"])
    # A cursor is a place in the list, whatever the version it was given in.
    rest = told(
        asked(veteran, PRESENT, "/v1/payments", limit=2, starting_after=page["next_cursor"]), 200
    )
    assert len(rest["data"]) == 1 and "prev_cursor" in rest
    before = veteran.get("/v1/payments", ending_before=rest["prev_cursor"])
    assert before["data"] == page["data"]


def test_customers_methods_and_endpoints_before(veteran: Merchant) -> None:
    customer = veteran.customer(name="Ada", metadata={"object": "payment", "id": "x"})
    assert customer["data"]["metadata"] == {"object": "payment", "id": "x"}
    method = told(veteran.save_card(customer["id"]), 201)
    assert method["data"]["last_four"] == "4242"
    path = f"/v1/customers/{customer['id']}/payment_methods/{method['id']}"
    gone = told(veteran.ask("DELETE", path), 200)
    assert gone == {"object": "payment_method", "id": method["id"], "deleted": True}
    missing = veteran.ask("GET", path)
    assert error(missing) == (404, "resource_missing", "payment_method_id")
    assert missing.headers["paymint-version"] == OLD


def test_one_key_from_two_versions(veteran: Merchant) -> None:
    key, body = str(uuid4()), {"amount": 10000, "currency": "usd"}
    body["payment_method_id"] = veteran.tokenise()
    answers = [
        veteran.ask("POST", "/v1/payments", body, key=key, headers={"Paymint-Version": version})
        for version in (OLD, PRESENT, OLD)
    ]
    first, second, third = (told(answer, 201) for answer in answers)
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [
        None,
        "true",
        "true",
    ]
    assert [answer.headers["paymint-version"] for answer in answers] == [OLD, PRESENT, OLD]
    assert first == third and second["id"] == first["id"]
    assert second["amount"] == first["data"]["amount"] == 10000
    assert len(veteran.get("/v1/payments")["data"]) == 1


def test_deliveries_follow_the_pin_and_an_endpoint_its_own_version(
    veteran: Merchant, receiver: Receiver
) -> None:
    veteran.endpoint(receiver.url)
    veteran.pay_answer()
    (delivery,) = receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
    assert delivery.event["api_version"] == OLD
    assert delivery.event["data"]["object"]["data"]["amount"] == 10000
    path = f"/v1/events/{delivery.event['id']}"
    assert veteran.get(path) == delivery.event
    now = told(asked(veteran, PRESENT, path), 200)
    assert now["api_version"] == PRESENT and now["data"]["object"]["amount"] == 10000
    listed = veteran.events()
    assert listed == [delivery.event]


def test_an_endpoint_with_a_version_of_its_own(veteran: Merchant, receiver: Receiver) -> None:
    made = veteran.endpoint(receiver.url, api_version=PRESENT)
    assert made["data"]["api_version"] == PRESENT
    veteran.pay_answer()
    (delivery,) = receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
    assert delivery.event["api_version"] == PRESENT
    assert delivery.event["data"]["object"]["amount"] == 10000


def test_an_upgrade_and_the_way_back(shop: Shop, veteran: Merchant, receiver: Receiver) -> None:
    veteran.endpoint(receiver.url)
    path = f"/v1/merchants/{veteran.id}"
    assert veteran.get(path)["data"]["api_version"] == OLD
    changed = told(veteran.ask("PATCH", path, {"api_version": PRESENT}), 200)
    # The request itself is answered as it was asked.
    assert changed["data"]["api_version"] == PRESENT
    veteran.pay_answer()
    (first,) = receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
    assert first.event["api_version"] == PRESENT
    back = veteran.ask("PATCH", path, {"api_version": OLD}, headers={"Paymint-Version": PRESENT})
    assert told(back, 200)["api_version"] == OLD
    veteran.pay_answer()
    second = receiver.wait_for("payment.captured", ARRIVAL_SECONDS, count=2)[1]
    assert second.event["api_version"] == OLD
    unknown = veteran.ask("PATCH", path, {"api_version": "2000-01-01"})
    assert error(unknown) == (400, "parameter_invalid_enum", "api_version")


def test_after_the_sunset(shop: Shop, merchant: Merchant, receiver: Receiver) -> None:
    put_clock(shop, merchant, SUNSET)
    pin(shop, merchant, OLD)
    path = f"/v1/merchants/{merchant.id}"
    newer = {"Paymint-Version": PRESENT}
    assert error(merchant.ask("GET", path)) == (410, "api_version_removed", "Paymint-Version")
    again = merchant.ask("PATCH", path, {"api_version": OLD}, headers=newer)
    assert error(again) == (422, "api_version_unavailable", "api_version")
    body = {"url": receiver.url, "api_version": OLD}
    endpoint = merchant.ask("POST", "/v1/webhook_endpoints", body, headers=newer)
    assert error(endpoint) == (422, "api_version_unavailable", "api_version")
    told(merchant.ask("POST", "/v1/webhook_endpoints", {"url": receiver.url}, headers=newer), 201)
    payment = {"amount": 10000, "currency": "usd", "payment_method_id": merchant.tokenise()}
    told(merchant.ask("POST", "/v1/payments", payment, key=str(uuid4()), headers=newer), 201)
    (delivery,) = receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
    assert delivery.event["api_version"] == PRESENT
    assert told(merchant.ask("PATCH", path, {"api_version": PRESENT}, headers=newer), 200)


def test_a_new_account_is_pinned_to_the_present_version(merchant: Merchant) -> None:
    shown = merchant.get(f"/v1/merchants/{merchant.id}")
    assert shown["api_version"] == PRESENT and shown["object"] == "merchant"


def test_whoever_uses_a_deprecated_version_has_an_alert(shop: Shop, veteran: Merchant) -> None:
    identifier = from_text("mch", veteran.id)

    def alerts() -> list[tuple[Any, ...]]:
        with shop.database() as database:
            return database.execute(
                "SELECT type, subject, livemode FROM alerts WHERE merchant_id = %s", (identifier,)
            ).fetchall()

    asked(veteran, PRESENT, "/v1/payments")
    assert alerts() == []
    for _ in range(3):
        veteran.get("/v1/payments")
    assert eventually(lambda: len(alerts()) > 0, 20.0)
    assert alerts() == [("api_version_deprecated", OLD, False)]


def test_the_documents_over_http(shop: Shop) -> None:
    for path in ("/openapi.yaml", f"/openapi/{OLD}/openapi.yaml"):
        answer = shop.http.get(path)
        assert answer.status_code == 200 and answer.text.startswith(("#", "openapi"))
        assert answer.headers["cache-control"] == "public, max-age=86400"
    assert shop.http.get(f"/openapi/{OLD}/openapi.json").json()["info"]["version"] == OLD
