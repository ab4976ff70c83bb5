"""Clients that take their time, and many of them: slowloris and its kin."""

import contextlib
import itertools
import select
import socket
import time
from collections.abc import Iterator

import pytest

from tests.attacks.wire.conftest import (
    BODY_SECONDS,
    CONNECTIONS_MAX,
    HEAD_SECONDS,
    IDLE_SECONDS,
    STALL_SECONDS,
)
from tests.attacks.wire.sockets import connect, head, read_to_end, statuses
from tests.shop import Merchant, Shop, told

# How much later than its limit a connection may end, beside other work on the machine.
LATENESS_SECONDS = 8.0
DRIP_SECONDS = 0.1
DASHBOARD = "http://localhost:5173"


@pytest.fixture(params=["api", "vault"])
def door(request: pytest.FixtureRequest, impatient: Shop) -> str:
    """The address of each public door in turn."""
    return impatient.base_url if request.param == "api" else impatient.vault_url


@pytest.fixture(scope="module")
def buyer(impatient: Shop) -> Merchant:
    """A merchant of the impatient stack."""
    return impatient.open_account()


def lives(connection: socket.socket, drip: Iterator[bytes], at_most: float) -> tuple[float, bytes]:
    """For how many seconds the door keeps the connection while `drip` comes, and what it says."""
    began = time.monotonic()
    said = b""
    while (now := time.monotonic()) - began < at_most:
        if select.select([connection], [], [], DRIP_SECONDS)[0]:
            with contextlib.suppress(ConnectionResetError):
                if part := connection.recv(65_536):
                    said += part
                    continue
            return now - began, said
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(next(drip))
    return at_most, said


def kept_for(connection: socket.socket, drip: Iterator[bytes], limit: float) -> tuple[float, bytes]:
    """As `lives`; the connection must end by itself, not much later than `limit`."""
    seconds, said = lives(connection, drip, limit + LATENESS_SECONDS)
    assert seconds < limit + LATENESS_SECONDS
    return seconds, said


NOTHING = b""


def test_a_connection_that_says_nothing_ends(door: str) -> None:
    with connect(door) as connection:
        seconds, said = kept_for(connection, itertools.repeat(NOTHING), HEAD_SECONDS)
    assert seconds > HEAD_SECONDS / 2 and said == b""


def test_a_head_that_drips_ends(door: str) -> None:
    with connect(door) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        seconds, said = kept_for(connection, itertools.repeat(b"a"), HEAD_SECONDS)
    assert seconds > HEAD_SECONDS / 2 and said == b""


def test_a_head_that_never_begins_ends(door: str) -> None:
    with connect(door) as connection:
        seconds, said = kept_for(connection, itertools.repeat(b"\r\n"), HEAD_SECONDS)
    assert seconds > HEAD_SECONDS / 2 and said == b""


def asking(shop: Shop, buyer: Merchant, door: str, length: int) -> bytes:
    at_vault = door == shop.vault_url
    key = buyer.publishable_key if at_vault else buyer.secret_key
    return head(
        f"POST {'/v1/tokens' if at_vault else '/v1/customers'} HTTP/1.1",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
    )


def test_a_body_that_stops_ends(impatient: Shop, buyer: Merchant, door: str) -> None:
    with connect(door) as connection:
        connection.sendall(asking(impatient, buyer, door, 1_000) + b"{")
        seconds, said = kept_for(connection, itertools.repeat(NOTHING), STALL_SECONDS)
    assert seconds > STALL_SECONDS / 2 and said == b""


def test_a_body_that_drips_ends(impatient: Shop, buyer: Merchant, door: str) -> None:
    with connect(door) as connection:
        connection.sendall(asking(impatient, buyer, door, 1_000) + b"{")
        seconds, said = kept_for(connection, itertools.repeat(b" "), BODY_SECONDS)
    # The bytes that came kept it alive beyond the stall, and not beyond the whole.
    assert seconds > STALL_SECONDS and said == b""


def test_a_body_that_nobody_reads_ends_too(door: str) -> None:
    with connect(door) as connection:
        connection.sendall(head("POST /none HTTP/1.1", "Content-Length: 1000") + b"{")
        _, said = kept_for(connection, itertools.repeat(b" "), BODY_SECONDS)
    assert statuses(said) == [404]


def test_a_connection_between_requests_ends_whatever_trickles(door: str) -> None:
    with connect(door) as connection:
        connection.sendall(head("GET /healthz HTTP/1.1"))
        seconds, said = kept_for(connection, itertools.repeat(b"\r\n"), IDLE_SECONDS)
    assert statuses(said) == [200] and seconds > IDLE_SECONDS / 2


def test_an_answer_that_nobody_takes_is_dropped(impatient: Shop) -> None:
    """Both sides' kernels hold some megabytes; behind them the door must not wait for ever."""
    asked = 40
    whole = len(
        impatient.http.get("/openapi.json", headers={"Accept-Encoding": "identity"}).content
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(10.0)
        host, port = impatient.base_url.removeprefix("http://").split(":")
        connection.connect((host, int(port)))
        connection.sendall(head("GET /openapi.json HTTP/1.1") * asked)
        # Hung up is seen without taking anything.
        watched = select.poll()
        watched.register(connection, select.POLLHUP | select.POLLRDHUP | select.POLLERR)
        assert watched.poll(1_000 * (1.0 + LATENESS_SECONDS)), "the door waits for ever"
        taken = read_to_end(connection)
    assert len(taken) < asked * whole


def test_a_slow_network_is_not_the_clients_fault(impatient: Shop, buyer: Merchant) -> None:
    began = time.monotonic()
    paid = told(buyer.pay_answer(), 201)
    assert paid["status"] == "captured"
    assert time.monotonic() - began > BODY_SECONDS


def test_many_that_wait_keep_nobody_out(impatient: Shop, buyer: Merchant, door: str) -> None:
    with contextlib.ExitStack() as all_open:
        crowd = [all_open.enter_context(connect(door)) for _ in range(3 * CONNECTIONS_MAX)]
        for number, connection in enumerate(crowd):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                if number % 3 == 1:
                    connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
                elif number % 3 == 2:
                    connection.sendall(asking(impatient, buyer, door, 1_000) + b"{")
        for _ in range(5):
            with connect(door) as served:
                served.sendall(head("GET /healthz HTTP/1.1", "Connection: close"))
                assert statuses(read_to_end(served)) == [200]
        ended = [c for c in crowd if select.select([c], [], [], 0)[0]]
    assert len(ended) >= CONNECTIONS_MAX


def test_the_operator_names_the_dashboards_origin(impatient: Shop) -> None:
    for origin, shown in ((DASHBOARD, DASHBOARD), ("https://merchant-dashboard.paymint.com", None)):
        answer = impatient.http.get("/none", headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == shown
