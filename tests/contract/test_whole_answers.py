"""Answers as they leave a door: whole, in their order, and no header more than was meant."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from tests.contract.doors import opened

REQUEST = b"GET /%s HTTP/1.1\r\nhost: door\r\n\r\n"
BODY = b"the body"

Application = Callable[[Any, Any, Any], Awaitable[None]]


def _answering(*headers: tuple[bytes, bytes]) -> Application:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        named = (b"content-length", b"%d" % len(BODY))
        start = {"type": "http.response.start", "status": 200, "headers": [*headers, named]}
        await send(start)
        await send({"type": "http.response.body", "body": BODY})

    return answer


async def _told(application: Application, asked: bytes, *, until: bytes | None = None) -> bytes:
    """What a client that sends these bytes reads, up to `until` or the end of the connection."""
    async with opened(application) as server:
        host, port = server.servers[0].sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(asked)
            async with asyncio.timeout(10):
                return await (reader.read() if until is None else reader.readuntil(until))
        finally:
            writer.close()


def test_requests_that_came_together_are_answered_one_after_the_other() -> None:
    both = _told(_answering(), REQUEST * 2 % (b"1", b"2"), until=BODY + b"HTTP/1.1 200 OK")
    assert uvloop.run(both).startswith(b"HTTP/1.1 200 OK\r\n")


def test_whoever_wants_to_end_is_told_of_the_end() -> None:
    last = (REQUEST % b"1").replace(b"host: door", b"host: door\r\nconnection: close")
    head, _, body = uvloop.run(_told(_answering(), last)).partition(b"\r\n\r\n")
    assert b"connection: close" in head.split(b"\r\n")
    assert body == BODY


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nset-cookie: b", b"a\rb", b"\0"])
def test_a_header_with_a_line_end_in_it_is_no_answer(
    value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "uvicorn.error")
    told = uvloop.run(_told(_answering((b"x-made", value)), REQUEST % b"1"))
    assert told.startswith(b"HTTP/1.1 500 ")
    assert b"x-made" not in told and b"set-cookie" not in told


def test_an_application_that_fails_is_answered_500_and_the_connection_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = []

    async def fail(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        raise ValueError("on purpose")

    caplog.set_level(logging.CRITICAL, "uvicorn.error")
    told = uvloop.run(_told(fail, REQUEST * 2 % (b"1", b"2")))
    assert told.count(b"HTTP/1.1 500 ") == told.count(b"connection: close") == 1
    assert asked == ["/1"], "what came behind it is not begun"
