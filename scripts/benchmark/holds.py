"""A payment drawn on a hold beside a sale, with a network that takes 40 to 120 ms.

Each caller asks again when it was answered: what one waits for is the figure here, not how
many can be served.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from scripts.benchmark.figures import percentile
from scripts.benchmark.shop import Shop
from scripts.launcher.stack import Stack

# Alone, and eight at once: all of them want the same hold, whose row they take turns at.
AT_ONCE: Final = (1, 8)
WARM_UP_SECONDS: Final = 2
CREATED: Final = 201
_BODY: Final = (
    '{"amount": 50, "currency": "usd", "payment_method_id": "%s", "description": "Order #9281"%s}'
)


def show_holds(stack: Stack, seconds: int) -> None:
    """Print p50, p95 and p99 of both, in milliseconds."""
    shop = Shop(stack.keys)
    kinds = {"sale": "", "draw on one hold": f', "hold_id": "{shop.hold()}"'}
    print(f"{'':34}{'answers/s':>12}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    for callers in AT_ONCE:
        for name, more in kinds.items():
            body = _BODY % (shop.method, more)
            _waited(stack.base_url, shop.key, body, (callers, WARM_UP_SECONDS))
            waited = _waited(stack.base_url, shop.key, body, (callers, seconds))
            figures = "".join(f"{percentile(waited, part):>9.1f}" for part in (50, 95, 99))
            title = f"{name}, {callers} at once"
            print(f"{title:34}{len(waited) / seconds:>12,.1f}{figures}", flush=True)


def _waited(base_url: str, key: str, body: str, load: tuple[int, int]) -> list[float]:
    """What each of (callers, seconds) waited for its answers, in milliseconds."""
    callers, seconds = load

    def call() -> list[float]:
        where = urlsplit(base_url)
        connection = HTTPConnection(where.hostname or "", where.port)
        found = []
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            headers["Idempotency-Key"] = str(uuid4())
            asked = time.perf_counter()
            connection.request("POST", "/v1/payments", body, headers)
            answer = connection.getresponse()
            answer.read()
            found.append((time.perf_counter() - asked) * 1000)
            if answer.status != CREATED:
                raise SystemExit(f"a payment was answered with {answer.status}")
        connection.close()
        return found

    with ThreadPoolExecutor(callers) as pool:
        running = [pool.submit(call) for _ in range(callers)]
        return [each for done in running for each in done.result()]
