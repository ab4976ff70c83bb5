"""A worker that is killed while it settles refunds: each is paid back once, none is lost."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.faults.conftest import Kill
from tests.faults.evidence import Evidence, Rows
from tests.receiver import Receiver
from tests.serving import eventually
from tests.shop import Merchant, Shop

REFUNDS = 60
HANDS = 8
AMOUNT = 100
CAPTURED = REFUNDS * AMOUNT
UNDER_WAY_SECONDS = 20.0
SETTLED_SECONDS = 45.0

_REFUNDS = "SELECT id, status, amount FROM refunds WHERE merchant_id = %s"
_LEASED = "SELECT 1 FROM refunds WHERE merchant_id = %s AND leased_until > now()"
# What the dead worker had leased would come back after 15 s; the test has no such patience.
_RUN_OUT = b"UPDATE refunds SET leased_until = NULL WHERE status = 'pending'"
_DELIVERIES_RUN_OUT = b"""UPDATE webhook_deliveries
    SET next_attempt_at = now(), leased_until = NULL WHERE state = 'pending'"""


def test_refunds_survive_the_end_of_the_worker(
    fault_shop: Shop,
    merchant: Merchant,
    saved_card: str,
    kill: Kill,
    evidence: Evidence,
    receiver: Receiver,
) -> None:
    merchant.endpoint(receiver.url)
    payment = merchant.pay(saved_card, amount=CAPTURED)["id"]
    with ThreadPoolExecutor(HANDS) as hands:
        asked = [hands.submit(merchant.refund, payment, amount=AMOUNT) for _ in range(REFUNDS)]
        assert eventually(lambda: evidence.rows(_LEASED), UNDER_WAY_SECONDS)
        kill("paymint-worker")
        refunds = {each.result()["id"] for each in asked}
    with fault_shop.database() as connection:
        connection.execute(_RUN_OUT)
        connection.execute(_DELIVERIES_RUN_OUT)
    eventually(lambda: all_succeeded(evidence.rows(_REFUNDS)), SETTLED_SECONDS)
    rows = evidence.rows(_REFUNDS)
    assert all_succeeded(rows)
    assert {"ref_" + row["id"].hex for row in rows} == refunds
    paid_back = [line for line in fault_shop.journal(payment) if line["kind"] == "refund"]
    assert Counter(line["decision"] for line in paid_back) == {"approved": REFUNDS}
    assert {line["amount"] for line in paid_back} == {AMOUNT}
    stored = merchant.payment(payment)
    assert (stored["status"], stored["amount_refunded"]) == ("refunded", CAPTURED)
    receiver.wait_for("refund.succeeded", SETTLED_SECONDS, REFUNDS)
    evidence.counters_are_exact()


def all_succeeded(rows: Rows) -> bool:
    return {row["status"] for row in rows} == {"succeeded"}
