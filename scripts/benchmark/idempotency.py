"""How long idempotency and limiter take to decide, with half of what the stack can do going on.

What the fast check in front of the database and the limiter add to a request, from the API's
own histograms, and what a caller sees of a repeated create, beside a plain retrieve.
"""

import asyncio
import time
import uuid
from typing import Any

import aiohttp

from scripts.benchmark.load import Load, Result, run_load
from scripts.benchmark.shop import Shop
from scripts.launcher.stack import Stack

SECONDS = 6
SAMPLES_PER_SECOND = 25
# A closed loop of so few keeps the stack about half as busy as the full one.
HALF_LOAD_CONNECTIONS = 6
_HISTOGRAMS = {"limiter and duplicate check": "paymint_limiter_seconds"}
Buckets = dict[str, dict[float, float]]


def decision_latency(stack: Stack, shop: Shop, create: Load, full_rate: float) -> None:
    """Print the checks' p99 and the latency of a replay beside creates at about half load."""
    times, buckets, load = asyncio.run(_measure(stack, shop, create))
    share = f"{load.rate:,.0f} creates/s ({load.rate / full_rate:.0%} of the full rate)"
    for name, counts in buckets.items():
        _show_check(name, counts, share)
    for name, values in times.items():
        values.sort()
        middle, high = values[len(values) // 2], values[len(values) * 99 // 100]
        print(
            f"{name} beside {share}: p50 {middle * 1000:.2f} ms,"
            f" p99 {high * 1000:.2f} ms ({len(values)} samples)"
        )


def _show_check(name: str, buckets: dict[float, float], share: str) -> None:
    total = buckets[float("inf")]
    p99 = min(bound for bound, count in buckets.items() if count >= total * 0.99)
    quick = buckets[0.001] / total * 100
    print(
        f"{name} beside {share}: {quick:.1f} % within 1 ms,"
        f" p99 within {p99 * 1000:g} ms ({total:,.0f} checks)"
    )


async def _measure(
    stack: Stack, shop: Shop, create: Load
) -> tuple[dict[str, list[float]], Buckets, Result]:
    headers = {"Authorization": f"Bearer {shop.key}"}
    body = {"amount": 15000, "currency": "usd", "payment_method_id": shop.method}
    async with aiohttp.ClientSession(stack.base_url, headers=headers) as session:
        before = await _buckets(session, stack.ports.api_metrics)
        running = asyncio.to_thread(
            run_load, stack.base_url, create, SECONDS, stack.process_ids(), HALF_LOAD_CONNECTIONS
        )
        load = asyncio.create_task(running)
        times = await _sample(session, body)
        result = await load
        after = await _buckets(session, stack.ports.api_metrics)
    during = {
        name: {bound: count - before[name][bound] for bound, count in counts.items()}
        for name, counts in after.items()
    }
    return times, during, result


async def _sample(session: aiohttp.ClientSession, body: dict[str, Any]) -> dict[str, list[float]]:
    key = str(uuid.uuid4())
    first = await _create(session, key, body)
    times: dict[str, list[float]] = {"replayed create": [], "retrieve": []}
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        began = time.perf_counter()
        await _create(session, key, body)
        times["replayed create"].append(time.perf_counter() - began)
        began = time.perf_counter()
        async with session.get(f"/v1/payments/{first['id']}") as response:
            await response.read()
        times["retrieve"].append(time.perf_counter() - began)
        await asyncio.sleep(1 / SAMPLES_PER_SECOND)
    return times


async def _buckets(session: aiohttp.ClientSession, port: int) -> Buckets:
    """The histograms' counts by upper bound, in seconds."""
    async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
        lines = (await response.text()).splitlines()
    return {name: _counts(lines, metric) for name, metric in _HISTOGRAMS.items()}


def _counts(lines: list[str], metric: str) -> dict[float, float]:
    start = f'{metric}_bucket{{le="'
    found = (line.removeprefix(start).split('"} ') for line in lines if line.startswith(start))
    return {float(bound): float(count) for bound, count in found}


async def _create(session: aiohttp.ClientSession, key: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Idempotency-Key": key}
    async with session.post("/v1/payments", json=body, headers=headers) as response:
        answer: dict[str, Any] = await response.json()
        return answer
