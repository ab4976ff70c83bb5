"""`scripts/bench [--seconds N] [--connections N] [--rows N]`: every figure of one run.

`--latency`, `--overload`, `--holds`, `--deliveries`, `--steps` and `--caches` measure something
else instead.

Absolute times drift on a shared machine: read the ratios, and CPU per request.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.benchmark.caches import compare_caches
from scripts.benchmark.comparison import compare
from scripts.benchmark.deliveries import measure_deliveries
from scripts.benchmark.floor import Floor
from scripts.benchmark.holds import show_holds
from scripts.benchmark.idempotency import decision_latency
from scripts.benchmark.latency import SECONDS as LATENCY_SECONDS
from scripts.benchmark.latency import show_latency
from scripts.benchmark.load import CONNECTIONS, Load, Result, run_load
from scripts.benchmark.overload import SECONDS as OVERLOAD_SECONDS
from scripts.benchmark.overload import show_overload
from scripts.benchmark.saturation import NETWORK_MS
from scripts.benchmark.shop import Shop
from scripts.benchmark.steps import request_of, show_steps
from scripts.launcher.house import Options
from scripts.launcher.private_files import read_json
from scripts.launcher.stack import Stack

SECONDS = 8
WARM_UP_SECONDS = 3
FEW_ROWS = 10_000
MANY_ROWS = 1_000_000
BATCH_ITEMS = 100
BATCH_CONNECTIONS = 2
_CREATE = (
    '{"amount": 15000, "currency": "usd", "payment_method_id": "%s", "capture": true, '
    '"description": "Order #9281", "metadata": {"order_id": "9281", "sku": "WIDGET-PRO"}}'
)
_LONG_LIST = "/v1/payments?limit=100"
_COLUMNS = ("paymint-api", "paymint-vault", "postgres", "valkey", "paymint-worker")


def main() -> int:
    options = _arguments()
    if options.deliveries:
        return _with_stack(_deliveries, options, Options(0, allow_loopback_webhooks=True))
    if options.latency or options.overload or options.holds:
        network = "-".join(str(each) for each in NETWORK_MS)
        measure = _latency if options.latency else _overload if options.overload else _holds
        return _with_stack(measure, options, Options(0, network_latency=network))
    if shutil.which("wrk") is None:
        print("scripts/bench needs wrk (Debian: apt-get install wrk).", file=sys.stderr)
        return 2
    if options.caches:
        compare_caches(options.seconds, options.connections)
        return 0
    return _with_stack(_steps if options.steps else _measure, options, Options(port=0))


def _with_stack(
    measure: Callable[[Stack, argparse.Namespace], None],
    options: argparse.Namespace,
    chosen: Options,
) -> int:
    directory = Path(tempfile.mkdtemp(prefix="paymint-bench-", dir="/var/tmp"))  # nosec B108  # mkdtemp: 0700, unforeseeable
    try:
        with Stack(directory, replace(chosen, workers=options.workers)) as stack:
            measure(stack, options)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--seconds", type=int, help="length of each load")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--rows", type=int, default=MANY_ROWS, help="size of the large table")
    parser.add_argument("--steps", action="store_true", help="CPU of each step of the pipeline")
    parser.add_argument("--latency", action="store_true", help="at 70 %% of the full rate")
    parser.add_argument("--overload", action="store_true", help="at three times the full rate")
    parser.add_argument("--holds", action="store_true", help="draws on a hold beside sales")
    parser.add_argument("--caches", action="store_true", help="reads with and without Valkey")
    parser.add_argument("--deliveries", action="store_true", help="first attempts of events")
    parser.add_argument("--workers", type=int, default=1, help="worker processes")
    options = parser.parse_args()
    usual = {options.latency: LATENCY_SECONDS, options.overload: OVERLOAD_SECONDS}
    options.seconds = options.seconds or usual.get(True, SECONDS)
    return options


def _latency(stack: Stack, options: argparse.Namespace) -> None:
    show_latency(stack, options.seconds)


def _overload(stack: Stack, options: argparse.Namespace) -> None:
    if not show_overload(stack, options.seconds):
        sys.exit(1)


def _holds(stack: Stack, options: argparse.Namespace) -> None:
    show_holds(stack, options.seconds)


def _deliveries(stack: Stack, options: argparse.Namespace) -> None:
    measure_deliveries(stack, options.seconds)


def _steps(stack: Stack, options: argparse.Namespace) -> None:
    shop = Shop(stack.keys)
    shop.fill(stack.databases.main_owner, 1, FEW_ROWS)
    path = shop.payment_paths(stack.databases.main)[0]
    environment = read_json(stack.state.environment)["paymint-api"]
    requests = {
        "create": request_of("POST", "/v1/payments", shop.key, json.loads(_CREATE % shop.method)),
        "retrieve": request_of("GET", path, shop.key),
    }
    show_steps(environment, requests)


def _measure(stack: Stack, options: argparse.Namespace) -> None:
    shop = Shop(stack.keys)
    create = Load("create", ["/v1/payments"], shop.key, _CREATE % shop.method)
    _run(stack, create, WARM_UP_SECONDS, options)
    _heading()
    created = _show(_run(stack, create, options.seconds, options))
    _show_batches(stack, shop, options, created)
    _compare(stack, shop, options, created)
    _show_reads(stack, shop, options)
    _floor(options, created)
    decision_latency(stack, shop, create, created.rate)


def _show_batches(stack: Stack, shop: Shop, options: argparse.Namespace, created: Result) -> None:
    """The same creates, a hundred in each request; few connections keep the stack as busy."""
    body = _CREATE % shop.method
    load = Load("batch, by item", ["/v1/payments/batch"], shop.key, body, batch=BATCH_ITEMS)
    pids = stack.process_ids()
    run_load(stack.base_url, load, WARM_UP_SECONDS, pids, BATCH_CONNECTIONS)
    batched = _show(run_load(stack.base_url, load, options.seconds, pids, BATCH_CONNECTIONS))
    shares = ", ".join(
        f"{name.removeprefix('paymint-')} {batched.cpu[name] / max(created.cpu[name], 1):.2f}"
        for name in _COLUMNS[:3]
    )
    print(f"CPU of an item of a batch, as a part of a create's: {shares}", flush=True)


def _run(stack: Stack, load: Load, seconds: int, options: argparse.Namespace) -> Result:
    return run_load(stack.base_url, load, seconds, stack.process_ids(), options.connections)


def _compare(stack: Stack, shop: Shop, options: argparse.Namespace, created: Result) -> None:
    assert stack.postgres_binaries is not None, "pgbench comes with the embedded server"
    rows = compare(
        stack.postgres_binaries,
        stack.databases.main,
        shop.merchant_id,
        shop.method_id,
        (options.connections, options.seconds),
    )
    for row in list(rows):
        ratio = created.rate / row.payments_per_second
        print(
            f"pgbench, {row.name}: {row.payments_per_second:,.0f} payments/s;"
            f" create through HTTP is {ratio:.2f} x that",
            flush=True,
        )
    _show(_run(stack, _create(shop), options.seconds, options))


def _create(shop: Shop) -> Load:
    return Load("create again", ["/v1/payments"], shop.key, _CREATE % shop.method)


def _show_reads(stack: Stack, shop: Shop, options: argparse.Namespace) -> None:
    shop.fill(stack.databases.main_owner or stack.databases.main, 1, FEW_ROWS)
    few = _reads(stack, shop, options, f"{FEW_ROWS:,} rows")
    _show_representations(stack, shop, options)
    shop.fill(stack.databases.main_owner or stack.databases.main, FEW_ROWS + 1, options.rows)
    many = _reads(stack, shop, options, f"{options.rows:,} rows")
    for small, large in zip(few, many, strict=True):
        print(
            f"{small.name.split(',')[0]}: p50 at {options.rows:,} rows is"
            f" {large.p50 / small.p50:.2f} x that at {FEW_ROWS:,};"
            f" CPU of PostgreSQL {large.cpu['postgres'] / max(small.cpu['postgres'], 1):.2f} x"
        )


def _reads(stack: Stack, shop: Shop, options: argparse.Namespace, size: str) -> list[Result]:
    paths = shop.payment_paths(stack.databases.main)
    loads = [
        Load(f"retrieve, {size}", paths, shop.key),
        Load(f"list, first page, {size}", ["/v1/payments"], shop.key),
    ]
    for load in loads:
        _run(stack, load, WARM_UP_SECONDS, options)
    return [_show(_run(stack, load, options.seconds, options)) for load in loads]


def _show_representations(stack: Stack, shop: Shop, options: argparse.Namespace) -> None:
    """The same hundred payments, whole, in part and coded: what each costs the API."""
    loads = [
        Load("list of 100", [_LONG_LIST], shop.key),
        Load("list of 100, fields", [f"{_LONG_LIST}&fields=amount,status"], shop.key),
        Load("list of 100, br", [_LONG_LIST], shop.key, coding="br"),
        Load("list of 100, gzip", [_LONG_LIST], shop.key, coding="gzip"),
    ]
    whole, *others = [_show(_run(stack, load, options.seconds, options)) for load in loads]
    for other in others:
        ratio = other.cpu["paymint-api"] / max(whole.cpu["paymint-api"], 1)
        print(f"{other.name}: API CPU is {ratio:.2f} x that of the whole list uncoded")


def _floor(options: argparse.Namespace, created: Result) -> None:
    with Floor() as floor:
        load = Load("constant ASGI answer", ["/"])
        pids = {"paymint-api": floor.pid}
        constant = run_load(floor.url, load, options.seconds, pids, options.connections)
    _show(constant)
    ratio = created.cpu["paymint-api"] / constant.cpu["paymint-api"]
    print(f"API CPU of a create is {ratio:.1f} x the constant answer's")


def _heading() -> None:
    names = "".join(f"{name.removeprefix('paymint-'):>10}" for name in _COLUMNS)
    print(f"{'':34}{'per s':>9}{'p50':>8}{'p95':>8}{'p99 ms':>8}{'bad':>5}   CPU us a request:")
    print(f"{'':72}{names}")


def _show(result: Result) -> Result:
    cpu: Any = "".join(f"{result.cpu.get(name, 0):>10.0f}" for name in _COLUMNS)
    latency = f"{result.p50:>8.2f}{result.p95:>8.2f}{result.p99:>8.2f}"
    print(f"{result.name:34}{result.rate:>9,.0f}{latency}{result.bad:>5}{cpu}", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
