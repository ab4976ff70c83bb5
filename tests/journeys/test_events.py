"""Events: kept in order, read again, delivered again; the endpoints they go to."""

import pytest

from tests.receiver import Receiver, receiving
from tests.serving import eventually
from tests.shop import Merchant, error, told

ARRIVAL_SECONDS = 20.0


def test_every_transition_has_its_event(merchant: Merchant) -> None:
    captured = merchant.pay(capture=False)["id"]
    merchant.act(captured, "capture")
    cancelled = merchant.pay(capture=False)["id"]
    merchant.act(cancelled, "cancel")
    merchant.pay_answer(merchant.tokenise("4000000000000002"))
    merchant.pay()
    assert [event["type"] for event in merchant.events()][::-1] == [
        "payment.authorized",
        "payment.captured",
        "payment.authorized",
        "payment.cancelled",
        "payment.failed",
        "payment.captured",
    ]


def test_an_event_is_a_snapshot(merchant: Merchant) -> None:
    payment = merchant.pay(capture=False)["id"]
    merchant.act(payment, "capture")
    captured, authorised = merchant.events()
    assert authorised["data"]["object"]["status"] == "authorized"
    assert captured["data"]["object"] == merchant.payment(payment)
    assert (authorised["sequence"], captured["sequence"]) == (1, 2)
    assert merchant.get(f"/v1/events/{captured['id']}") == captured
    missing = merchant.ask("GET", "/v1/events/evt_" + "0" * 32)
    assert error(missing) == (404, "resource_missing", "event_id")


def test_events_page(merchant: Merchant) -> None:
    for _ in range(3):
        merchant.pay()
    page = merchant.get("/v1/events", limit=2)
    rest = merchant.get("/v1/events", limit=2, starting_after=page["next_cursor"])
    assert len(page["data"]) == 2 and len(rest["data"]) == 1 and not rest["has_more"]


def wait_for_record(merchant: Merchant, event: str) -> None:
    """An attempt under way is the one that is asked for; its receiver knows before we do."""
    path = f"/v1/events/{event}/deliveries"
    assert eventually(
        lambda: [each["attempts_made"] for each in merchant.get(path)["data"]] == [1],
        ARRIVAL_SECONDS,
    )


def test_an_event_is_delivered_again_when_asked(merchant: Merchant, receiver: Receiver) -> None:
    merchant.endpoint(receiver.url)
    merchant.pay()
    first = receiver.wait_for("payment.captured", ARRIVAL_SECONDS)[0]
    event = merchant.events()[0]
    wait_for_record(merchant, event["id"])
    assert told(merchant.ask("POST", f"/v1/events/{event['id']}/retry"), 200) == event
    again = receiver.wait_for("payment.captured", ARRIVAL_SECONDS, count=2)[1]
    assert again.event == first.event == event
    assert again.headers["webhook-id"] == first.headers["webhook-id"]


def test_a_failed_delivery_reaches_the_receiver_when_asked_again(merchant: Merchant) -> None:
    with receiving(status=500) as receiver:
        merchant.endpoint(receiver.url)
        merchant.pay()
        receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
        event = merchant.events()[0]["id"]
        wait_for_record(merchant, event)
        receiver.status = 200
        told(merchant.ask("POST", f"/v1/events/{event}/retry"), 200)
        receiver.wait_for("payment.captured", ARRIVAL_SECONDS, count=2)


def test_a_receiver_that_fails_holds_nobody_back(merchant: Merchant, receiver: Receiver) -> None:
    with receiving(status=500) as failing:
        merchant.endpoint(failing.url)
        merchant.endpoint(receiver.url)
        payment = merchant.pay(capture=False)["id"]
        merchant.act(payment, "capture")
        receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
        failing.wait_for("payment.captured", ARRIVAL_SECONDS)
        assert failing.types() == ["payment.authorized", "payment.captured"]


def test_an_endpoint_gets_what_it_asked_for_until_it_is_deleted(
    merchant: Merchant, receiver: Receiver
) -> None:
    made = merchant.endpoint(receiver.url, enabled_events=["payment.captured"])
    path = f"/v1/webhook_endpoints/{made['id']}"
    assert merchant.get(path) == {**made, "secret": None}
    merchant.pay(capture=False)
    merchant.pay()
    receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
    assert receiver.types() == ["payment.captured"]
    gone = told(merchant.ask("DELETE", path), 200)
    assert gone == {"object": "webhook_endpoint", "id": made["id"], "deleted": True}
    assert merchant.ask("GET", path).status_code == 404
    merchant.pay()
    assert not eventually(lambda: len(receiver.deliveries) > 1, 1.0)


def test_at_most_sixteen_endpoints(merchant: Merchant) -> None:
    for number in range(16):
        merchant.endpoint(f"https://shop.example.com/{number}")
    answer = merchant.ask("POST", "/v1/webhook_endpoints", {"url": "https://shop.example.com/17"})
    assert error(answer) == (422, "webhook_endpoint_limit", None)
    assert len(merchant.get("/v1/webhook_endpoints", limit=100)["data"]) == 16


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.com/hook",
        "http://localhost:9000/hook",
        "http://127.1:9000/hook",
        "http://127.0.0.1/hook",
        "http://2130706433:9000/hook",
        "http://[::ffff:127.0.0.1]:9000/hook",
        "https://127.0.0.1:9000/hook",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/hook",
        "https://localhost./hook",
        "https://user@shop.example.com/hook",
    ],
)
def test_an_address_that_events_may_not_go_to(merchant: Merchant, url: str) -> None:
    for answer in (
        merchant.ask("POST", "/v1/webhook_endpoints", {"url": url}),
        merchant.ask("PATCH", f"/v1/merchants/{merchant.id}", {"webhook_url": url}),
    ):
        status, code, param = error(answer)
        assert (status, param) in {(400, "url"), (400, "webhook_url")}
        assert code in {"url_not_https", "url_not_public", "parameter_invalid"}


def test_a_merchant_is_renamed_and_keeps_the_rest(merchant: Merchant) -> None:
    path = f"/v1/merchants/{merchant.id}"
    before = merchant.get(path)
    changed = told(merchant.ask("PATCH", path, {"business_name": "New Name"}), 200)
    assert changed == {**before, "business_name": "New Name", "revision": before["revision"] + 1}
    assert merchant.get(path) == changed
