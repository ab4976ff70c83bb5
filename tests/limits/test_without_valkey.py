"""Limits while Valkey is stopped, gone or empty: an outage of ours refuses nobody."""

import os
import signal
import statistics
import time
from collections.abc import Iterator

import pytest

from adapters.limiter.limiter import ANSWER_WITHIN_SECONDS
from tests.errors.recipes.limits import empty
from tests.limits.test_addresses import account
from tests.serving import eventually
from tests.shop import Shop, told

BACK_SECONDS = 60.0
REQUESTS = 60
# Two links may wait for a late answer, each as long as it may; a busy machine waits longer.
LATEST_SECONDS = ANSWER_WITHIN_SECONDS + 5.0


@pytest.fixture
def stopped(narrow: Shop) -> Iterator[Shop]:
    """The stack while Valkey takes connections and answers nothing."""
    narrow.http.get("/readyz")
    process = narrow.serving.process_id("valkey")
    narrow.serving.process.send_signal(signal.SIGSTOP)
    os.kill(process, signal.SIGSTOP)
    try:
        yield narrow
    finally:
        os.kill(process, signal.SIGCONT)
        narrow.serving.process.send_signal(signal.SIGCONT)


def redis_state(shop: Shop) -> str:
    return str(shop.http.get("/readyz").json()["checks"]["redis"])


def test_a_stopped_valkey_costs_little_time_and_no_refusal(stopped: Shop) -> None:
    merchant = account(stopped)
    took = []
    for _ in range(REQUESTS):
        began = time.monotonic()
        told(merchant.ask("GET", "/v1/payments"), 200)
        took.append(time.monotonic() - began)
    # The first waits for it, and those after it leave it alone.
    assert statistics.median(took) < ANSWER_WITHIN_SECONDS, took
    assert max(took) < LATEST_SECONDS
    assert redis_state(stopped) == "degraded"


def test_the_local_limiter_keeps_the_same_limits(stopped: Shop) -> None:
    merchant = account(stopped)
    answers = [merchant.ask("GET", "/v1/payments") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"25"}
    refused = empty(merchant)
    assert int(refused.headers["retry-after"]) >= 1
    time.sleep(int(refused.headers["retry-after"]))
    told(merchant.ask("GET", "/v1/payments"), 200)


def test_a_valkey_that_was_killed_or_emptied_refuses_nobody(narrow: Shop) -> None:
    merchant = account(narrow)
    before = narrow.serving.process_id("valkey")
    os.kill(before, signal.SIGKILL)
    for _ in range(30):
        told(merchant.ask("GET", "/v1/payments"), 200)
    assert eventually(lambda: narrow.serving.process_id("valkey") != before, BACK_SECONDS)
    # The new one knows neither buckets nor script.
    assert eventually(lambda: redis_state(narrow) == "ok", BACK_SECONDS)
    for _ in range(5):
        told(merchant.ask("GET", "/v1/payments"), 200)
    empty(merchant)
