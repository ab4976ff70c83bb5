"""The spine: tokenise, pay, capture, refund, and hear about it by signed webhooks."""

import statistics
from datetime import datetime

import pytest

from tests.journeys.signatures import verify_paymint, verify_standard
from tests.receiver import Delivery, Receiver
from tests.serving import eventually
from tests.shop import Merchant, Shop, told

REFUND_SECONDS = 30.0
FIRST_ATTEMPT_SECONDS = 1.0


def test_the_whole_way(shop: Shop, merchant: Merchant, receiver: Receiver) -> None:
    endpoint = merchant.endpoint(receiver.url)
    payment = merchant.pay(amount=15000, capture=False)["id"]
    captured = told(merchant.act(payment, "capture", {"amount": 12000}), 200)
    assert (captured["status"], captured["amount_captured"]) == ("captured", 12000)
    refund = merchant.refund(payment, amount=5000, reason="customer_request")
    assert (refund["status"], refund["payment_id"]) == ("pending", payment)
    receiver.wait_for("refund.succeeded", REFUND_SECONDS)
    assert merchant.get(f"/v1/payments/{payment}/refunds/{refund['id']}")["status"] == "succeeded"
    kinds = ["authorise", "capture", "refund"]
    assert shop.decisions(payment) == [(kind, "approved") for kind in kinds]
    check_deliveries(receiver, str(endpoint["secret"]))
    # In order per object; the payment's and the refund's may overtake each other.
    assert [t for t in receiver.types() if "pay" in t] == ["payment.authorized", "payment.captured"]
    assert [t for t in receiver.types() if "ref" in t] == ["refund.created", "refund.succeeded"]


def check_deliveries(receiver: Receiver, secret: str) -> None:
    """Every delivery is signed in both ways, in time, in order, and names its event."""
    sequences: dict[str, list[int]] = {}
    for delivery in receiver.deliveries:
        verify_paymint(delivery, secret)
        verify_standard(delivery, secret)
        event = delivery.event
        assert delivery.headers["webhook-id"] == event["id"]
        assert delivery.headers["content-type"] == "application/json"
        sequences.setdefault(event["data"]["object"]["id"], []).append(event["sequence"])
    for numbers in sequences.values():
        assert numbers == list(range(1, len(numbers) + 1))
    # A busy machine may hold up one of them.
    late = [seconds_late(delivery) for delivery in receiver.deliveries]
    assert statistics.median(late) <= FIRST_ATTEMPT_SECONDS, late


def seconds_late(delivery: Delivery) -> float:
    occurred = datetime.fromisoformat(delivery.event["created_at"])
    return delivery.at - occurred.timestamp()


def test_a_signature_does_not_fit_a_changed_body(merchant: Merchant, receiver: Receiver) -> None:
    secret = str(merchant.endpoint(receiver.url)["secret"])
    merchant.pay()
    delivery = receiver.wait_for("payment.captured", REFUND_SECONDS)[0]
    forged = Delivery(delivery.at, delivery.headers, delivery.body.replace(b"10000", b"10001"))
    for verify in (verify_paymint, verify_standard):
        with pytest.raises(AssertionError):
            verify(forged, secret)
        with pytest.raises(AssertionError):
            verify(delivery, merchant.webhook_secret)


def test_the_merchants_own_webhook_url_is_signed_with_the_accounts_secret(
    merchant: Merchant, receiver: Receiver
) -> None:
    path = f"/v1/merchants/{merchant.id}"
    changed = told(merchant.ask("PATCH", path, {"webhook_url": receiver.url}), 200)
    assert changed["webhook_url"] == receiver.url
    merchant.pay()
    verify_paymint(
        receiver.wait_for("payment.captured", REFUND_SECONDS)[0], merchant.webhook_secret
    )
    cleared = told(merchant.ask("PATCH", path, {"webhook_url": None}), 200)
    assert cleared["webhook_url"] is None
    merchant.pay()
    assert not eventually(lambda: len(receiver.deliveries) > 1, FIRST_ATTEMPT_SECONDS)


def test_the_whole_of_a_payment_in_two_refunds(merchant: Merchant, receiver: Receiver) -> None:
    merchant.endpoint(receiver.url, enabled_events=["refund.succeeded"])
    payment = merchant.pay(amount=9000)["id"]
    merchant.refund(payment, amount=4000)
    rest = merchant.refund(payment)
    assert rest["amount"] == 5000
    receiver.wait_for("refund.succeeded", REFUND_SECONDS, count=2)
    assert set(receiver.types()) == {"refund.succeeded"}
    shown = merchant.payment(payment)
    assert (shown["status"], shown["amount_refunded"]) == ("refunded", 9000)
    assert merchant.get(f"/v1/payments/{payment}/refunds")["total_count"] == 2


def test_a_refund_that_fails_gives_its_reservation_back(
    merchant: Merchant, receiver: Receiver
) -> None:
    merchant.endpoint(receiver.url)
    payment = merchant.pay(merchant.tokenise("4000000000005126"))["id"]
    refund = merchant.refund(payment, amount=10000)["id"]
    assert merchant.payment(payment)["amount_refunded"] == 10000
    receiver.wait_for("refund.failed", REFUND_SECONDS)
    failed = merchant.get(f"/v1/payments/{payment}/refunds/{refund}")
    assert (failed["status"], failed["failure_code"]) == ("failed", "refund_declined")
    shown = merchant.payment(payment)
    assert (shown["status"], shown["amount_refunded"]) == ("captured", 0)


def test_a_slow_refund_stays_pending_before_it_succeeds(
    merchant: Merchant, receiver: Receiver
) -> None:
    merchant.endpoint(receiver.url)
    payment = merchant.pay(merchant.tokenise("4000000000007726"))["id"]
    refund = merchant.refund(payment, amount=1)["id"]
    created = receiver.wait_for("refund.created", REFUND_SECONDS)[0]
    settled = receiver.wait_for("refund.succeeded", REFUND_SECONDS)[0]
    assert settled.at - created.at > 1.0
    assert merchant.get(f"/v1/payments/{payment}/refunds/{refund}")["status"] == "succeeded"
