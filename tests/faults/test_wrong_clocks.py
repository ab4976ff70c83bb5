"""One process whose clock is an hour off: money moves once, and what was promised holds."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from tests.another_process import another_api, start_another_worker, stop
from tests.faults.buyers import Buyers, Purchase
from tests.faults.evidence import Evidence
from tests.shop import Merchant, Shop, error, told
from tests.skewed import skewed

HOUR_MS = 3_600_000
PAYMENTS = 12
PAGE = 5
RUSH_SECONDS = 8.0


@pytest.fixture(scope="module", params=[HOUR_MS, -HOUR_MS], ids=["ahead", "behind"])
def wrong(request: pytest.FixtureRequest, fault_shop: Shop) -> Iterator[httpx.Client]:
    """An API process whose clock is an hour off, beside the stack's own."""
    with another_api(fault_shop, skewed("gateway.server", request.param)) as client:
        yield client


def test_a_key_is_one_payment_at_both(
    fault_shop: Shop, merchant: Merchant, saved_card: str, wrong: httpx.Client, evidence: Evidence
) -> None:
    elsewhere = replace(merchant, http=wrong)
    for first, second in ((merchant, elsewhere), (elsewhere, merchant)):
        key = str(uuid4())
        paid = told(first.pay_answer(saved_card, key=key), 201)
        again = second.pay_answer(saved_card, key=key)
        assert told(again, 201) == paid
        assert again.headers["idempotent-replayed"] == "true"
        assert error(second.pay_answer(saved_card, key=key, amount=9999))[1] == (
            "idempotency_key_reused"
        )
        assert fault_shop.decisions(paid["id"]) == [("sale", "approved")]
        refund = told(second.act(paid["id"], "refunds", {"amount": 4000}), 201)
        assert first.payment(paid["id"])["amount_refunded"] == refund["amount"]
    evidence.nothing_stays_unfinished()
    evidence.network_agrees()
    evidence.counters_are_exact()


def test_a_rush_at_both_is_paid_once(
    fault_shop: Shop, merchant: Merchant, saved_card: str, wrong: httpx.Client, evidence: Evidence
) -> None:
    """A worker may take up at once, and give up, what the process says it began an hour ago."""
    buyers = Buyers(str(wrong.base_url).rstrip("/"), merchant, saved_card, fault_shop.base_url)
    check_money(evidence, buyers.run(lambda: None))


def check_money(evidence: Evidence, purchases: list[Purchase]) -> None:
    """Each was told one end, which is the networks' too; 402 where time seemed to be up."""
    evidence.nothing_stays_unfinished()
    ends = {str(row["idempotency_key"]): row["status"] for row in evidence.payments()}
    for purchase in purchases:
        status, _ = purchase.final
        assert status in (201, 202, 402), purchase
        # 202 promises no end; the others do.
        assert status == 202 or (status == 402) == (ends[purchase.key] == "failed"), purchase
    evidence.one_payment_per_key(purchases)
    evidence.network_agrees()
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()


def test_cursors_go_on_at_the_other(
    merchant: Merchant, saved_card: str, wrong: httpx.Client
) -> None:
    elsewhere = replace(merchant, http=wrong)
    for number in range(PAYMENTS):
        (merchant if number % 2 else elsewhere).pay(saved_card)
    for first, second in ((merchant, elsewhere), (elsewhere, merchant)):
        found: list[str] = []
        cursor: dict[str, str] = {}
        turns = (first, second)
        while True:
            page = turns[len(found) // PAGE % 2].get("/v1/payments", limit=PAGE, **cursor)
            found += [each["id"] for each in page["data"]]
            if not page["has_more"]:
                break
            cursor = {"starting_after": page["next_cursor"]}
        assert len(found) == len(set(found)) == PAYMENTS


@pytest.mark.parametrize("off_ms", [HOUR_MS, -HOUR_MS], ids=["ahead", "behind"])
def test_a_worker_with_a_wrong_clock_pays_nothing_twice(
    off_ms: int, fault_shop: Shop, buyers: Buyers, evidence: Evidence
) -> None:
    """Ahead, it takes up what is under way and holds every lease for run out."""
    worker = start_another_worker(fault_shop, skewed("workers.main", off_ms))
    try:
        check_money(evidence, buyers.run(lambda: None, RUSH_SECONDS))
        stop(worker)
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
