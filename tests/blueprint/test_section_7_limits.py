"""Blueprint section 7, line by line: tiers, overage, headers."""

import re
import time
from typing import Any

import pytest

from domain.rate_limits import BLOCK_MS, rules_of
from tests.errors.recipes.limits import empty, misbehave
from tests.journeys.accounts import approve, operate, take_live_keys
from tests.shop import Merchant, Shop, told

TIERS = {
    "live": (100, 4_000, 1_000_000, 500),
    "test": (25, 1_000, 100_000, 100),
    "oauth": (50, 2_000, 500_000, 250),
    "publishable": (10, 200, 50_000, 30),
    "platform": (200, 8_000, 0, 1_000),
}


@pytest.mark.parametrize("tier", TIERS)
def test_the_tiers(tier: str) -> None:
    rules = rules_of(tier)
    assert (rules.per_second, rules.per_window, rules.per_day, rules.burst) == TIERS[tier]


def policies(answer: Any) -> tuple[str, str]:
    return answer.headers["x-ratelimit-policy"], answer.headers["ratelimit-policy"]


def test_each_consumer_is_told_its_tier(shop: Shop) -> None:
    merchant = shop.open_account(rate_limit_multiplier=1)
    day = ', "day";q={};w=86400'
    assert policies(merchant.ask("GET", "/v1/payments")) == (
        "25;w=1",
        '"second";q=25;w=1, "minute";q=1000;w=60' + day.format(100_000),
    )
    approve(shop, merchant)
    live = take_live_keys(merchant)
    assert policies(live.ask("GET", "/v1/payments")) == (
        "100;w=1",
        '"second";q=100;w=1, "minute";q=4000;w=60' + day.format(1_000_000),
    )
    assert policies(operate(shop, "GET", "/v1/merchants")) == (
        "200;w=1",
        '"second";q=200;w=1, "minute";q=8000;w=60',
    )


def test_higher_limits_are_negotiated(shop: Shop) -> None:
    merchant = shop.open_account(rate_limit_multiplier=4)
    assert merchant.ask("GET", "/v1/payments").headers["x-ratelimit-limit"] == "100"


def test_overage_is_429_with_retry_after(shop: Shop) -> None:
    merchant = shop.open_account(rate_limit_multiplier=1)
    refused = empty(merchant)
    assert refused.status_code == 429
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert re.fullmatch("[1-9][0-9]*", refused.headers["retry-after"])
    assert int(refused.headers["x-ratelimit-reset"]) >= int(time.time()) - 1
    # No penalty accumulation: who went on meanwhile waits no longer.
    for _ in range(50):
        merchant.ask("GET", "/v1/payments")
    time.sleep(int(refused.headers["retry-after"]))
    told(merchant.ask("GET", "/v1/payments"), 200)


def test_ten_times_the_limit_for_a_minute_blocks_the_key(shop: Shop, merchant: Merchant) -> None:
    misbehave(shop, merchant)
    refused = merchant.ask("GET", "/v1/payments")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "api_key_blocked")
    assert 0 < int(refused.headers["retry-after"]) <= BLOCK_MS // 1000


def test_the_headers_as_printed(shop: Shop, merchant: Merchant) -> None:
    headers = merchant.ask("GET", "/v1/payments").headers
    for name in ("Limit", "Remaining", "Reset"):
        assert re.fullmatch("[0-9]+", headers[f"X-RateLimit-{name}"])
    assert headers["X-RateLimit-Policy"] == f"{headers['X-RateLimit-Limit']};w=1"
    assert int(headers["X-RateLimit-Remaining"]) <= int(headers["X-RateLimit-Limit"])
