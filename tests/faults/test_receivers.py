"""Webhook receivers that misbehave: their schedule is kept, and others are served meanwhile."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from tests.faults.evidence import Evidence
from tests.receiver import Receiver
from tests.serving import eventually
from tests.shop import Merchant, Shop

# Less than an attempt in bad hands lasts.
SERVED_WITHIN_SECONDS = 8.0
EVENTS = 8
# An attempt ends after 10 s whatever the receiver does, and few are under way to one endpoint.
ATTEMPTED_WITHIN_SECONDS = 60.0
FEWEST_ATTEMPTS = 3
SECOND_ATTEMPT_AFTER = timedelta(minutes=5)
HANG_SECONDS = 30.0
DRIP_SECONDS = 0.5
HUGE_BYTES = 8 * 1024 * 1024
_REQUEST_BYTES = 64 * 1024
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
# `closes` leaves in the middle of its head, `huge` says more than anybody reads.
_DELIVERIES = """SELECT d.state, d.attempts, d.next_attempt_at - a.attempted_at AS pause,
        a.status_code, a.error
    FROM webhook_deliveries AS d JOIN webhook_attempts AS a USING (event_id, endpoint_id)
    JOIN webhook_endpoints AS e ON e.id = d.endpoint_id
    WHERE d.merchant_id = %s AND e.url LIKE '%%/bad'"""

Manner = Callable[[socket.socket, threading.Event], None]


def fails(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")


def hangs(connection: socket.socket, over: threading.Event) -> None:
    over.wait(HANG_SECONDS)


def redirects(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(
        b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    )


def closes(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 20")


def floods(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: %d\r\n\r\n" % HUGE_BYTES)
    for _ in range(HUGE_BYTES // _REQUEST_BYTES):
        connection.sendall(b"x" * _REQUEST_BYTES)


def drips(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(_OK % HUGE_BYTES)
    while not over.wait(DRIP_SECONDS):
        connection.sendall(b"x")


@contextmanager
def misbehaving(manner: Manner) -> Iterator[str]:
    """A receiver that treats every delivery in this manner; its address."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.recv(_REQUEST_BYTES)
                manner(connection, over)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/bad"
        finally:
            over.set()


# What an attempt at each of them is recorded as: a status, or what went wrong.
MANNERS: list[tuple[Manner, int | str]] = [
    (fails, 500),
    (hangs, "timeout"),
    (redirects, 301),
    (closes, "connection_failed"),
    (floods, 503),
    (drips, "timeout"),
]


def named(value: object) -> str:
    return getattr(value, "__name__", "")


@pytest.mark.parametrize(("manner", "recorded"), MANNERS, ids=named)
def test_others_are_served_and_the_schedule_is_kept(
    manner: Manner,
    recorded: int | str,
    fault_shop: Shop,
    merchant: Merchant,
    evidence: Evidence,
    receiver: Receiver,
) -> None:
    neighbour = fault_shop.open_account()
    neighbour.endpoint(receiver.url)
    method = neighbour.save_card(neighbour.customer()["id"]).json()["id"]
    with misbehaving(manner) as url:
        merchant.endpoint(url, enabled_events=["payment.captured"])
        merchant.endpoint(receiver.url, enabled_events=["payment.captured"])
        bad = merchant.save_card(merchant.customer()["id"]).json()["id"]
        for _ in range(EVENTS):
            merchant.pay(bad)
        began = time.monotonic()
        neighbour.pay(method)
        # The merchant's other endpoint and the neighbour's, though eight are in bad hands.
        receiver.wait_for("payment.captured", SERVED_WITHIN_SECONDS, EVENTS + 1)
        assert time.monotonic() - began < SERVED_WITHIN_SECONDS
        eventually(
            lambda: len(evidence.rows(_DELIVERIES)) >= FEWEST_ATTEMPTS, ATTEMPTED_WITHIN_SECONDS
        )
        rows = evidence.rows(_DELIVERIES)
    assert FEWEST_ATTEMPTS <= len(rows) <= EVENTS
    for row in rows:
        check_schedule(row, recorded)


def check_schedule(row: dict[str, Any], recorded: int | str) -> None:
    """One failed attempt, and the second is due five minutes after the first."""
    assert (row["state"], row["attempts"]) == ("pending", 1), row
    assert (row["status_code"] or row["error"]) == recorded, row
    assert abs(row["pause"] - SECOND_ATTEMPT_AFTER) < timedelta(seconds=1), row
