"""How soon events reach their receivers, one of which hangs: with no backlog, and with a long one.

Events are written straight into the database, at an even rate, each for one endpoint of a
merchant of its own.  What is measured is the time from an event to the begin of its first attempt,
as the attempts themselves tell.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any
from uuid import UUID

import httpx
import psycopg

from runtime.ids import uuid7
from scripts.benchmark.accounting import snapshot
from scripts.launcher.stack import Stack

RATE = 500
ENDPOINTS = 10
BACKLOG = 100_000
EVERY_SECONDS = 0.02
# What the last events are given to be attempted.
PATIENCE_SECONDS = 10.0
HANG_SECONDS = 60.0

_EVENT = """INSERT INTO events (id, merchant_id, livemode, type, object_id, sequence, object,
    request_id, created_at)
    VALUES (%s, %s, false, 'payment.captured', %s, 1, '{"object": "payment"}', 'req_bench', %s)"""
_DELIVERY = """INSERT INTO webhook_deliveries (event_id, endpoint_id, merchant_id, livemode,
    object_id, sequence, state, next_attempt_at, created_at)
    VALUES (%s, %s, %s, false, %s, 1, 'pending', %s, %s)"""
_BACKLOG = """WITH made AS (
    INSERT INTO events (id, merchant_id, livemode, type, object_id, sequence, object,
        request_id, created_at)
    SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0')
            || '7' || substr(digest, 1, 3) || '8' || substr(digest, 4, 15))::uuid,
        %(merchant)s, false, 'payment.captured', gen_random_uuid(), 1, '{}', 'req_bench', now()
    FROM generate_series(1, %(count)s) AS n, LATERAL (SELECT md5(n::text) AS digest) AS digested
    RETURNING id, object_id)
INSERT INTO webhook_deliveries (event_id, endpoint_id, merchant_id, livemode, object_id,
    sequence, state, next_attempt_at, created_at)
SELECT id, %(endpoint)s, %(merchant)s, false, object_id, 1, 'pending',
    now() - random() * interval '1 hour', now() FROM made"""
_WAITED = """SELECT count(*), count(a.attempt),
    percentile_cont(ARRAY[0.5, 0.95, 0.99, 1.0]) WITHIN GROUP (
        ORDER BY extract(epoch FROM a.attempted_at - d.created_at)::float8 * 1000)
    FROM webhook_deliveries d
    LEFT JOIN webhook_attempts a ON a.event_id = d.event_id AND a.endpoint_id = d.endpoint_id
        AND a.merchant_id = d.merchant_id AND a.attempt = 1
    WHERE d.created_at >= %(since)s AND d.endpoint_id = ANY(%(endpoints)s)"""

Endpoint = tuple[UUID, UUID]


class _Answering(BaseHTTPRequestHandler):
    """Answers 200 at once, and `/hangs` never within an attempt's time."""

    def do_POST(self) -> None:
        """Take the event."""
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/hangs":
            time.sleep(HANG_SECONDS)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: the figures are what is printed."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


@contextmanager
def _receiving() -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), _Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def measure_deliveries(stack: Stack, seconds: int) -> None:
    """Print how long first attempts waited; the first endpoint is the one that hangs."""
    database = stack.databases.main
    with _receiving() as url:
        paths = ["/hangs", *(f"/{number}" for number in range(1, ENDPOINTS))]
        endpoints = [_endpoint(str(stack.keys["base_url"]), url + path) for path in paths]
        print(f"{RATE} events/s to {ENDPOINTS} endpoints, one of which hangs, for {seconds} s")
        _show(stack, "no backlog", endpoints, seconds)
        merchant, endpoint = endpoints[0]
        with psycopg.connect(database, autocommit=True) as connection:
            given = {"merchant": merchant, "endpoint": endpoint, "count": BACKLOG}
            connection.execute(_BACKLOG, given)
        with psycopg.connect(stack.databases.main_owner or database, autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE webhook_deliveries")
        _show(stack, f"{BACKLOG:,} due at the one that hangs", endpoints, seconds)


def _endpoint(base_url: str, url: str) -> Endpoint:
    """An endpoint of a new merchant."""
    account = {"email": "bench@shop.example", "business_name": "Bench", "country": "US"}
    opened = httpx.post(f"{base_url}/v1/sandbox_accounts", json=account).raise_for_status().json()
    headers = {"Authorization": f"Bearer {opened['secret_key']}"}
    made = httpx.post(f"{base_url}/v1/webhook_endpoints", json={"url": url}, headers=headers)
    endpoint = made.raise_for_status().json()["id"]
    return _uuid(opened["merchant"]["id"]), _uuid(endpoint)


def _uuid(public: str) -> UUID:
    return UUID(hex=public.partition("_")[2])


def _show(stack: Stack, name: str, endpoints: list[Endpoint], seconds: int) -> None:
    database, before = stack.databases.main, snapshot(stack.process_ids())
    since, late = datetime.now(UTC), _feed(database, endpoints, seconds)
    quick = [endpoint for _, endpoint in endpoints[1:]]
    given = {"since": since, "endpoints": quick}
    deadline = time.monotonic() + PATIENCE_SECONDS
    with psycopg.connect(database, autocommit=True) as connection:
        while True:
            row = connection.execute(_WAITED, given).fetchone()
            assert row is not None, "an aggregate answers one row"
            events, attempted, waits = row
            if attempted == events or time.monotonic() > deadline:
                break
            time.sleep(0.5)
    after = snapshot(stack.process_ids())
    p50, p95, p99, most = waits
    cpu = ", ".join(
        f"{process} {(after[process] - before[process]) * 1e6 / max(attempted, 1):.0f}"
        for process in after
        if process.startswith(("paymint-worker", "postgres"))
    )
    print(
        f"{name}: {events:,} events, {events - attempted} without an attempt;"
        f" first attempt after p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f}, most {most:.0f} ms;"
        f" CPU us an event: {cpu}; written at most {late * 1000:.0f} ms late",
        flush=True,
    )


def _feed(database: str, endpoints: list[Endpoint], seconds: int) -> float:
    """Write the events at an even rate; by how many seconds the writing was ever late."""
    turns, late = cycle(endpoints), 0.0
    batch = int(RATE * EVERY_SECONDS)
    began = time.monotonic()
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        for step in range(int(seconds / EVERY_SECONDS)):
            due = began + step * EVERY_SECONDS
            time.sleep(max(due - time.monotonic(), 0))
            late = max(late, time.monotonic() - due)
            now = datetime.now(UTC)
            rows = [(uuid7(), uuid7(), *next(turns)) for _ in range(batch)]
            events = [(event, merchant, thing, now) for event, thing, merchant, _ in rows]
            queued = [
                (event, endpoint, merchant, thing, now, now)
                for event, thing, merchant, endpoint in rows
            ]
            cursor.executemany(_EVENT, events)
            cursor.executemany(_DELIVERY, queued)
            connection.commit()
    return late
