"""Webhook endpoints over HTTP: several with their own filters and secrets, changed, rolled."""

from typing import Any
from uuid import uuid4

import pytest

from tests.journeys.signatures import verify_paymint, verify_standard
from tests.receiver import Receiver, receiving
from tests.serving import eventually
from tests.shop import Merchant, Shop, error, told

ARRIVAL_SECONDS = 20.0
PATH = "/v1/webhook_endpoints"
PUBLIC = "https://shop.example.com/hook"
DAY = "interval '24 hours 1 second'"


def changed(merchant: Merchant, endpoint: str, **body: Any) -> dict[str, Any]:
    return told(merchant.ask("PATCH", f"{PATH}/{endpoint}", body), 200)


def test_each_url_gets_what_it_wants_signed_with_its_own_secret(merchant: Merchant) -> None:
    with receiving() as own, receiving() as captures, receiving() as everything:
        path = f"/v1/merchants/{merchant.id}"
        told(merchant.ask("PATCH", path, {"webhook_url": own.url}), 200)
        one = merchant.endpoint(captures.url, enabled_events=["payment.captured"])
        other = merchant.endpoint(everything.url)
        listed = merchant.get(PATH)
        assert [item["url"] for item in listed["data"]] == [everything.url, captures.url, own.url]
        assert listed["total_count"] == 3
        payment = merchant.pay(capture=False)["id"]
        merchant.act(payment, "capture")
        secrets = {merchant.webhook_secret: own, one["secret"]: captures}
        secrets[other["secret"]] = everything
        assert len(secrets) == 3
        for secret, receiver in secrets.items():
            (delivery,) = receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
            verify_paymint(delivery, secret)
            verify_standard(delivery, secret)
        assert captures.types() == ["payment.captured"]
        assert len(own.types()) == len(everything.types()) == 2


def test_a_patch_changes_what_it_names_and_nothing_else(merchant: Merchant) -> None:
    made = merchant.endpoint(PUBLIC, enabled_events=["payment.failed"], description="One")
    before = {**made, "secret": None}
    same = changed(merchant, made["id"])
    assert same == {**before, "revision": 2}
    wide = changed(merchant, made["id"], enabled_events=None, description=None)
    assert wide == {**before, "enabled_events": None, "description": None, "revision": 3}
    elsewhere = changed(merchant, made["id"], url=PUBLIC + "/2", api_version="2026-04-01")
    assert (elsewhere["url"], elsewhere["api_version"]) == (PUBLIC + "/2", "2026-04-01")
    assert changed(merchant, made["id"], api_version=None)["api_version"] is None
    assert merchant.get(f"{PATH}/{made['id']}")["revision"] == 5


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"url": "http://shop.example.com/"}, "url_not_https", "url"),
        ({"url": "https://10.1.2.3/"}, "url_not_public", "url"),
        ({"url": None}, "parameter_invalid_type", "url"),
        ({"enabled_events": []}, "parameter_too_few_items", "enabled_events"),
        ({"enabled_events": ["payment.eaten"]}, "parameter_invalid_enum", "enabled_events[0]"),
        ({"status": "asleep"}, "parameter_invalid_enum", "status"),
        ({"status": None}, "parameter_invalid_type", "status"),
        ({"secret": "whsec_"}, "parameter_unknown", None),
        ({"description": "x" * 501}, "parameter_too_long", "description"),
    ],
)
def test_a_patch_is_held_to_the_rules_of_creation(
    merchant: Merchant, body: dict[str, Any], code: str, param: str | None
) -> None:
    made = merchant.endpoint(PUBLIC)["id"]
    assert error(merchant.ask("PATCH", f"{PATH}/{made}", body)) == (400, code, param)
    assert merchant.get(f"{PATH}/{made}")["revision"] == 1


def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled(
    merchant: Merchant, receiver: Receiver
) -> None:
    made = merchant.endpoint(receiver.url)["id"]
    assert changed(merchant, made, status="disabled")["status"] == "disabled"
    merchant.pay()
    event = merchant.events()[0]["id"]
    assert merchant.get(f"/v1/events/{event}/deliveries")["data"] == []
    body = {"webhook_endpoint_id": made}
    refused = merchant.ask("POST", f"/v1/events/{event}/retry", body)
    assert error(refused) == (422, "webhook_endpoint_disabled", "webhook_endpoint_id")
    changed(merchant, made, status="enabled")
    told(merchant.ask("POST", f"/v1/events/{event}/retry", body), 200)
    receiver.wait_for("payment.captured", ARRIVAL_SECONDS)


