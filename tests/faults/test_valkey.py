"""Valkey only hints: emptied or absent, it changes nothing but speed."""

from uuid import uuid4

import redis

from tests.books import settle
from tests.faults.buyers import Buyers
from tests.faults.evidence import Evidence
from tests.serving import STRICT, serving
from tests.shop import Shop, told

REPEATS = 50


def test_one_key_fifty_times_while_valkey_is_emptied(
    fault_shop: Shop, buyers: Buyers, evidence: Evidence
) -> None:
    client = redis.from_url(fault_shop.environment["paymint-api"]["REDIS_URL"])
    purchase = buyers.repeat(REPEATS, client.flushall)
    client.close()
    assert len(purchase.answers) == REPEATS
    assert {status for status, _ in purchase.answers} == {201}
    first = purchase.answers[0][1]
    assert all(body == first for _, body in purchase.answers)
    evidence.check([purchase])


def test_without_valkey_paymint_serves_and_says_that_it_is_degraded() -> None:
    with serving(STRICT, "--port", "0", "--no-redis") as running:
        shop = Shop(running)
        readiness = told(shop.http.get("/readyz"), 200)
        assert readiness["status"] == "ready"
        assert readiness["checks"]["redis"] == "degraded"
        merchant, key = shop.open_account(), str(uuid4())
        token = merchant.tokenise()
        first = told(merchant.pay_answer(token, key=key), 201)
        again = merchant.pay_answer(token, key=key)
        assert told(again, 201) == first
        assert again.headers["idempotent-replayed"] == "true"
        other = merchant.pay_answer(token, key=key, amount=10001)
        assert told(other, 409)["error"]["code"] == "idempotency_key_reused"
        assert shop.decisions(first["id"]) == [("sale", "approved")]
        settle(shop)
        shop.close()
