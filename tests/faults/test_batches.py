"""kill -9 of the API or the vault in the middle of a batch: repeated, it ends as ever."""

import threading
import time
from typing import Any

import httpx
import pytest

from tests.faults.buyers import Purchase
from tests.faults.conftest import Kill
from tests.faults.evidence import Evidence
from tests.serving import eventually
from tests.shop import Merchant, bearer

PATH = "/v1/payments/batch"
ITEMS = 100
# The network takes 40 to 120 ms: the first half is out then, the second has not begun.
MIDDLE_SECONDS = 0.06
SETTLED_SECONDS = 60.0
PAUSE_SECONDS = 0.5


@pytest.mark.parametrize("victim", ["paymint-api", "paymint-vault"])
def test_a_batch_survives_the_end_of(
    victim: str, merchant: Merchant, saved_card: str, kill: Kill, evidence: Evidence
) -> None:
    purchases = [Purchase(number) for number in range(ITEMS)]
    items = [{**each.body(saved_card), "idempotency_key": each.key} for each in purchases]
    merchant.get("/v1/payments")
    timer = threading.Timer(MIDDLE_SECONDS, lambda: kill(victim))
    timer.start()
    first = ask(merchant, items)
    timer.join()
    broken = first is None or any(each["status"] in (202, 409, 503) for each in first)
    assert broken, "nobody noticed: the kill proved nothing"
    assert eventually(lambda: settle(merchant, items, purchases), SETTLED_SECONDS)
    evidence.check(purchases)


def ask(merchant: Merchant, items: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """The results of a batch; None where no answer came, or 503 for the whole."""
    try:
        answer = merchant.http.post(
            PATH, json={"payments": items}, headers=bearer(merchant.secret_key)
        )
    except httpx.HTTPError:
        return None
    if answer.status_code == 503:
        return None
    assert answer.status_code == 207, answer.text
    results: list[dict[str, Any]] = answer.json()["data"]
    return results


def settle(merchant: Merchant, items: list[dict[str, Any]], purchases: list[Purchase]) -> bool:
    """Asks for the whole batch again; true once every item has its payment."""
    results = ask(merchant, items)
    allowed = (201, 202, 409, 503)
    if results is None or any(each["status"] not in (201, 202) for each in results):
        assert all(each["status"] in allowed for each in results or ()), results
        time.sleep(PAUSE_SECONDS)
        return False
    for purchase, result in zip(purchases, results, strict=True):
        purchase.answers.append((result["status"], result["payment"]))
    return True
