"""The limiter at the API's door: headers, refusals, batches, keys, alerts."""

import re
import time
from typing import Any
from uuid import uuid4

import httpx

from domain.rate_limits import BLOCK_MS
from tests.errors.recipes.limits import empty, misbehave
from tests.journeys.accounts import new_key, operate, using
from tests.serving import eventually
from tests.shop import Merchant, Shop, bearer, error, told

HEADERS = (
    *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-policy"),
    *("ratelimit", "ratelimit-policy"),
)
ALERT_SECONDS = 20.0
REFUSED_AT_MOST = 2000
# Within a second, and what a busy machine adds to it.
NEGOTIATED_SECONDS = 3.0


def remaining(answer: httpx.Response) -> int:
    return int(answer.headers["x-ratelimit-remaining"])


def tells(answer: httpx.Response) -> bool:
    return all(name in answer.headers for name in HEADERS)


def test_every_answer_to_a_known_caller_tells_of_its_limits(shop: Shop) -> None:
    merchant = shop.open_account(rate_limit_multiplier=1)
    reader = using(merchant, new_key(merchant, scopes=["payments:read"]))
    for answer, status in (
        (merchant.ask("GET", "/v1/payments"), 200),
        (merchant.ask("HEAD", "/v1/payments"), 200),
        (merchant.pay_answer(), 201),
        (merchant.ask("GET", "/v1/payments/pay_0"), 404),
        (merchant.ask("GET", "/v1/payments?zz=1"), 400),
        (merchant.ask("POST", "/v1/payments", content=b"{", headers={}), 415),
        (reader.ask("POST", "/v1/customers", {}), 403),
        (operate(shop, "GET", "/v1/merchants"), 200),
    ):
        assert (answer.status_code, tells(answer)) == (status, True)


def test_who_is_not_known_is_told_nothing(shop: Shop) -> None:
    for answer in (
        shop.http.get("/v1/payments"),
        shop.http.get("/v1/payments", headers=bearer("sk_test_" + "A" * 60)),
        shop.http.get("/v1/nothing"),
        shop.http.get("/healthz"),
        shop.http.get("/openapi.json"),
    ):
        assert not any(name in answer.headers for name in HEADERS), answer.request.url


def test_the_headers_are_those_that_were_decided(shop: Shop) -> None:
    merchant = shop.open_account(rate_limit_multiplier=2)
    headers = merchant.ask("GET", "/v1/payments").headers
    assert headers["x-ratelimit-limit"] == "50"
    assert headers["x-ratelimit-policy"] == "50;w=1"
    assert headers["x-ratelimit-remaining"] == "50"
    assert abs(int(headers["x-ratelimit-reset"]) - time.time()) <= 2
    whole = '"second";q=50;w=1, "minute";q=2000;w=60, "day";q=200000;w=86400'
    assert headers["ratelimit-policy"] == whole
    assert re.fullmatch('"second";r=50;t=[01]', headers["ratelimit"])


def test_a_refusal_says_truly_how_long_to_wait(shop: Shop) -> None:
    merchant = shop.open_account(rate_limit_multiplier=1)
    refused = empty(merchant)
    assert error(refused) == (429, "rate_limited", None)
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert (tells(refused), remaining(refused)) == (True, 0)
    seconds = int(refused.headers["retry-after"])
    assert 1 <= seconds <= 2
    assert int(refused.headers["x-ratelimit-reset"]) <= time.time() + seconds + 1
    time.sleep(seconds)
    told(merchant.ask("GET", "/v1/payments"), 200)


def test_keys_of_a_merchant_share_and_modes_and_merchants_do_not(shop: Shop) -> None:
    merchant = shop.open_account(rate_limit_multiplier=1)
    second = using(merchant, new_key(merchant))
    empty(merchant)
    answers = [second.ask("GET", "/v1/payments").status_code for _ in range(10)]
    assert 429 in answers
    told(shop.open_account(rate_limit_multiplier=1).ask("GET", "/v1/payments"), 200)


