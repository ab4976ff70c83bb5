"""Sales, captures and cancellations under way while a part of the house ends or stops."""

import asyncio
import os
import signal
import time
from collections.abc import Callable

import httpx
import pytest
import redis

from tests.faults.order_book import check
from tests.faults.orders import Order, busy, finish
from tests.races.rush import Rush, rush
from tests.serving import eventually
from tests.shop import Merchant, Shop

BUSY_SECONDS = 4.0
FAULT_AFTER_SECONDS = 1.2
RESTART_SECONDS = 60.0
STOPPED_SECONDS = 1.5

FLUSHES = 15
# Without Valkey a request waits for it once, 0.25 s, and then leaves it alone.
SLOWEST_WITHOUT_VALKEY_SECONDS = 5.0
UNNOTICED = ("valkey", "paymint-worker")


def end(shop: Shop, name: str) -> None:
    """Kills a child and waits until the launcher has started another one."""
    before = shop.serving.process_id(name)
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: shop.serving.process_id(name) != before, RESTART_SECONDS)
    assert eventually(lambda: ready(shop), RESTART_SECONDS)


def ready(shop: Shop) -> bool:
    try:
        return httpx.get(f"{shop.base_url}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def stop(shop: Shop, name: str) -> None:
    """Stops a child for a moment: it keeps its connections and answers nothing."""
    process = shop.serving.process_id(name)
    os.kill(process, signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)
    os.kill(process, signal.SIGCONT)


def flush(shop: Shop, name: str) -> None:
    """Valkey forgets everything, again and again."""
    client = redis.from_url(shop.environment["paymint-api"]["REDIS_URL"])
    for _ in range(FLUSHES):
        client.flushall()
        time.sleep(STOPPED_SECONDS / FLUSHES)
    client.close()


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (end, "postgres"),
        (end, "paymint-worker"),
        (end, "paymint-vault"),
        (end, "paymint-api"),
        (end, "valkey"),
        (stop, "paymint-vault"),
        (stop, "valkey"),
        (flush, "valkey"),
    ],
)
def test_every_order_comes_to_its_end(
    fault_shop: Shop, merchant: Merchant, fault: Callable[[Shop, str], None], name: str
) -> None:
    method = merchant.save_card(merchant.customer()["id"]).json()["id"]

    async def through_the_fault(asking: Rush) -> list[Order]:
        shopping = asyncio.create_task(busy(asking, method, BUSY_SECONDS))
        await asyncio.sleep(FAULT_AFTER_SECONDS)
        await asyncio.to_thread(fault, fault_shop, name)
        orders = await shopping
        await asyncio.gather(*(finish(asking, merchant, order) for order in orders))
        return orders

    orders = rush(merchant, through_the_fault)
    check(fault_shop, merchant, orders)
    check_refusals(orders, noticed=name not in UNNOTICED)


def check_refusals(orders: list[Order], *, noticed: bool) -> None:
    """An outage is 503 or no answer; never a fault of ours, never the client's."""
    refusals = {
        (answer.status, answer.code) for order in orders for answer in order.answers if answer.code
    }
    assert refusals <= {(503, "service_unavailable"), (409, "idempotency_key_in_use")}
    if not noticed:
        assert not refusals
        assert not any(order.lost for order in orders)
        slowest = max(seconds for order in orders for seconds in order.seconds)
        assert slowest < SLOWEST_WITHOUT_VALKEY_SECONDS
