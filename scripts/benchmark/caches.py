"""Reads of payments and customers with rows kept in Valkey, and without.

Over HTTP: latency, and CPU of API, PostgreSQL and Valkey together.  At the flow: the time
of one read alone, and of one among 32 side by side, in a process of its own beside an idle
API.  Each setting has a stack of its own, in turns, so that a drift shows.
"""

import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import httpx

from adapters.settings import Settings
from domain.callers import Asking, Caller
from flows.customer_reads import shown_customer
from flows.house import House, open_house
from flows.payment_reads import shown_payment
from runtime.database import Row
from scripts.benchmark.load import Load, Result, run_load
from scripts.benchmark.shop import Shop
from scripts.launcher.house import READ_CACHE, Options
from scripts.launcher.stack import Stack

TURNS = 2
OBJECTS = 300
# A payment is remembered for 30 s: load and flow must be through by then.
WARM_UP_SECONDS = 2
SECONDS_MAX = 8
ALONE, TOGETHER = 2000, 20_000
SIDE_BY_SIDE = 32
COUNTED = ("paymint-api", "postgres", "valkey")
PROCESS_NUMBER = "9"
_CREATE = '{"amount": 15000, "currency": "usd", "payment_method_id": "METHOD"}'

Read = Callable[[House, Asking, str], Awaitable[Row]]


def compare_caches(seconds: int, connections: int) -> None:
    """Print every figure of docs/decisions/0023-redis-caches.md."""
    print(f"{'':34}{'per s':>8}{'p50 ms':>8}{'p99':>8}   CPU us: API, PG, Valkey, all")
    for turn in range(TURNS):
        for on in (False, True) if turn % 2 == 0 else (True, False):
            _with_stack(on, min(seconds, SECONDS_MAX), connections)


def _with_stack(on: bool, seconds: int, connections: int) -> None:
    os.environ[READ_CACHE] = "1" if on else "0"
    directory = Path(tempfile.mkdtemp(prefix="paymint-bench-", dir="/var/tmp"))  # nosec B108  # mkdtemp: 0700, unforeseeable
    try:
        with Stack(directory, Options(port=0)) as stack:
            _measure(stack, "with" if on else "without", (seconds, connections))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _measure(stack: Stack, name: str, shape: tuple[int, int]) -> None:
    shop = Shop(stack.keys)
    create = Load(
        f"create, {name}", ["/v1/payments"], shop.key, _CREATE.replace("METHOD", shop.method)
    )
    _load(stack, create, shape)
    reads: dict[str, Read] = {"payments": shown_payment, "customers": shown_customer}
    for kind, read in reads.items():
        ids = _made(stack, shop, kind)
        paths = [f"/v1/{kind}/{each}" for each in ids]
        _load(stack, Load(f"{kind}, {name}", paths, shop.key), shape)
        ids = _made(stack, shop, kind)
        alone, together = asyncio.run(_at_the_flow(stack, shop, read, ids))
        print(f"{kind}, {name}, at the flow: {alone:.0f} us alone, {together:.0f} us of 32")


def _made(stack: Stack, shop: Shop, kind: str) -> list[str]:
    body = {"amount": 15000, "currency": "usd", "payment_method_id": shop.method}
    made = []
    with httpx.Client(headers={"Authorization": f"Bearer {shop.key}"}) as client:
        for _ in range(OBJECTS):
            answer = client.post(
                f"{stack.base_url}/v1/{kind}",
                json=body if kind == "payments" else {"name": "Bench"},
                headers={"Idempotency-Key": str(uuid4())},
            )
            made.append(str(answer.raise_for_status().json()["id"]))
    return made


def _load(stack: Stack, load: Load, shape: tuple[int, int]) -> Result:
    seconds, connections = shape
    pids = stack.process_ids()
    run_load(stack.base_url, load, WARM_UP_SECONDS, pids, connections)
    result = run_load(stack.base_url, load, seconds, pids, connections)
    cpu = [result.cpu.get(each, 0.0) for each in COUNTED]
    figures = "".join(f"{each:>8.0f}" for each in (*cpu, sum(cpu)))
    print(
        f"{load.name:34}{result.rate:>8,.0f}{result.p50:>8.2f}{result.p99:>8.2f}{figures}",
        flush=True,
    )
    return result


async def _at_the_flow(stack: Stack, shop: Shop, read: Read, ids: list[str]) -> tuple[float, float]:
    """Microseconds of a read alone, and of one among many side by side."""
    environment = {**_environment(stack), "PAYMINT_PROCESS_NUMBER": PROCESS_NUMBER}
    house = await open_house(Settings.from_environment(environment))
    caller = Caller(shop.merchant_id, False, UUID(int=1), "", frozenset(), "active")
    asking = Asking(caller, "req_" + "0" * 32, None)

    async def some(count: int, first: int) -> None:
        for number in range(count):
            await read(house, asking, ids[(first + number) % len(ids)])

    try:
        await asyncio.sleep(0.5)
        await some(len(ids), 0)
        began = time.perf_counter()
        await some(ALONE, 0)
        alone = (time.perf_counter() - began) / ALONE
        began = time.perf_counter()
        each = TOGETHER // SIDE_BY_SIDE
        await asyncio.gather(*(some(each, place * 7) for place in range(SIDE_BY_SIDE)))
        together = (time.perf_counter() - began) / (each * SIDE_BY_SIDE)
    finally:
        await house.close()
    return alone * 1e6, together * 1e6


def _environment(stack: Stack) -> dict[str, str]:
    """What the API was given."""
    given: dict[str, str] = json.loads(stack.state.environment.read_text())["paymint-api"]
    return given
