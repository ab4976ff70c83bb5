"""How long the idempotency decision takes, with half of what the stack can do going on.

The decision on a repeated key is what a caller can see of it alone: the same create sent
again, answered from its key.  Its latency over a plain retrieve is the decision's cost.
"""

import asyncio
import time
import uuid
from typing import Any

import aiohttp

from scripts.benchmark.shop import Shop
from scripts.launcher.stack import Stack

SECONDS = 6
SAMPLES_PER_SECOND = 100


def decision_latency(stack: Stack, shop: Shop, rate: float) -> None:
    """Print p50 and p99 of a replay and of a retrieve, at `rate` creates per second."""
    times = asyncio.run(_measure(stack, shop, rate))
    for name, values in times.items():
        values.sort()
        middle, high = values[len(values) // 2], values[len(values) * 99 // 100]
        print(
            f"{name} at {rate:,.0f} creates/s: p50 {middle * 1000:.2f} ms,"
            f" p99 {high * 1000:.2f} ms ({len(values)} samples)"
        )


async def _measure(stack: Stack, shop: Shop, rate: float) -> dict[str, list[float]]:
    headers = {"Authorization": f"Bearer {shop.key}"}
    body = {"amount": 15000, "currency": "usd", "payment_method_id": shop.method}
    key = str(uuid.uuid4())
    times: dict[str, list[float]] = {"replayed create": [], "retrieve": []}
    async with aiohttp.ClientSession(stack.base_url, headers=headers) as session:
        first = await _create(session, key, body)
        load = asyncio.create_task(_load(session, rate, body))
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
        await load
    return times


async def _create(session: aiohttp.ClientSession, key: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Idempotency-Key": key}
    async with session.post("/v1/payments", json=body, headers=headers) as response:
        answer: dict[str, Any] = await response.json()
        return answer


async def _load(session: aiohttp.ClientSession, rate: float, body: dict[str, Any]) -> None:
    """An open loop: requests leave on time, whether earlier ones are answered or not."""
    running: set[asyncio.Task[Any]] = set()
    began, sent = time.monotonic(), 0
    while (now := time.monotonic()) < began + SECONDS:
        while sent < (now - began) * rate:
            task = asyncio.create_task(_create(session, str(uuid.uuid4()), body))
            running.add(task)
            task.add_done_callback(running.discard)
            sent += 1
        await asyncio.sleep(0.002)
    await asyncio.gather(*running)
