"""Events over HTTP: found by type and object, their deliveries read, retried to one endpoint."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.receiver import Receiver, receiving
from tests.serving import eventually
from tests.shop import Merchant, error, told

ARRIVAL_SECONDS = 20.0
RETRIES = 200
RETRIES_AT_ONCE = 20


def deliveries(merchant: Merchant, event: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = merchant.get(f"/v1/events/{event}/deliveries", **query)["data"]
    return found


def retry(merchant: Merchant, event: str, body: Any = None, **options: Any) -> dict[str, Any]:
    return told(merchant.ask("POST", f"/v1/events/{event}/retry", body, **options), 200)


def test_events_are_found_by_type_and_object(merchant: Merchant) -> None:
    payment, other = merchant.pay(capture=False)["id"], merchant.pay()["id"]
    merchant.act(payment, "capture")
    refund = merchant.refund(payment, amount=100)["id"]
    of_payment = merchant.events(object_id=payment)
    assert [event["type"] for event in of_payment] == ["payment.captured", "payment.authorized"]
    assert {event["data"]["object"]["id"] for event in of_payment} == {payment}
    of_refund = {event["data"]["object"]["id"] for event in merchant.events(object_id=refund)}
    assert of_refund == {refund}
    assert merchant.events(object_id="pay_" + refund.removeprefix("ref_")) == []
    captured = merchant.events(type="payment.captured")
    assert {event["data"]["object"]["id"] for event in captured} == {payment, other}
    both = merchant.events(type="payment.captured", object_id=other)
    assert [event["data"]["object"]["id"] for event in both] == [other]
    first = merchant.events()[-1]
    early = merchant.events(created_lte=first["created_at"])
    assert first in early and all(one["created_at"] <= first["created_at"] for one in early)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"type": "payment.eaten"}, "parameter_invalid_enum"),
        ({"object_id": "pay_1"}, "parameter_invalid_format"),
        ({"object": "pay_1"}, "parameter_unknown"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(
    merchant: Merchant, query: dict[str, str], code: str
) -> None:
    assert error(merchant.ask("GET", "/v1/events", params=query))[:2] == (400, code)


def test_deliveries_show_what_was_tried_at_each_endpoint(
    merchant: Merchant, receiver: Receiver
) -> None:
    with receiving(status=503) as failing:
        good, bad = merchant.endpoint(receiver.url)["id"], merchant.endpoint(failing.url)["id"]
        merchant.endpoint("https://shop.example.com/", enabled_events=["payment.failed"])
        merchant.pay()
        event = merchant.events()[0]
        assert eventually(
            lambda: all(item["attempts"] for item in deliveries(merchant, event["id"])),
            ARRIVAL_SECONDS,
        )
    found = {item["webhook_endpoint_id"]: item for item in deliveries(merchant, event["id"])}
    assert found.keys() == {good, bad}
    assert (found[good]["state"], found[good]["next_attempt_at"]) == ("succeeded", None)
    (arrived,) = found[good]["attempts"]
    assert (arrived["attempt"], arrived["status_code"], arrived["error"]) == (1, 200, None)
    assert arrived["attempted_at"] >= event["created_at"] and arrived["duration_ms"] >= 0
    assert (found[bad]["state"], found[bad]["attempts_made"]) == ("pending", 1)
    assert found[bad]["attempts"][0]["status_code"] == 503
    assert found[bad]["next_attempt_at"] > found[bad]["attempts"][0]["attempted_at"]
    assert all(item["created_at"] == event["created_at"] for item in found.values())


def test_deliveries_page(merchant: Merchant) -> None:
    made = [merchant.endpoint(f"https://shop.example.com/{n}")["id"] for n in range(3)]
    merchant.pay()
    event = merchant.events()[0]["id"]
    path = f"/v1/events/{event}/deliveries"
    page = merchant.get(path, limit=2)
    assert page["has_more"] and page["total_count"] is None
    rest = merchant.get(path, limit=2, starting_after=page["next_cursor"])
    shown = [item["webhook_endpoint_id"] for item in page["data"] + rest["data"]]
    assert shown == made[::-1] and not rest["has_more"]
    back = merchant.get(path, limit=2, ending_before=rest["prev_cursor"])
    assert [item["id"] for item in back["data"]] == [item["id"] for item in page["data"]]
    merchant.pay()
    other = f"/v1/events/{merchant.events()[0]['id']}/deliveries"
    foreign = merchant.ask("GET", other, params={"starting_after": page["next_cursor"]})
    assert error(foreign) == (400, "invalid_cursor", "starting_after")
    assert deliveries(merchant, event, created_gte="2100-01-01T00:00:00Z") == []


def test_a_retry_goes_to_one_endpoint_whatever_it_wants(merchant: Merchant) -> None:
    with receiving() as all_events, receiving() as failures:
        merchant.endpoint(all_events.url)
        picky = merchant.endpoint(failures.url, enabled_events=["payment.failed"])["id"]
        merchant.pay()
        event = merchant.events()[0]["id"]
        all_events.wait_for("payment.captured", ARRIVAL_SECONDS)
        body, key = {"webhook_endpoint_id": picky}, str(uuid4())
        first = retry(merchant, event, body, key=key)
        assert retry(merchant, event, body, key=key) == first
        failures.wait_for("payment.captured", ARRIVAL_SECONDS)
        assert not eventually(lambda: len(failures.deliveries) > 1, 1.0)
        assert len(all_events.deliveries) == 1
        retry(merchant, event, {})
        all_events.wait_for("payment.captured", ARRIVAL_SECONDS, count=2)
        assert len(failures.deliveries) == 1


def test_a_waiting_delivery_is_brought_forward_by_a_retry(merchant: Merchant) -> None:
    with receiving(status=500) as receiver:
        merchant.endpoint(receiver.url)
        merchant.pay()
        event = merchant.events()[0]["id"]
        assert eventually(lambda: made(merchant, event) == 1, ARRIVAL_SECONDS)
        retry(merchant, event)
        assert eventually(lambda: made(merchant, event) == 2, ARRIVAL_SECONDS)
        (delivery,) = deliveries(merchant, event)
        assert delivery["state"] == "pending"
        assert [attempt["attempt"] for attempt in delivery["attempts"]] == [2, 1]


def made(merchant: Merchant, event: str) -> int:
    return sum(item["attempts_made"] for item in deliveries(merchant, event))


def test_what_is_another_merchants_cannot_be_retried_to(
    merchant: Merchant, rival: Merchant
) -> None:
    merchant.pay()
    event = merchant.events()[0]["id"]
    foreign = rival.endpoint("https://rival.example.com/")["id"]
    for named in (foreign, "whe_1", "whe_" + "0" * 32):
        answer = merchant.ask("POST", f"/v1/events/{event}/retry", {"webhook_endpoint_id": named})
        assert error(answer) == (404, "resource_missing", "webhook_endpoint_id")
    assert error(rival.ask("GET", f"/v1/events/{event}/deliveries"))[0] == 404
    assert rival.events(object_id=merchant.events()[0]["data"]["object"]["id"]) == []


def test_a_storm_of_retries_is_no_storm_at_the_receiver(
    merchant: Merchant, receiver: Receiver
) -> None:
    """However often an event is retried at once, one delivery of it waits or is under way."""
    merchant.endpoint(receiver.url)
    merchant.pay()
    receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
    event = merchant.events()[0]["id"]
    with ThreadPoolExecutor(RETRIES_AT_ONCE) as threads:
        asked = [threads.submit(retry, merchant, event) for _ in range(RETRIES)]
        assert {each.result()["id"] for each in asked} == {event}

    def settled() -> bool:
        (delivery,) = deliveries(merchant, event)
        return bool(delivery["state"] == "succeeded")

    assert eventually(settled, ARRIVAL_SECONDS)
    (delivery,) = deliveries(merchant, event)
    arrived = len(receiver.of_type("payment.captured"))
    assert delivery["attempts_made"] == arrived
    assert 1 < arrived < RETRIES / 4
