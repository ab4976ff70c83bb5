"""Worker, vault and API are killed while networks charge back: each dispute is opened once."""

import time
from collections import Counter

import pytest

from tests.faults.conftest import RESTART_SECONDS, Kill
from tests.faults.evidence import Evidence, Rows
from tests.receiver import Receiver
from tests.serving import eventually
from tests.shop import Merchant, Shop, told

DISPUTE_CARD = "4000000000002685"
PAYMENTS = 12
AMOUNT = 1000
# Claimed 2 s after the sale; killed at several moments on the way to the dispute.
KILL_AFTER_SECONDS = (1.0, 1.0)
RECORDED_SECONDS = 45.0

_DISPUTES = "SELECT id, payment_id, amount, status FROM disputes WHERE merchant_id = %s"
_EVENTS = """SELECT object_id, type, sequence FROM events
    WHERE merchant_id = %s AND type LIKE 'dispute.%%'"""
_COUNTERS = """SELECT status, sum(count)::int AS count FROM counters
    WHERE merchant_id = %s AND resource = 'disputes' GROUP BY status"""
_PAYMENTS = "SELECT amount_disputed FROM payments WHERE merchant_id = %s"
# Dead workers' leases would run out after 15 s; the test has no such patience.
_RUN_OUT = b"UPDATE disputes SET leased_until = NULL"
# What was leased within the last 3 s is in the hands of one who lives.
_DELIVERIES_RUN_OUT = b"""UPDATE webhook_deliveries
    SET next_attempt_at = now(), leased_until = NULL
    WHERE state = 'pending' AND coalesce(leased_until < now() + interval '12 seconds', true)"""


@pytest.mark.parametrize("process", ["paymint-worker", "paymint-vault"])
def test_no_chargeback_is_lost_or_doubled(
    fault_shop: Shop, merchant: Merchant, kill: Kill, evidence: Evidence, process: str
) -> None:
    customer = merchant.customer()["id"]
    method = told(merchant.save_card(customer, DISPUTE_CARD), 201)["id"]
    payments = {merchant.pay(method, amount=AMOUNT)["id"] for _ in range(PAYMENTS)}
    for seconds in KILL_AFTER_SECONDS:
        time.sleep(seconds)
        end(fault_shop, kill, process)
    assert eventually(lambda: len(evidence.rows(_DISPUTES)) == PAYMENTS, RECORDED_SECONDS)
    check_opened(evidence, payments)
    claims = [line for line in fault_shop.journal() if line["payment"] in hexes(payments)]
    kinds = Counter(line["kind"] for line in claims)
    assert kinds["chargeback"] == PAYMENTS


def end(shop: Shop, kill: Kill, process: str) -> None:
    """kill -9, and wait for the one that follows: after several the launcher takes its time."""
    killed = shop.serving.process_id(process)
    kill(process)
    assert eventually(lambda: shop.serving.process_id(process) != killed, RESTART_SECONDS)


def hexes(payments: set[str]) -> set[str]:
    return {payment.removeprefix("pay_") for payment in payments}


def check_opened(evidence: Evidence, payments: set[str]) -> None:
    disputes = evidence.rows(_DISPUTES)
    assert {row["payment_id"].hex for row in disputes} == hexes(payments)
    assert [row["amount"] for row in disputes] == [AMOUNT] * PAYMENTS
    assert [row["amount_disputed"] for row in evidence.rows(_PAYMENTS)] == [AMOUNT] * PAYMENTS
    created = [row for row in evidence.rows(_EVENTS) if row["type"] == "dispute.created"]
    assert {row["object_id"] for row in created} == {row["id"] for row in disputes}
    assert len(created) == PAYMENTS
    assert kept(evidence) == {"needs_response": PAYMENTS}


def kept(evidence: Evidence) -> dict[str, int]:
    return {row["status"]: row["count"] for row in evidence.rows(_COUNTERS) if row["count"]}


@pytest.mark.parametrize("process", ["paymint-worker", "paymint-vault"])
def test_no_evidence_and_no_outcome_is_lost(
    fault_shop: Shop,
    merchant: Merchant,
    kill: Kill,
    evidence: Evidence,
    receiver: Receiver,
    process: str,
) -> None:
    merchant.endpoint(receiver.url)
    customer = merchant.customer()["id"]
    method = told(merchant.save_card(customer), 201)["id"]
    for number, dispute in enumerate(opened(merchant, method)):
        text = "winning_evidence" if number % 2 else "losing_evidence"
        told(merchant.ask("POST", f"/v1/disputes/{dispute}/evidence", {"text": text}), 200)
        if number % 6 == 3:
            end(fault_shop, kill, process)
    with fault_shop.database() as connection:
        connection.execute(_RUN_OUT)

    def closed() -> bool:
        with fault_shop.database() as connection:
            connection.execute(_DELIVERIES_RUN_OUT)
        return statuses(evidence.rows(_DISPUTES)) == {"won": PAYMENTS // 2, "lost": PAYMENTS // 2}

    assert eventually(closed, RECORDED_SECONDS), statuses(evidence.rows(_DISPUTES))
    assert kept(evidence) == {"won": PAYMENTS // 2, "lost": PAYMENTS // 2}
    disputed = Counter(row["amount_disputed"] for row in evidence.rows(_PAYMENTS))
    assert disputed == {0: PAYMENTS // 2, AMOUNT: PAYMENTS // 2}
    told_of = Counter((row["object_id"], row["sequence"]) for row in evidence.rows(_EVENTS))
    assert set(told_of.values()) == {1} and len(told_of) == 3 * PAYMENTS
    receiver.wait_for("dispute.closed", RECORDED_SECONDS, PAYMENTS)


def opened(merchant: Merchant, method: str) -> list[str]:
    """A dispute of each of so many payments."""
    payments = [merchant.pay(method, amount=AMOUNT)["id"] for _ in range(PAYMENTS)]
    path = "/v1/test_helpers/disputes"
    answers = [merchant.ask("POST", path, {"payment_id": payment}) for payment in payments]
    return [told(answer, 201)["id"] for answer in answers]


def statuses(disputes: Rows) -> dict[str, int]:
    return dict(Counter(row["status"] for row in disputes))
