"""A card network that answers late or not at all: payments wait, and end once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.faults.conftest import SILENT
from tests.faults.evidence import Evidence
from tests.serving import eventually
from tests.shop import Merchant, Shop, told

APPROVES_THEN_SILENT = "4000009900000020"
ANSWERS_LATE = "4000009900000053"

APPEARS_SECONDS = 2.5
ENDS_SECONDS = 12.0
REVERSED_SECONDS = 45.0
# The sandbox's deadline of an authorisation is 30 s; a round of recovery follows it.
GIVEN_UP_SECONDS = 75.0


@pytest.fixture
def counter() -> Iterator[ThreadPoolExecutor]:
    """A second pair of hands."""
    with ThreadPoolExecutor() as threads:
        yield threads


def ended(merchant: Merchant, payment: str, seconds: float) -> dict[str, Any]:
    """The payment, once it is no longer pending."""
    eventually(lambda: merchant.payment(payment)["status"] != "pending", seconds)
    return merchant.payment(payment)


def history(merchant: Merchant, payment: str) -> list[str]:
    """The types of a payment's events, in the order of their sequence."""
    events = [
        event for event in merchant.events(limit=100) if event["data"]["object"]["id"] == payment
    ]
    return [event["type"] for event in sorted(events, key=lambda event: event["sequence"])]


def test_an_approval_whose_answer_was_lost_is_found_and_not_repeated(
    fault_shop: Shop, merchant: Merchant, evidence: Evidence
) -> None:
    answer = merchant.pay_answer(merchant.tokenise(APPROVES_THEN_SILENT))
    assert answer.status_code in (201, 202), answer.text
    payment = ended(merchant, answer.json()["id"], ENDS_SECONDS)
    assert payment["status"] == "captured"
    assert payment["amount_captured"] == payment["amount"]
    assert fault_shop.decisions(payment["id"]) == [("sale", "approved")]
    assert history(merchant, payment["id"])[-1] == "payment.captured"
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()


@pytest.mark.parametrize(
    ("number", "capture"), [(APPROVES_THEN_SILENT, True), (ANSWERS_LATE, False)]
)
def test_a_late_approval_of_a_cancelled_payment_is_reversed(
    number: str,
    capture: bool,
    fault_shop: Shop,
    merchant: Merchant,
    evidence: Evidence,
    counter: ThreadPoolExecutor,
) -> None:
    answered = cancelled_while_pending(merchant, counter, number, capture)
    payment = answered.json()["id"]
    kind = "sale" if capture else "authorise"
    wanted = [(kind, "approved"), ("reverse", "approved")]
    eventually(lambda: fault_shop.decisions(payment) == wanted, REVERSED_SECONDS)
    assert fault_shop.decisions(payment) == wanted
    evidence.nothing_stays_unfinished()
    assert merchant.payment(payment)["status"] == "cancelled"
    assert history(merchant, payment) == ["payment.cancelled"]
    evidence.network_agrees()
    evidence.counters_are_exact()


def test_a_cancelled_payment_of_a_silent_network_stays_cancelled(
    fault_shop: Shop, merchant: Merchant, evidence: Evidence, counter: ThreadPoolExecutor
) -> None:
    payment = cancelled_while_pending(merchant, counter, SILENT, True).json()["id"]
    evidence.nothing_stays_unfinished()
    assert merchant.payment(payment)["status"] == "cancelled"
    assert ("sale", "approved") not in fault_shop.decisions(payment)
    evidence.network_agrees()


def test_a_payment_that_no_network_answers_fails_in_the_end(
    fault_shop: Shop, patient: Merchant, left_alone: dict[str, Any]
) -> None:
    assert left_alone["status"] == "pending"
    assert left_alone["pending_reason"] == "network_unavailable"
    payment = ended(patient, left_alone["id"], GIVEN_UP_SECONDS)
    assert (payment["status"], payment["failure_code"]) == ("failed", "network_unavailable")
    assert payment["pending_reason"] is None
    assert history(patient, payment["id"]) == ["payment.queued", "payment.failed"]
    assert {kind for _, kind in fault_shop.decisions(payment["id"])} == {"silence"}
    facts = Evidence(fault_shop, patient)
    facts.nothing_stays_unfinished()
    facts.counters_are_exact()


def cancelled_while_pending(
    merchant: Merchant, counter: ThreadPoolExecutor, number: str, capture: bool
) -> httpx.Response:
    """Pays, and cancels while the network is still silent; the answer to the payment."""
    token = merchant.tokenise(number)
    asked = counter.submit(merchant.pay_answer, token, capture=capture)
    assert eventually(lambda: merchant.get("/v1/payments")["data"], APPEARS_SECONDS)
    [payment] = merchant.get("/v1/payments", status="pending")["data"]
    assert told(merchant.act(payment["id"], "cancel"), 200)["status"] == "cancelled"
    began = time.monotonic()
    answered = asked.result()
    assert time.monotonic() - began < ENDS_SECONDS
    assert answered.json()["status"] == "cancelled", answered.text
    return answered