def test_a_rolled_secret_and_the_one_before_it_sign_for_a_day(
    shop: Shop, merchant: Merchant, receiver: Receiver
) -> None:
    made = merchant.endpoint(receiver.url)
    path, key = f"{PATH}/{made['id']}/roll", str(uuid4())
    rolled = told(merchant.ask("POST", path, key=key), 200)
    assert rolled["secret"] != made["secret"] and rolled["previous_secret_expires_at"]
    again = merchant.ask("POST", path, key=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert told(again, 200) == {**rolled, "secret": None}
    assert merchant.get(f"{PATH}/{made['id']}") == {**rolled, "secret": None}
    merchant.pay()
    (delivery,) = receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
    for place, secret in enumerate([rolled["secret"], made["secret"]]):
        verify_paymint(delivery, secret, place)
        verify_standard(delivery, secret, place)
    with shop.database() as connection:
        connection.execute(
            "UPDATE webhook_endpoints SET previous_secret_until = previous_secret_until"
            f" - {DAY} WHERE replace(id::text, '-', '') = %s",
            (made["id"].removeprefix("whe_"),),
        )
    merchant.pay()
    later = receiver.wait_for("payment.captured", ARRIVAL_SECONDS, count=2)[1]
    assert later.headers["paymint-signature"].count("v1=") == 1
    assert later.headers["webhook-signature"].count("v1,") == 1
    verify_paymint(later, rolled["secret"])
    verify_standard(later, rolled["secret"])
    assert merchant.get(f"{PATH}/{made['id']}")["previous_secret_expires_at"] is None


def test_endpoints_are_found_by_status_and_age(merchant: Merchant) -> None:
    first, second = (merchant.endpoint(f"{PUBLIC}/{n}") for n in range(2))
    changed(merchant, first["id"], status="disabled")
    for status, wanted in (("disabled", first), ("enabled", second)):
        page = merchant.get(PATH, status=status)
        assert [item["id"] for item in page["data"]] == [wanted["id"]]
        assert page["total_count"] == 1
    assert merchant.get(PATH, created_lte=first["created_at"])["total_count"] >= 1
    assert merchant.get(PATH, created_gte="2100-01-01T00:00:00Z")["data"] == []
    page = merchant.get(PATH, limit=1)
    foreign = merchant.ask(
        "GET", PATH, params={"status": "enabled", "starting_after": page["next_cursor"]}
    )
    assert error(foreign) == (400, "invalid_cursor", "starting_after")


def test_an_endpoint_that_is_given_up_is_told_by_an_alert(shop: Shop, merchant: Merchant) -> None:
    with receiving(status=500) as receiver:
        made = merchant.endpoint(receiver.url)["id"]
        merchant.pay()
        receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
        with shop.database() as connection:
            assert eventually(lambda: aged(connection, made), ARRIVAL_SECONDS)
        merchant.pay()
        open_alerts = {"status": "open", "type": "webhook_endpoint_disabled"}
        assert eventually(
            lambda: merchant.get("/v1/alerts", **open_alerts)["data"], ARRIVAL_SECONDS
        )
        (alert,) = merchant.get("/v1/alerts", **open_alerts)["data"]
        assert (alert["subject"], alert["status"]) == (made, "open")
        assert merchant.get(f"{PATH}/{made}")["status"] == "disabled"
        changed(merchant, made, status="enabled")
        resolved = merchant.get(f"/v1/alerts/{alert['id']}")
        assert resolved["status"] == "resolved" and resolved["resolved_at"] is not None
        assert merchant.get("/v1/alerts", status="open")["data"] == []


def aged(connection: Any, endpoint: str) -> bool:
    """Move the first failure five days back, once it is recorded."""
    cursor = connection.execute(
        "UPDATE webhook_endpoints SET failing_since = failing_since - interval '5 days'"
        " WHERE replace(id::text, '-', '') = %s AND failing_since IS NOT NULL",
        (endpoint.removeprefix("whe_"),),
    )
    return bool(cursor.rowcount)
