"""kill -9 of everything at once: what was queued is done within half a minute of the restart."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx

from tests.books import settle
from tests.faults.conftest import Kill
from tests.faults.evidence import Evidence
from tests.receiver import Receiver
from tests.serving import eventually
from tests.shop import Merchant, Shop, told

ALL = ("valkey", "paymint-worker", "paymint-api", "paymint-vault", "postgres")
# The network decides, and its answer is lost.
APPROVES_THEN_SILENT = "4000009900000020"
REFUNDS, AMOUNT = 30, 100
SALES, SILENT_SALES, DISPUTES = 40, 4, 4
HANDS = 12
UNDER_WAY_SECONDS = 20.0
# After several kills in a row the launcher waits for up to 10 s before each start.
UP_SECONDS = 90.0
DONE_SECONDS = 30.0

_LEASED = "SELECT 1 FROM refunds WHERE merchant_id = %s AND leased_until > now()"
_HELD = """SELECT 1 FROM webhook_deliveries
    WHERE merchant_id = %s AND leased_until > now() AND state = 'pending'"""
_UNDONE = """SELECT work, count(*)::int AS count FROM (
    SELECT merchant_id, 'payments' AS work FROM payments
        WHERE status = 'pending' OR operation IS NOT NULL
    UNION ALL SELECT merchant_id, 'refunds' FROM refunds WHERE status = 'pending'
    UNION ALL SELECT merchant_id, 'disputes' FROM disputes WHERE status = 'under_review'
    UNION ALL SELECT merchant_id, 'deliveries' FROM webhook_deliveries
        WHERE state = 'pending' AND (attempts = 0 OR next_attempt_at <= now())
    ) AS undone WHERE merchant_id = %s GROUP BY work"""
_REFUNDS = "SELECT id, status FROM refunds WHERE merchant_id = %s"
_DISPUTES = "SELECT status FROM disputes WHERE merchant_id = %s"
_DELIVERED = """SELECT d.state, count(*)::int AS count FROM webhook_deliveries d
    WHERE d.merchant_id = %s GROUP BY d.state"""


def test_what_was_queued_is_done_soon_after_everything_was_killed(
    fault_shop: Shop,
    merchant: Merchant,
    saved_card: str,
    kill: Kill,
    evidence: Evidence,
    receiver: Receiver,
) -> None:
    payment = merchant.pay(saved_card, amount=REFUNDS * AMOUNT)["id"]
    disputes = [_dispute(merchant, saved_card) for _ in range(DISPUTES)]
    silent = [merchant.tokenise(APPROVES_THEN_SILENT) for _ in range(SILENT_SALES)]
    merchant.endpoint(receiver.url)
    receiver.answering.clear()
    with ThreadPoolExecutor(HANDS) as hands:
        asked: list[Future[Any]] = [
            *(hands.submit(_tried, merchant.pay_answer, token) for token in silent),
            *(hands.submit(_tried, _prove, merchant, dispute) for dispute in disputes),
        ]
        for _ in range(REFUNDS):
            asked.append(hands.submit(_tried, merchant.refund, payment, amount=AMOUNT))
        asked += [hands.submit(_tried, merchant.pay_answer, saved_card) for _ in range(SALES)]
        assert eventually(lambda: _under_way(evidence), UNDER_WAY_SECONDS)
        _kill_all(fault_shop, kill)
    receiver.answering.set()
    assert any(each.result() is None for each in asked), "nobody noticed: the kill proved nothing"
    began = time.monotonic()
    eventually(lambda: not evidence.rows(_UNDONE), DONE_SECONDS)
    undone = {row["work"]: row["count"] for row in evidence.rows(_UNDONE)}
    assert undone == {}, f"not done {time.monotonic() - began:.1f} s after the restart"
    print(f"all done {time.monotonic() - began:.1f} s after the restart")
    _check(fault_shop, payment, evidence)
    settle(fault_shop)


def _under_way(evidence: Evidence) -> bool:
    return bool(evidence.rows(_LEASED)) and bool(evidence.rows(_HELD))


def _dispute(merchant: Merchant, method: str) -> str:
    disputed = merchant.pay(method, amount=AMOUNT)["id"]
    answer = merchant.ask("POST", "/v1/test_helpers/disputes", {"payment_id": disputed})
    return str(told(answer, 201)["id"])


def _prove(merchant: Merchant, dispute: str) -> None:
    body = {"text": "winning_evidence"}
    told(merchant.ask("POST", f"/v1/disputes/{dispute}/evidence", body), 200)


def _tried(ask: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What was answered; None where the server was killed meanwhile."""
    try:
        return ask(*arguments, **options) or True
    except httpx.TransportError:
        return None


def _kill_all(shop: Shop, kill: Kill) -> None:
    """One after the other, within milliseconds; then wait until all are there again."""
    killed = {name: shop.serving.process_id(name) for name in ALL}
    for name in ALL:
        kill(name)

    def up() -> bool:
        pids = shop.serving.state("ports")["pids"]
        return all(pids[name] != killed[name] for name in ALL) and shop.takes_payments()

    assert eventually(up, UP_SECONDS), "not up again"


def _check(shop: Shop, payment: str, evidence: Evidence) -> None:
    """Nothing was lost, nothing was done twice."""
    refunds = evidence.rows(_REFUNDS)
    assert refunds and {row["status"] for row in refunds} == {"succeeded"}
    paid_back = [line for line in shop.journal(payment) if line["kind"] == "refund"]
    decisions = Counter(line["decision"] for line in paid_back)
    assert decisions == {"approved": len(refunds)}
    assert {row["status"] for row in evidence.rows(_DISPUTES)} <= {"won", "needs_response"}
    assert {row["state"] for row in evidence.rows(_DELIVERED)} == {"succeeded"}
    evidence.network_agrees()
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()
