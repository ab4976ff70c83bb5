"""A payment that its payer contests: told by webhooks, answered, won or lost."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from domain.ids import from_text
from tests.house.tree import ROOT
from tests.journeys.test_quickstart import paste
from tests.receiver import Receiver
from tests.serving import eventually
from tests.shop import Merchant, Shop, error, told

FRAUDULENT = "4000000000000259"
NOT_RECEIVED = "4000000000002685"
SECONDS = 30.0
AMOUNT = 10_000
PIXEL = "https://shop.example.com/receipts/9281"


def disputes_of(merchant: Merchant, payment: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = merchant.get("/v1/disputes", payment_id=payment)["data"]
    return found


def disputed(merchant: Merchant, payment: str) -> dict[str, Any]:
    """The dispute that the network opens."""
    eventually(lambda: disputes_of(merchant, payment), SECONDS)
    (dispute,) = disputes_of(merchant, payment)
    return dispute


def opened(merchant: Merchant, payment: str, **fields: Any) -> dict[str, Any]:
    """A dispute that the test helper opens."""
    body = {"payment_id": payment, **fields}
    return told(merchant.ask("POST", "/v1/test_helpers/disputes", body), 201)


def answer(merchant: Merchant, dispute: str, text: str = "winning_evidence", **fields: Any) -> Any:
    path = f"/v1/disputes/{dispute}/evidence"
    key = fields.pop("key", None)
    return merchant.ask("POST", path, {"text": text, **fields}, key=key)


def ended(merchant: Merchant, dispute: str) -> dict[str, Any]:
    path = f"/v1/disputes/{dispute}"
    eventually(lambda: merchant.get(path)["status"] in ("won", "lost"), SECONDS)
    return merchant.get(path)


class Case(NamedTuple):
    """A dispute card, the evidence, and how that ends."""

    number: str
    reason: str
    text: str
    outcome: str
    still_disputed: int


WON = Case(FRAUDULENT, "fraudulent", "It is theirs:\n\twinning_evidence", "won", 0)
LOST = Case(NOT_RECEIVED, "product_not_received", "losing_evidence", "lost", AMOUNT)


@pytest.mark.parametrize("case", [WON, LOST], ids=lambda case: case.outcome)
def test_from_card_to_closed_dispute(merchant: Merchant, receiver: Receiver, case: Case) -> None:
    merchant.endpoint(receiver.url)
    payment = merchant.pay(merchant.tokenise(case.number))["id"]
    dispute = disputed(merchant, payment)
    assert (dispute["amount"], dispute["currency"], dispute["reason"]) == (
        AMOUNT,
        "usd",
        case.reason,
    )
    assert (dispute["status"], dispute["evidence"]) == ("needs_response", None)
    opened_on = datetime.fromisoformat(dispute["created_at"]).astimezone(UTC).date()
    assert dispute["evidence_due_by"] == f"{opened_on + timedelta(days=14)}T23:59:59.000Z"
    held = merchant.payment(payment)
    assert (held["status"], held["amount_disputed"]) == ("captured", AMOUNT)

    extras = {
        "receipt_url": PIXEL,
        "shipping_tracking": "DHL 00340434161094042557",
        "customer_communication": "Thank you!\n\tA. Payer",
    }
    reviewed = told(answer(merchant, dispute["id"], case.text, **extras), 200)
    assert reviewed["status"] == "under_review"
    submitted_at = reviewed["evidence"].pop("submitted_at")
    assert reviewed["evidence"] == {"text": case.text, **extras}
    assert submitted_at >= dispute["created_at"]

    closed = ended(merchant, dispute["id"])
    assert closed["status"] == case.outcome and closed["closed_at"] >= submitted_at
    after = merchant.payment(payment)
    assert (after["status"], after["amount_disputed"]) == ("captured", case.still_disputed)

    receiver.wait_for("dispute.closed", SECONDS)
    told_of = sorted(
        (event["sequence"], event["type"], event["data"]["object"]["status"])
        for event in (delivery.event for delivery in receiver.deliveries)
        if event["data"]["object"]["id"] == dispute["id"]
    )
    assert told_of == [
        (1, "dispute.created", "needs_response"),
        (2, "dispute.updated", "under_review"),
        (3, "dispute.closed", case.outcome),
    ]


def test_only_what_is_captured_is_disputed(merchant: Merchant) -> None:
    held = merchant.pay(merchant.tokenise(FRAUDULENT), capture=False)["id"]
    told(merchant.act(held, "capture", {"amount": 7000}), 200)
    refunded = merchant.refund(held, amount=1000)
    never_captured = merchant.pay(merchant.tokenise(FRAUDULENT), capture=False)["id"]
    ordinary = merchant.pay()["id"]
    dispute = disputed(merchant, held)
    assert (dispute["amount"], dispute["reason"]) == (6000, "fraudulent")
    assert refunded["amount"] == 1000
    assert disputes_of(merchant, never_captured) == disputes_of(merchant, ordinary) == []


def test_a_payment_that_was_refunded_in_full_is_not_disputed(merchant: Merchant) -> None:
    payment = merchant.pay(merchant.tokenise(NOT_RECEIVED))["id"]
    merchant.refund(payment)
    after_it = merchant.pay(merchant.tokenise(NOT_RECEIVED))["id"]
    disputed(merchant, after_it)
    assert disputes_of(merchant, payment) == []
    eventually(lambda: merchant.payment(payment)["status"] == "refunded", SECONDS)
    assert merchant.payment(payment)["amount_disputed"] == 0


def test_evidence_is_given_once(merchant: Merchant) -> None:
    payment = merchant.pay()["id"]
    dispute = opened(merchant, payment)["id"]
    key = str(uuid4())
    first = answer(merchant, dispute, "A photograph of the parcel.", key=key)
    again = answer(merchant, dispute, "A photograph of the parcel.", key=key)
    assert told(again, 200) == told(first, 200)
    assert again.headers["idempotent-replayed"] == "true"
    refused = answer(merchant, dispute, "Another photograph.")
    assert error(refused) == (422, "dispute_unexpected_state", None)
    assert "under_review" in refused.json()["error"]["message"]


def test_a_disputes_money_cannot_be_refunded(merchant: Merchant) -> None:
    payment = merchant.pay()["id"]
    dispute = opened(merchant, payment, amount=7000, reason="unrecognized")
    assert (dispute["amount"], dispute["reason"]) == (7000, "unrecognized")
    refused = merchant.act(payment, "refunds", {"amount": 3001})
    assert error(refused) == (422, "payment_disputed", "amount")
    too_much = merchant.act(payment, "refunds", {"amount": 10_001})
    assert error(too_much) == (422, "refund_exceeds_capture", "amount")
    assert merchant.refund(payment)["amount"] == 3000
    assert error(merchant.act(payment, "refunds")) == (422, "payment_disputed", "amount")
    second = merchant.ask("POST", "/v1/test_helpers/disputes", {"payment_id": payment})
    assert error(second) == (422, "payment_disputed", "amount")

    told(answer(merchant, dispute["id"]), 200)
    assert ended(merchant, dispute["id"])["status"] == "won"
    assert merchant.payment(payment)["amount_disputed"] == 0
    assert merchant.refund(payment)["amount"] == 7000
    eventually(lambda: merchant.payment(payment)["status"] == "refunded", SECONDS)
    assert merchant.payment(payment)["amount_refunded"] == AMOUNT


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_evidence_that_does_not_decide_waits_for_the_bank(merchant: Merchant, outcome: str) -> None:
    payment = merchant.pay()["id"]
    dispute = opened(merchant, payment)["id"]
    path = f"/v1/test_helpers/disputes/{dispute}/close"
    early = merchant.ask("POST", path, {"outcome": outcome})
    assert error(early) == (422, "dispute_unexpected_state", None)
    told(answer(merchant, dispute, "A photograph of the parcel."), 200)
    key = str(uuid4())
    closed = told(merchant.ask("POST", path, {"outcome": outcome}, key=key), 200)
    assert closed["status"] == outcome
    assert told(merchant.ask("POST", path, {"outcome": outcome}, key=key), 200) == closed
    late = merchant.ask("POST", path, {"outcome": "won"})
    assert error(late) == (422, "dispute_unexpected_state", None)
    expected = 0 if outcome == "won" else AMOUNT
    assert merchant.payment(payment)["amount_disputed"] == expected
    events = [each["type"] for each in merchant.events() if each["type"].startswith("dispute")]
    assert events == ["dispute.closed", "dispute.updated", "dispute.created"]


def test_one_key_opens_one_dispute(merchant: Merchant) -> None:
    payment = merchant.pay()["id"]
    key = str(uuid4())
    body = {"payment_id": payment, "amount": 100}
    path = "/v1/test_helpers/disputes"
    first = told(merchant.ask("POST", path, body, key=key), 201)
    assert told(merchant.ask("POST", path, body, key=key), 201) == first
    other = told(merchant.ask("POST", path, body), 201)
    assert other["id"] != first["id"]
    assert merchant.payment(payment)["amount_disputed"] == 200
    reused = merchant.ask("POST", path, {**body, "amount": 101}, key=key)
    assert error(reused) == (409, "idempotency_key_reused", "Idempotency-Key")


def test_what_cannot_be_disputed(merchant: Merchant) -> None:
    path = "/v1/test_helpers/disputes"
    held = merchant.pay(capture=False)["id"]
    refused = merchant.ask("POST", path, {"payment_id": held})
    assert error(refused) == (422, "payment_unexpected_state", None)
    unknown = merchant.ask("POST", path, {"payment_id": "pay_" + "0" * 32})
    assert error(unknown) == (404, "resource_missing", "payment_id")
    sold = merchant.pay()["id"]
    too_much = merchant.ask("POST", path, {"payment_id": sold, "amount": 10_001})
    assert error(too_much) == (422, "payment_disputed", "amount")
    assert merchant.get("/v1/disputes")["total_count"] == 0


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "parameter_missing", "text"),
        ({"text": ""}, "parameter_too_short", "text"),
        ({"text": "x" * 20_001}, "parameter_too_long", "text"),
        ({"text": "a\u0000b"}, "parameter_invalid_format", "text"),
        ({"text": "a\u009bb"}, "parameter_invalid_format", "text"),
        ({"text": "x", "receipt_url": "http://shop.example.com"}, "url_not_https", "receipt_url"),
        (
            {"text": "x", "shipping_tracking": "a\nb"},
            "parameter_invalid_format",
            "shipping_tracking",
        ),
        ({"text": "x", "photograph": "y"}, "parameter_unknown", None),
    ],
)
def test_evidence_that_breaks_the_document(
    merchant: Merchant, body: dict[str, str], code: str, param: str | None
) -> None:
    dispute = opened(merchant, merchant.pay()["id"])["id"]
    refused = merchant.ask("POST", f"/v1/disputes/{dispute}/evidence", body)
    assert error(refused) == (400, code, param)
    assert merchant.get(f"/v1/disputes/{dispute}")["status"] == "needs_response"


def test_the_longest_evidence_reaches_the_network(merchant: Merchant) -> None:
    dispute = opened(merchant, merchant.pay()["id"])["id"]
    widest = "\U0001f4e6" * 9_984 + "winning_evidence"
    told(answer(merchant, dispute, widest, customer_communication="\u4e16" * 20_000), 200)
    closed = ended(merchant, dispute)
    assert closed["status"] == "won" and closed["evidence"]["text"] == widest


def test_the_list_of_disputes(merchant: Merchant) -> None:
    payment = merchant.pay()["id"]
    ids = [opened(merchant, payment, amount=100 + n)["id"] for n in range(3)]
    other = opened(merchant, merchant.pay()["id"])["id"]
    told(answer(merchant, other, "A photograph."), 200)
    page = merchant.get("/v1/disputes", limit=3)
    assert [each["id"] for each in page["data"]] == [other, *reversed(ids[1:])]
    assert (page["has_more"], page["total_count"]) == (True, 4)
    rest = merchant.get("/v1/disputes", starting_after=page["next_cursor"])
    assert [each["id"] for each in rest["data"]] == ids[:1]
    waiting = merchant.get("/v1/disputes", status="needs_response")
    assert (len(waiting["data"]), waiting["total_count"]) == (3, 3)
    answered = merchant.get("/v1/disputes", status="under_review")
    assert [each["id"] for each in answered["data"]] == [other]
    assert answered["total_count"] == 1
    of_payment = merchant.get("/v1/disputes", payment_id=payment)
    assert [each["id"] for each in of_payment["data"]] == ids[::-1]
    assert of_payment["total_count"] is None
    refused = merchant.ask("GET", "/v1/disputes", params={"payment_id": "pay_1"})
    assert error(refused) == (400, "parameter_invalid_format", "payment_id")


def test_another_merchants_dispute_is_not_there(merchant: Merchant, rival: Merchant) -> None:
    payment = merchant.pay()["id"]
    dispute = opened(merchant, payment)["id"]
    missing = (404, "resource_missing", "dispute_id")
    assert error(rival.ask("GET", f"/v1/disputes/{dispute}")) == missing
    assert error(answer(rival, dispute)) == missing
    path = f"/v1/test_helpers/disputes/{dispute}/close"
    assert error(rival.ask("POST", path, {"outcome": "lost"})) == missing
    theirs = rival.ask("POST", "/v1/test_helpers/disputes", {"payment_id": payment})
    assert error(theirs) == (404, "resource_missing", "payment_id")
    assert rival.get("/v1/disputes")["data"] == []
    assert rival.get("/v1/disputes", payment_id=payment)["data"] == []
    assert merchant.get(f"/v1/disputes/{dispute}")["status"] == "needs_response"


def test_a_forgotten_card_changes_nothing_for_its_disputes(shop: Shop, merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    method = told(merchant.save_card(customer), 201)["id"]
    payment = merchant.pay(method)["id"]
    dispute = opened(merchant, payment, amount=4000)["id"]
    told(merchant.ask("DELETE", f"/v1/customers/{customer}/payment_methods/{method}"), 200)
    number = "SELECT ciphertext FROM instruments WHERE id = %s"

    def forgotten() -> bool:
        with shop.database("paymint-vault") as connection:
            rows = connection.execute(number, [from_text("pm", method)]).fetchall()
        return rows == [(None,)]

    assert eventually(forgotten, SECONDS)
    assert opened(merchant, payment, amount=1000)["amount"] == 1000
    told(answer(merchant, dispute), 200)
    assert ended(merchant, dispute)["status"] == "won"
    assert merchant.refund(payment)["amount"] == 9000


def test_the_documented_lines_work_as_pasted(shop: Shop, merchant: Merchant) -> None:
    readme, page = ((ROOT / name).read_text() for name in ("README.md", "docs/disputes.md"))
    known = f"API={shop.base_url} VAULT={shop.vault_url} SECRET={merchant.secret_key}"
    shared = re.findall(r"^(?:JSON=|ask\(\)|id_of\(\)).*$", readme, re.M)
    (lines,) = re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S)
    # A machine that is busy takes longer than the page waits.
    patiently = "sleep() { command sleep $(($1 * 2)); }"
    preamble = [known, f"PUBLISHABLE={merchant.publishable_key}", *shared, patiently]
    answered, closed, won = paste("\n".join([*preamble, lines]))
    assert (answered["status"], answered["reason"]) == ("under_review", "product_not_received")
    assert (closed["id"], closed["status"]) == (answered["id"], "won")
    assert [each["id"] for each in won["data"]] == [answered["id"]]