def test_a_batch_costs_a_token_for_each_item(shop: Shop) -> None:
    merchant = shop.open_account(rate_limit_multiplier=1)
    batch: dict[str, Any] = {"payments": [{}] * 90}
    answer = merchant.ask("POST", "/v1/payments/batch", batch)
    assert answer.status_code == 207
    assert remaining(answer) <= 25
    method = merchant.tokenise()
    item = {"amount": 5000, "currency": "usd", "payment_method_id": method}
    items = [{**item, "idempotency_key": str(uuid4())} for _ in range(60)]
    refused = merchant.ask("POST", "/v1/payments/batch", {"payments": items})
    assert error(refused) == (429, "rate_limited", None)
    time.sleep(int(refused.headers["retry-after"]))
    assert merchant.get("/v1/payments")["data"] == []


def test_a_refusal_stands_before_the_body_and_after_the_scope(shop: Shop) -> None:
    merchant = shop.open_account(rate_limit_multiplier=1)
    reader = using(merchant, new_key(merchant, scopes=["payments:read"]))
    empty(merchant)
    for _ in range(10):
        answer = merchant.ask("POST", "/v1/customers", content=b"{")
        assert answer.status_code in (415, 429)
        assert error(reader.ask("POST", "/v1/customers", {}))[:2] == (403, "insufficient_scope")


def test_refusals_for_scope_are_no_way_round_the_limit(shop: Shop) -> None:
    merchant = shop.open_account(rate_limit_multiplier=1)
    reader = using(merchant, new_key(merchant, scopes=["payments:read"]))
    refused = (reader.ask("POST", "/v1/customers", {}) for _ in range(REFUSED_AT_MOST))
    # They use up the bucket, which fills meanwhile: a slow machine has to ask more often.
    assert any(remaining(each) < 25 for each in refused)


def test_only_the_operator_negotiates(shop: Shop, merchant: Merchant) -> None:
    path = f"/v1/merchants/{merchant.id}"
    assert merchant.get(path)["rate_limit_multiplier"] == 1000
    refused = merchant.ask("PATCH", path, {"rate_limit_multiplier": 1000})
    assert error(refused)[:2] == (403, "insufficient_scope")
    for wrong in (0, 1001):
        answer = operate(shop, "PATCH", path, {"rate_limit_multiplier": wrong})
        assert (answer.status_code, error(answer)[2]) == (400, "rate_limit_multiplier")
    changed = told(operate(shop, "PATCH", path, {"rate_limit_multiplier": 3}), 200)
    assert changed["rate_limit_multiplier"] == 3

    def limit() -> bool:
        return merchant.ask("GET", path).headers["x-ratelimit-limit"] == "75"

    assert eventually(limit, NEGOTIATED_SECONDS), "not everywhere in time"


def test_a_blocked_key_is_told_and_so_is_its_merchant(shop: Shop, merchant: Merchant) -> None:
    other = using(merchant, new_key(merchant, scopes=["merchant:admin"]))
    keys = [key for key in other.get("/v1/api_keys")["data"] if key["type"] == "secret"]
    blocked = min(keys, key=lambda key: str(key["created_at"]))
    misbehave_with(shop, merchant, other)
    refused = merchant.ask("GET", "/v1/payments")
    assert error(refused) == (429, "api_key_blocked", None)
    assert BLOCK_MS // 1000 - 5 <= int(refused.headers["retry-after"]) <= BLOCK_MS // 1000
    assert (tells(refused), remaining(refused)) == (True, 0)
    # The key is shut out, and not the merchant.
    assert eventually(lambda: other.get("/v1/alerts")["data"], ALERT_SECONDS)
    (alert,) = other.get("/v1/alerts")["data"]
    assert (alert["type"], alert["subject"]) == ("api_key_blocked", blocked["id"])
    assert other.get(f"/v1/api_keys/{blocked['id']}")["flagged_at"] is None
    misbehave_with(shop, merchant, other)
    merchant.ask("GET", "/v1/payments")

    def flagged() -> bool:
        seen = operate(shop, "GET", "/v1/api_keys", merchant_id=merchant.id)
        return any(key["flagged_at"] for key in told(seen, 200)["data"])

    assert eventually(flagged, ALERT_SECONDS)
    resumed = operate(shop, "POST", f"/v1/api_keys/{blocked['id']}/resume")
    assert told(resumed, 200)["flagged_at"] is None


def misbehave_with(shop: Shop, merchant: Merchant, asker: Merchant) -> None:
    """As `misbehave`, where another key is asked which one it is."""
    keys = asker.get("/v1/api_keys")["data"]
    oldest = min(
        (key for key in keys if key["type"] == "secret"), key=lambda key: str(key["created_at"])
    )
    misbehave(shop, merchant, str(oldest["id"]))
