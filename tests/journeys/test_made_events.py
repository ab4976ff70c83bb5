"""Events on demand: every type, delivered like a real one, disturbing nothing."""

from uuid import uuid4

import pytest

from tests.document import DOCUMENT
from tests.journeys.signatures import verify_paymint
from tests.receiver import Receiver
from tests.shop import Merchant, error, told
from tests.shop_holds import Wallet

PATH = "/v1/test_helpers/events"
ARRIVAL_SECONDS = 20.0
TYPES = DOCUMENT["components"]["schemas"]["EventType"]["enum"]
STATUSES = {
    "payment.authorized": "authorized",
    "payment.captured": "captured",
    "payment.failed": "failed",
    "payment.cancelled": "cancelled",
    "payment.capture_failed": "authorized",
    "payment.cancel_failed": "authorized",
    "payment.queued": "pending",
    "hold.created": "active",
    "hold.failed": "failed",
    "hold.topped_up": "active",
    "hold.top_up_failed": "active",
    "hold.used_up": "used_up",
    "hold.released": "released",
    "hold.expired": "expired",
    "refund.created": "pending",
    "refund.succeeded": "succeeded",
    "refund.failed": "failed",
    "dispute.created": "needs_response",
    "dispute.updated": "under_review",
    "dispute.closed": "won",
}


@pytest.mark.parametrize("event_type", TYPES)
def test_a_sample_of_every_type(merchant: Merchant, receiver: Receiver, event_type: str) -> None:
    secret = str(merchant.endpoint(receiver.url)["secret"])
    made = told(merchant.ask("POST", PATH, {"type": event_type}), 201)
    (delivery,) = receiver.wait_for(event_type, ARRIVAL_SECONDS)
    verify_paymint(delivery, secret)
    assert delivery.event == made == merchant.get(f"/v1/events/{made['id']}")
    assert merchant.events() == [made]
    shown = made["data"]["object"]
    kind = event_type.partition(".")[0]
    assert (shown["object"], shown["status"]) == (kind, STATUSES[event_type])
    assert (shown["merchant_id"], shown["livemode"], made["sequence"]) == (merchant.id, False, 1)
    if kind == "payment":
        answer = merchant.ask("GET", f"/v1/payments/{shown['id']}")
        assert error(answer) == (404, "resource_missing", "payment_id")
        held = shown["amount"] if shown["status"] == "authorized" else 0
        assert shown["amount_capturable"] == held
        assert (shown["captured_at"] is None) == (event_type != "payment.captured")
    if kind == "hold":
        left = 0 if shown["closed_at"] else shown["amount"] - shown["amount_drawn"]
        assert shown["amount_remaining"] == left
        assert (shown["closed_at"] is None) == (shown["status"] == "active")
        assert (shown["amount_drawn"] == shown["amount"]) == (event_type == "hold.used_up")
    assert merchant.get("/v1/payments")["total_count"] == 0


def test_of_a_real_payment_as_it_stands(merchant: Merchant, receiver: Receiver) -> None:
    merchant.endpoint(receiver.url)
    payment = merchant.pay(capture=False)["id"]
    made = told(merchant.ask("POST", PATH, {"type": "payment.failed", "object_id": payment}), 201)
    assert made["data"]["object"] == merchant.payment(payment)
    told(merchant.act(payment, "capture"), 200)
    receiver.wait_for("payment.captured", ARRIVAL_SECONDS)
    told_of = [(event["type"], event["sequence"]) for event in merchant.events()[::-1]]
    assert told_of == [("payment.authorized", 1), ("payment.failed", 1), ("payment.captured", 2)]
    assert sorted(receiver.types()) == sorted(each for each, _ in told_of)


def test_of_a_real_refund(merchant: Merchant, receiver: Receiver) -> None:
    payment = merchant.pay()["id"]
    merchant.endpoint(receiver.url)
    refund = merchant.refund(payment, amount=100)["id"]
    receiver.wait_for("refund.succeeded", 10.0)
    made = told(merchant.ask("POST", PATH, {"type": "refund.failed", "object_id": refund}), 201)
    assert made["data"]["object"] == merchant.get(f"/v1/payments/{payment}/refunds/{refund}")
    assert made["sequence"] == 2


def test_of_a_real_hold(merchant: Merchant) -> None:
    hold = Wallet(merchant).hold()
    made = told(merchant.ask("POST", PATH, {"type": "hold.failed", "object_id": hold["id"]}), 201)
    assert (made["data"]["object"], made["sequence"]) == (hold, 1)


def test_once_per_key(merchant: Merchant) -> None:
    key = str(uuid4())
    body = {"type": "dispute.created"}
    made = told(merchant.ask("POST", PATH, body, key=key), 201)
    again = merchant.ask("POST", PATH, body, key=key)
    assert told(again, 201) == made and again.headers["idempotent-replayed"] == "true"
    assert len(merchant.events()) == 1
    other = merchant.ask("POST", PATH, {"type": "dispute.closed"}, key=key)
    assert error(other)[:2] == (409, "idempotency_key_reused")


def test_objects_that_are_not_there(merchant: Merchant, rival: Merchant) -> None:
    payment = rival.pay()["id"]
    own = merchant.pay()["id"]
    before = merchant.events()
    for event_type, object_id in (
        ("payment.captured", payment),
        ("payment.captured", "pay_" + "0" * 32),
        ("payment.captured", "nonsense"),
        ("hold.created", "hld_" + "0" * 32),
        ("refund.created", own),
        ("refund.created", "ref_" + "0" * 32),
        ("dispute.created", "dsp_" + "0" * 32),
    ):
        answer = merchant.ask("POST", PATH, {"type": event_type, "object_id": object_id})
        assert error(answer) == (404, "resource_missing", "object_id")
    wrong = merchant.ask("POST", PATH, {"type": "payment.invented"})
    assert error(wrong) == (400, "parameter_invalid_enum", "type")
    assert merchant.events() == before


def test_an_endpoint_gets_only_the_types_it_wants(merchant: Merchant, receiver: Receiver) -> None:
    merchant.endpoint(receiver.url, enabled_events=["dispute.closed"])
    for event_type in ("dispute.created", "dispute.closed"):
        told(merchant.ask("POST", PATH, {"type": event_type}), 201)
    receiver.wait_for("dispute.closed", ARRIVAL_SECONDS)
    assert receiver.types() == ["dispute.closed"]
