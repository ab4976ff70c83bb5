"""Counts requests and their time by operation and status.

`paymint_request_seconds_count` is the number of requests: a counter beside the histogram
would say the same twice.
"""

import time

from prometheus_client import Histogram

from gateway.exchange import Exchange, Proceed

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
NO_OPERATION = "none"

_SECONDS = Histogram(
    "paymint_request_seconds",
    "Time from the request's head to its answer.",
    ["operation", "status"],
    buckets=BUCKETS_SECONDS,
)


def bind(proceed: Proceed) -> Proceed:
    # Operations and statuses are few and come from the document, never from a client.
    children: dict[tuple[str, int], Histogram] = {}

    async def measured(exchange: Exchange) -> None:
        started = time.perf_counter()
        await proceed(exchange)
        operation = exchange.operation
        key = (operation.operation_id if operation else NO_OPERATION, exchange.status)
        child = children.get(key)
        if child is None:
            child = children[key] = _SECONDS.labels(key[0], str(key[1]))
        child.observe(time.perf_counter() - started)

    return measured
