"""A deployment under load: every process is ended in good order and started anew."""

import os
import re
import signal
from collections import Counter

import httpx

from tests.another_process import START_SECONDS, alive, start_another, stop
from tests.cluster import free_port
from tests.faults.buyers import Buyers
from tests.faults.conftest import RESTART_SECONDS
from tests.faults.evidence import Evidence
from tests.serving import eventually
from tests.shop import Merchant, Shop

RUSH_SECONDS = 14.0
# What a buyer repeats: no connection, or an answer that says that nothing was done.
RETRYABLE = re.compile(r"^(503 service_unavailable|409 idempotency_key_in_use|\w*Error\()")


def replaced(shop: Shop, name: str) -> None:
    """SIGTERM to a child, and its successor serves."""
    before = shop.serving.process_id(name)
    os.kill(before, signal.SIGTERM)
    assert eventually(lambda: shop.serving.process_id(name) != before, RESTART_SECONDS), name
    assert eventually(shop.takes_payments, RESTART_SECONDS), name


def test_no_error_that_a_client_may_not_retry(
    fault_shop: Shop, merchant: Merchant, saved_card: str, evidence: Evidence
) -> None:
    port = free_port()
    first = start_another(fault_shop, port)
    door = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=door) as client:
        try:
            assert eventually(lambda: alive(client), START_SECONDS)
            buyers = Buyers(fault_shop.base_url, merchant, saved_card, door)

            def deploy() -> None:
                for name in ("paymint-worker", "paymint-vault", "paymint-api"):
                    replaced(fault_shop, name)

            purchases = buyers.run(deploy, RUSH_SECONDS)
            stop(first)
        finally:
            if first.poll() is None:
                first.kill()
                first.wait()
    evidence.check(purchases)
    broken = Counter(each for purchase in purchases for each in purchase.broken)
    assert not [each for each in broken if not RETRYABLE.match(each)], broken
    assert all(len(purchase.answers) == 1 for purchase in purchases)
