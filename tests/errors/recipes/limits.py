"""429: too fast, blocked, and wrong too often."""

import struct
import time

import httpx
from redis import Redis

from domain.rate_limits import STRETCH_MS, STRETCHES
from tests.errors.scene import Scene, gives, uuid_of
from tests.shop import Merchant, Shop

WRONG = 10
AT_MOST = 1000
ASKED_WITHIN_MS = 3000


@gives("rate_limited", by="list_payments")
def a_bucket_that_is_empty(scene: Scene) -> httpx.Response:
    return empty(scene.shop.open_account(rate_limit_multiplier=1))


@gives("api_key_blocked", by="list_payments")
def a_key_that_went_on_for_a_minute(scene: Scene) -> httpx.Response:
    merchant = scene.shop.open_account()
    misbehave(scene.shop, merchant)
    return merchant.ask("GET", "/v1/payments")


@gives("too_many_failed_authentications", by="list_payments", needs_broken_stack=True)
def keys_that_are_wrong(scene: Scene) -> httpx.Response:
    # The good key is proven first: the other recipes go on with it.
    scene.merchant.get("/v1/payments")
    key = scene.merchant.secret_key
    for n in range(WRONG):
        answer = scene.list_with(f"{key[:-2]}{n:02}")
        if answer.status_code == 429:
            break
    return answer


def empty(merchant: Merchant) -> httpx.Response:
    """The refusal of one request more than an account with the usual limits may send."""
    for items in (60, 30, 5):
        merchant.ask("POST", "/v1/payments/batch", {"payments": [{}] * items})
    for _ in range(AT_MOST):
        answer = merchant.ask("GET", "/v1/payments")
        if answer.status_code == 429:
            return answer
    raise AssertionError(f"{AT_MOST} requests in a row were served")


def misbehave(shop: Shop, merchant: Merchant, key: str | None = None) -> None:
    """Write down that this key, or its only one, sent ten times its limit for a minute."""
    if key is None:
        keys = merchant.get("/v1/api_keys")["data"]
        (key,) = (str(each["id"]) for each in keys if each["type"] == "secret")
    name = f"conduct:{{{uuid_of('mch', merchant.id).hex}}}:{uuid_of('key', key).hex}"
    left_ms = STRETCH_MS - now_ms() % STRETCH_MS
    if left_ms < ASKED_WITHIN_MS:
        # A stretch that ends before the key is used would start the count anew.
        time.sleep(left_ms / 1000)
    stretch = now_ms() // STRETCH_MS
    with Redis.from_url(shop.environment["paymint-api"]["REDIS_URL"]) as valkey:
        valkey.set(name, struct.pack("<dddd", stretch, 0, STRETCHES, 0), ex=600)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
