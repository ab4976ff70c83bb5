"""PostgreSQL is away for a while: once it is back, every kind of request succeeds at once."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from tests.faults.conftest import RESTART_SECONDS
from tests.faults.evidence import Evidence
from tests.serving import eventually
from tests.shop import Merchant, Shop

# Pauses that are doubled from a second on are over after 1, 3, 7 and 15 s: nobody would ask at 8.
OUTAGES_SECONDS = [1.0, 8.0]
# Less than a second is meant; other tests may have the machine's cores.
BACK_SECONDS = 4.0
WATCHED_SECONDS = 5.0
GLANCE_SECONDS = 0.1
AMOUNT = 100
BUSY_HANDS = 16

Ask = Callable[[], bool]


@contextmanager
def away(shop: Shop) -> Iterator[None]:
    """PostgreSQL has stopped at once, and nobody starts it before the end of the block."""
    launcher, server = shop.serving.process, shop.serving.process_id("postgres")
    launcher.send_signal(signal.SIGSTOP)
    try:
        os.kill(server, signal.SIGQUIT)
        yield
    finally:
        launcher.send_signal(signal.SIGCONT)


def answers(shop: Shop) -> bool:
    try:
        shop.database().close()
    except psycopg.OperationalError:
        return False
    return True


def kinds(merchant: Merchant, method: str) -> dict[str, Ask]:
    """One request of each kind, by the way that it takes to the database."""
    paid = [merchant.pay(method, amount=100_000 * AMOUNT)["id"] for _ in range(2)]

    def refund_is_paid_back() -> bool:
        refund = merchant.refund(paid[1], amount=AMOUNT)["id"]
        path = f"/v1/payments/{paid[1]}/refunds/{refund}"
        return bool(eventually(lambda: merchant.get(path)["status"] == "succeeded", BACK_SECONDS))

    def captured() -> bool:
        held = merchant.pay(method, amount=AMOUNT, capture=False)["id"]
        return merchant.act(held, "capture", {}).status_code == httpx.codes.OK

    return {
        "create": lambda: merchant.pay_answer(method).status_code == httpx.codes.CREATED,
        "create with a new card": lambda: merchant.pay_answer().status_code == httpx.codes.CREATED,
        "capture": captured,
        "retrieve": lambda: bool(merchant.payment(paid[0])),
        "list": lambda: bool(merchant.get("/v1/payments")),
        "balance": lambda: bool(merchant.get("/v1/balance")),
        "refund": lambda: bool(merchant.refund(paid[0], amount=AMOUNT)),
        "customer": lambda: bool(merchant.customer()),
        "a worker's": refund_is_paid_back,
    }


def succeeds(ask: Ask) -> bool:
    try:
        return ask()
    except (AssertionError, KeyError, httpx.HTTPError):
        return False


def back_after(ask: Ask, began: float) -> float:
    """Seconds from `began` until a request was done, after which none failed."""
    back, fine = began, False
    while time.monotonic() < began + WATCHED_SECONDS:
        if not succeeds(ask):
            fine = False
        elif not fine:
            back, fine = time.monotonic(), True
        time.sleep(GLANCE_SECONDS)
    return back - began if fine else WATCHED_SECONDS


@pytest.mark.parametrize("seconds", OUTAGES_SECONDS)
def test_all_is_back_as_soon_as_the_database_is(
    seconds: float, fault_shop: Shop, merchant: Merchant, saved_card: str, evidence: Evidence
) -> None:
    asked = kinds(merchant, saved_card)
    over = threading.Event()

    def ask_on() -> None:
        while not over.is_set():
            succeeds(asked["list"])
            succeeds(asked["customer"])

    with ThreadPoolExecutor(BUSY_HANDS + len(asked)) as hands:
        # All connections of the pools are in use when their server goes.
        busy = [hands.submit(ask_on) for _ in range(BUSY_HANDS)]
        time.sleep(0.5)
        with away(fault_shop):
            time.sleep(seconds)
        assert eventually(lambda: answers(fault_shop), RESTART_SECONDS)
        began = time.monotonic()
        over.set()
        waits = {name: hands.submit(back_after, ask, began) for name, ask in asked.items()}
        late = {name: round(wait.result(), 2) for name, wait in waits.items()}
        for each in busy:
            each.result()
    print(f"away for {seconds} s and the restart; back after {late}")
    assert max(late.values()) < BACK_SECONDS, late
    evidence.counters_are_exact()
