"""Somebody holds a payment's row and does not let go: its own request is refused, others go on."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg

from domain.ids import from_text
from tests.faults.evidence import Evidence
from tests.serving import eventually
from tests.shop import Merchant, Shop, told

OTHERS = 12
# PostgreSQL ends a statement that waits for a lock after 10 s.
SOON_SECONDS = 5.0
RECOVERED_SECONDS = 30.0
_HOLD = "SELECT operation FROM payments WHERE id = %s FOR UPDATE"
_OPERATION = "SELECT operation FROM payments WHERE id = %s"
_CAPTURED = ("capture", "approved")

Session = psycopg.Connection[tuple[object, ...]]


@contextmanager
def held(shop: Shop, payment: str, *, once_begun: bool = False) -> Iterator[None]:
    """A transaction of somebody else's has the row and ends with the block."""
    identifier = from_text("pay", payment)
    with shop.owned_database() as session:
        while once_begun and session.execute(_OPERATION, [identifier]).fetchone() == (None,):
            pass
        with session.transaction():
            session.execute(_HOLD, [identifier])
            yield


def asked(merchant: Merchant, payment: str, action: str) -> tuple[httpx.Response, float]:
    """The answer, and after how many seconds it came."""
    began = time.monotonic()
    answer = merchant.act(payment, action, {})
    return answer, time.monotonic() - began


def authorised(merchant: Merchant, card: str, count: int) -> list[str]:
    return [merchant.pay(card, capture=False)["id"] for _ in range(count)]


def test_a_payment_that_is_held_refuses_its_own_capture_only(
    fault_shop: Shop, merchant: Merchant, saved_card: str, evidence: Evidence
) -> None:
    stuck, *others = authorised(merchant, saved_card, 1 + OTHERS)
    with ThreadPoolExecutor(2 + 2 * OTHERS) as hands:
        with held(fault_shop, stuck):
            refused = hands.submit(asked, merchant, stuck, "capture")
            going_on = [hands.submit(asked, merchant, payment, "capture") for payment in others]
            sales = [hands.submit(merchant.pay, saved_card) for _ in others]
            refunded = hands.submit(asked, merchant, stuck, "refunds")
            for each in (refused, refunded):
                answer, took = each.result()
                assert (answer.status_code, took < SOON_SECONDS) == (503, True), (answer.text, took)
            for each in going_on:
                answer, took = each.result()
                assert (answer.status_code, took < SOON_SECONDS) == (200, True), took
            assert {each.result()["status"] for each in sales} == {"captured"}
        # 503 said that nothing was done.
        assert merchant.payment(stuck)["status"] == "authorized"
        assert _CAPTURED not in fault_shop.decisions(stuck)
    told(merchant.act(stuck, "capture", {}), 200)
    evidence.network_agrees()
    evidence.counters_are_exact()


def test_what_a_network_said_of_a_payment_that_is_held_is_recorded_when_it_is_free(
    fault_shop: Shop, merchant: Merchant, saved_card: str, evidence: Evidence
) -> None:
    stuck, *others = authorised(merchant, saved_card, 1 + OTHERS)
    with ThreadPoolExecutor(1 + OTHERS) as hands:
        waiting = hands.submit(asked, merchant, stuck, "capture")
        # The network takes 40 ms at least: its answer finds the row held.
        with held(fault_shop, stuck, once_begun=True):
            going_on = [hands.submit(asked, merchant, payment, "capture") for payment in others]
            answer, took = waiting.result()
            assert (answer.status_code, took < SOON_SECONDS) == (202, True), (answer.text, took)
            for each in going_on:
                answer, took = each.result()
                assert (answer.status_code, took < SOON_SECONDS) == (200, True), took
            assert fault_shop.decisions(stuck)[-1] == _CAPTURED
            assert merchant.payment(stuck)["status"] == "authorized"
    assert eventually(lambda: merchant.payment(stuck)["status"] == "captured", RECOVERED_SECONDS)
    assert fault_shop.decisions(stuck).count(_CAPTURED) == 1
    evidence.network_agrees()
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()
