"""scripts/serve --workers 3: all of them work, one may be killed, and nothing is done twice."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from tests.books import settle
from tests.receiver import Receiver
from tests.serving import STRICT, eventually, serving
from tests.shop import Merchant, Shop, told

WORKERS = ("paymint-worker", "paymint-worker-2", "paymint-worker-3")
PAYMENTS, REFUNDS, AMOUNT = 10, 12, 100
HANDS = 8
UNDER_WAY_SECONDS = 10.0
# A killed worker's leases run out after 15 s.
DONE_SECONDS = 60.0
RESTARTED_SECONDS = 30.0
# Backlogs are measured every 5 s.
SHOWN_SECONDS = 30.0
DISPUTE_CARD = "4000000000002685"

_LEASED = "SELECT count(*) FROM refunds WHERE leased_until > now() AND status = 'pending'"
_REFUNDED = "SELECT count(*) FROM refunds WHERE status = 'succeeded'"
_DISPUTED = "SELECT count(*), count(DISTINCT payment_id) FROM disputes"
_DELIVERED = "SELECT count(*) FROM webhook_deliveries WHERE state <> 'succeeded'"
_EVENTS = "SELECT object_id, type, count(*) FROM events GROUP BY 1, 2 HAVING count(*) > 1"


@pytest.fixture(scope="module")
def three() -> Iterator[Shop]:
    """A stack with three workers; its network takes its time, so that a kill finds work."""
    options = ("--port", "0", "--allow-loopback-webhooks", "--workers", "3")
    with serving(STRICT, *options, "--network-latency", "100-300") as running:
        opened = Shop(running)
        try:
            yield opened
        finally:
            opened.close()


def one(shop: Shop, statement: str) -> tuple[Any, ...]:
    with shop.database() as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row


def saved(merchant: Merchant, number: str) -> str:
    return str(told(merchant.save_card(merchant.customer()["id"], number), 201)["id"])


def test_one_of_three_is_killed_and_all_is_done_once(three: Shop, receiver: Receiver) -> None:
    merchant = three.open_account()
    merchant.endpoint(receiver.url)
    card, contested = saved(merchant, "4242424242424242"), saved(merchant, DISPUTE_CARD)
    paid = [merchant.pay(card, amount=REFUNDS * AMOUNT)["id"] for _ in range(PAYMENTS)]
    for _ in range(PAYMENTS):
        merchant.pay(contested, amount=AMOUNT)
    with ThreadPoolExecutor(HANDS) as hands:
        asked = [
            hands.submit(merchant.refund, payment, amount=AMOUNT)
            for payment in paid
            for _ in range(REFUNDS)
        ]
        assert eventually(lambda: one(three, _LEASED)[0] >= len(WORKERS), UNDER_WAY_SECONDS)
        killed = three.serving.process_id("paymint-worker-2")
        os.kill(killed, signal.SIGKILL)
        refunds = {each.result()["id"] for each in asked}
    assert len(refunds) == PAYMENTS * REFUNDS
    eventually(lambda: _all_done(three), DONE_SECONDS)
    assert one(three, _REFUNDED) == (len(refunds),)
    assert one(three, _DISPUTED) == (PAYMENTS, PAYMENTS)
    assert one(three, _DELIVERED) == (0,)
    journal = Counter(
        (line["payment"], line["decision"]) for line in three.journal() if line["kind"] == "refund"
    )
    assert set(journal.values()) == {REFUNDS} and len(journal) == PAYMENTS
    with three.database() as connection:
        twice = connection.execute(_EVENTS.encode()).fetchall()
    assert twice == [], "one event for each change, whoever made it"
    settle(three)
    assert eventually(
        lambda: three.serving.process_id("paymint-worker-2") != killed, RESTARTED_SECONDS
    )


def _all_done(shop: Shop) -> bool:
    done = one(shop, _REFUNDED) == (PAYMENTS * REFUNDS,)
    return done and one(shop, _DISPUTED)[0] == PAYMENTS and one(shop, _DELIVERED) == (0,)


def test_every_worker_works_and_shows_what_waits(three: Shop) -> None:
    ports = three.serving.state("ports")
    numbers = [ports["worker_metrics"], *ports["more_worker_metrics"]]
    assert len(set(numbers)) == len(WORKERS)
    for port, name in zip(numbers, WORKERS, strict=True):
        assert eventually(partial(_shows_no_backlog, port), SHOWN_SECONDS), name
        log = (three.serving.directory / "log" / f"{name}.log").read_text()
        assert '"event":"webhook_attempt"' in log, f"{name} has done nothing"
        assert '"worker_turn_failed"' not in log, log


def _shows_no_backlog(port: int) -> bool:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    works = ("deliveries", "payments", "refunds", "disputes", "expiries", "erasures")
    shown = all(f'paymint_backlog{{work="{work}"}} 0.0' in text for work in works)
    return shown and "paymint_worker_failed_turns_total" in text


def test_what_one_does_for_all_is_done_by_one(three: Shop) -> None:
    def sealed() -> int:
        logs = [three.serving.directory / "log" / f"{name}.log" for name in WORKERS]
        return sum(log.read_text().count('"audit_sealed"') for log in logs)

    with three.database() as connection:
        rows = connection.execute(b"SELECT name, holder FROM worker_leases").fetchall()
    assert {name for name, _ in rows} >= {"audit roots", "audit archive", "idempotency_keys"}
    assert {holder for _, holder in rows} <= {1, 2, 3}
    # One may be under way, and is logged when it is done.
    assert eventually(
        lambda: sealed() == one(three, "SELECT count(*) FROM audit_roots")[0], SHOWN_SECONDS
    )
