"""Totals are exact: after any mix of changes, a counter says what count(*) says."""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from domain.ids import from_text
from tests.serving import eventually
from tests.shop import Merchant, Shop, told

SEED = 20261122
STEPS = 120
HANDS = 4
# The sandbox settles within 10 s (contract-decisions, "refunds"); the rest is a busy machine's.
SETTLED_SECONDS = 30.0
DECLINES = "4000000000000002"
_COUNTED = b"SELECT status, count(*) FROM payments WHERE merchant_id = %s GROUP BY status"
_KEPT = b"""SELECT status, sum(count)::bigint FROM counters WHERE merchant_id = %s
    AND resource = %s GROUP BY status HAVING sum(count) <> 0"""
_SETTLING = b"SELECT count(*) FROM refunds WHERE merchant_id = %s AND status = 'pending'"
_CUSTOMERS = b"SELECT count(*) FROM customers WHERE merchant_id = %s AND deleted_at IS NULL"


class Till:
    """A seeded mix of everything that changes a payment's status, by several hands at once."""

    def __init__(self, merchant: Merchant, seed: int) -> None:
        self._merchant = merchant
        self._chance = random.Random(seed)
        customer = merchant.customer()["id"]
        self._good = str(told(merchant.save_card(customer), 201)["id"])
        self._bad = str(told(merchant.save_card(customer, DECLINES), 201)["id"])
        self._payments: list[str] = []
        self.statuses: Counter[int] = Counter()

    def work(self) -> None:
        steps: list[Callable[[], httpx.Response]] = [self._step() for _ in range(STEPS)]
        with ThreadPoolExecutor(HANDS) as hands:
            for answer in hands.map(lambda step: step(), steps):
                self.statuses[answer.status_code] += 1

    def _step(self) -> Callable[[], httpx.Response]:
        kind = self._chance.choice(["sale", "hold", "decline", "capture", "cancel", "refund"])
        if kind == "decline":
            return lambda: self._merchant.pay_answer(self._bad)
        if kind in ("sale", "hold"):
            return lambda: self._pay(kind == "sale")
        place, part = self._chance.random(), self._chance.choice([None, 2500, 10000])
        return lambda: self._change(kind, place, part)

    def _pay(self, capture: bool) -> httpx.Response:
        answer = self._merchant.pay_answer(self._good, capture=capture)
        self._payments.append(told(answer, 201)["id"])
        return answer

    def _change(self, kind: str, place: float, part: int | None) -> httpx.Response:
        """Some of these are refused: a refusal must not count either."""
        if not self._payments:
            return self._pay(True)
        payment = self._payments[int(place * len(self._payments))]
        if kind == "cancel":
            return self._merchant.act(payment, kind)
        body = {} if part is None else {"amount": part}
        return self._merchant.act(payment, "refunds" if kind == "refund" else kind, body)


def test_totals_are_exact_after_a_long_day(shop: Shop, merchant: Merchant) -> None:
    till = Till(merchant, SEED)
    till.work()
    assert {201, 200, 402, 422} <= set(till.statuses), till.statuses
    assert set(till.statuses) <= {200, 201, 402, 422}, till.statuses
    identifier = from_text("mch", merchant.id)
    with shop.database() as connection:
        # A refund that settles may still turn its payment from captured to refunded.
        assert eventually(
            lambda: connection.execute(_SETTLING, [identifier]).fetchall() == [(0,)],
            SETTLED_SECONDS,
        )
        counted = dict(connection.execute(_COUNTED, [identifier]).fetchall())
        kept = dict(connection.execute(_KEPT, [identifier, "payments"]).fetchall())
        customers = connection.execute(_CUSTOMERS, [identifier]).fetchall()
        kept_customers = connection.execute(_KEPT, [identifier, "customers"]).fetchall()
    assert {"authorized", "captured", "failed", "cancelled"} <= counted.keys(), SEED
    assert kept == counted, SEED
    assert kept_customers == [("all", customers[0][0])]
    for status, count in counted.items():
        assert merchant.get("/v1/payments", status=status, limit=1)["total_count"] == count, SEED
    everything = merchant.get("/v1/payments", limit=1)["total_count"]
    assert everything == sum(counted.values())
