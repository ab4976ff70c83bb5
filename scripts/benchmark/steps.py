"""What steps of the pipeline cost: `scripts/bench --steps`.

The application is built in this process over the running stack's servers, once whole and once
without each group of steps, and asked by 32 tasks at a time, so that statements and commands
are shared as under load.  The difference of CPU is what the group costs.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import uvloop

from adapters.settings import Settings
from flows.house import House, open_house
from gateway import pipeline
from gateway.app import build_app
from gateway.exchange import AsgiApp
from runtime.memory import settle_memory

AT_ONCE = 32
REQUESTS = 960
ROUNDS = 9
# No process of the stack has this number: its counter slots are free.
PROCESS_NUMBER = "9"
GROUPS = ("AT_THE_EDGE", "WITH_AN_OPERATION", "WITH_A_CALLER")
# What a request is answered without: taken away, nothing that is left misses it.
WITHOUT: Mapping[str, frozenset[str]] = {
    "whole": frozenset(),
    "audit entry and log line": frozenset({"audit", "audit_sink"}),
    "limits": frozenset({"rate_limit", "charge_items", "tell_limits"}),
    "country of the address": frozenset({"origin"}),
    "cross-origin headers": frozenset({"cross_origin"}),
    "metrics": frozenset({"measure"}),
    "room for requests under way": frozenset({"shed"}),
    "standing of the merchant": frozenset({"standing"}),
}

MakeRequest = Callable[[], tuple[dict[str, Any], bytes]]


def show_steps(environment: dict[str, str], requests: Mapping[str, MakeRequest]) -> None:
    """Print CPU microseconds of the API's thread, whole and by group, for every request."""
    environment = {**environment, "PAYMINT_PROCESS_NUMBER": PROCESS_NUMBER}
    with _quiet() as say:
        for name, request in requests.items():
            say(f"{name}: CPU us of the API's thread, {AT_ONCE} at once, without sockets")
            for line in uvloop.run(_costs(environment, request)):
                say(line)


@contextmanager
def _quiet() -> Iterator[Callable[..., None]]:
    """Log lines are written and go nowhere; what is said comes out."""
    sys.stdout.flush()
    shown = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        with os.fdopen(os.dup(shown), "w") as out:
            yield partial(print, file=out, flush=True)
    finally:
        os.dup2(shown, 1)


async def _costs(environment: dict[str, str], request: MakeRequest) -> list[str]:
    house = await open_house(Settings.from_environment(environment))
    apps = {name: _app_without(house, steps) for name, steps in WITHOUT.items()}
    settle_memory()
    measured: dict[str, list[float]] = {name: [] for name in apps}
    try:
        await _load(apps["whole"], request)
        for _ in range(ROUNDS):
            for name, app in apps.items():
                measured[name].append(await _load(app, request))
    finally:
        await house.close()
    whole = statistics.median(measured["whole"])
    lines = [
        f"  {whole:7.1f}  whole (from {min(measured['whole']):.0f} to"
        f" {max(measured['whole']):.0f} in {ROUNDS} rounds)"
    ]
    for name in list(WITHOUT)[1:]:
        differences = (a - b for a, b in zip(measured["whole"], measured[name], strict=True))
        lines.append(f"  {statistics.median(differences):7.1f}  {name}")
    return lines


def _app_without(house: House, steps: frozenset[str]) -> AsgiApp:
    kept = {group: getattr(pipeline, group) for group in GROUPS}
    for group, binds in kept.items():
        setattr(pipeline, group, tuple(bind for bind in binds if _name(bind) not in steps))
    try:
        return build_app(house)
    finally:
        for group, binds in kept.items():
            setattr(pipeline, group, binds)


def _name(bind: Any) -> str:
    return str(bind.__module__).rpartition(".")[2]


async def _load(app: AsgiApp, request: MakeRequest) -> float:
    """CPU microseconds a request."""
    made = [request() for _ in range(REQUESTS)]
    began = time.thread_time()
    await asyncio.gather(*(_ask_all(app, made[n::AT_ONCE]) for n in range(AT_ONCE)))
    return (time.thread_time() - began) / REQUESTS * 1e6


async def _ask_all(app: AsgiApp, made: list[tuple[dict[str, Any], bytes]]) -> None:
    for scope, body in made:
        await _ask(app, scope, body)


async def _ask(app: AsgiApp, scope: dict[str, Any], body: bytes) -> None:
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    if not 200 <= statuses[0] < 300:
        raise RuntimeError(f"{scope['method']} {scope['path']} was answered {statuses[0]}")


def request_of(
    method: str, path: str, key: str, body: dict[str, Any] | None = None
) -> Callable[[], tuple[dict[str, Any], bytes]]:
    """Makes the ASGI scope and the body of one more such request."""
    data = b"" if body is None else json.dumps(body).encode()
    shared = [
        (b"host", b"127.0.0.1"),
        (b"authorization", f"Bearer {key}".encode()),
        (b"user-agent", b"bench"),
    ]
    if data:
        shared += [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(data)).encode()),
        ]

    def make() -> tuple[dict[str, Any], bytes]:
        headers = list(shared)
        if data:
            headers.append((b"idempotency-key", str(uuid4()).encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 1),
        }
        return scope, data

    return make
