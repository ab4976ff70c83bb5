"""One connection to Valkey that many requests share: commands out, short replies back.

In a profile of creates a kept client's pipelines took at least 7 % of the API's busy time
for a command whose reply is one line; this link takes 3.5 % (docs/decisions/0016).  It
speaks only commands that are answered by one line (simple string, nil, integer, error) or
by one text without line ends (our JSON), in the order they were sent.
"""

import asyncio
import ssl
from collections import deque
from typing import Any

from redis.asyncio.connection import SSLConnection, parse_url

CONNECT_SECONDS = 0.25
_DEFAULT_PORT = 6379


class LinkLost(Exception):
    """The connection broke, or an answer was late: what was asked may or may not be done."""


class ValkeyLink(asyncio.Protocol):
    """`ask(command)` answers the reply's line, or its text, without the line end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[asyncio.Future[bytes], float]] = deque()
        self._outgoing: list[bytes] = []
        self._received = b""
        self._text_follows = False

    @property
    def open(self) -> bool:
        """Whether commands can be sent."""
        return self._transport is not None

    def ask(self, *words: bytes) -> "asyncio.Future[bytes]":
        """Send a command with the others of this loop turn; raises LinkLost through the future."""
        future: asyncio.Future[bytes] = self._loop.create_future()
        if self._transport is None:
            future.set_exception(LinkLost())
            return future
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(_encoded(words))
        self._waiting.append((future, self._loop.time()))
        return future

    def drop_if_late(self, patience_seconds: float) -> None:
        """Give the connection up when its oldest question has waited too long."""
        if self._waiting and self._loop.time() - self._waiting[0][1] > patience_seconds:
            self.drop()

    def drop(self) -> None:
        """Close at once; whoever waits is told."""
        if self._transport is not None:
            self._transport.abort()
        self.connection_lost(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        *lines, self._received = (self._received + data).split(b"\r\n")
        for line in lines:
            # A text is announced by its length; only nil, `$-1`, is that line alone.
            if not self._text_follows and line[:1] == b"$" and line != b"$-1":
                self._text_follows = True
                continue
            self._text_follows = False
            if not self._waiting:
                self.drop()
                return
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_result(line)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._outgoing.clear()
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(LinkLost())

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()


async def connect(url: str) -> ValkeyLink:
    """A link that has signed in; raises LinkLost or OSError."""
    place: dict[str, Any] = dict(parse_url(url))
    secure = place.get("connection_class") is SSLConnection
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, link = await loop.create_connection(
                ValkeyLink,
                place.get("host", "localhost"),
                place.get("port", _DEFAULT_PORT),
                ssl=ssl.create_default_context() if secure else None,
            )
            await _sign_in(link, place)
    except TimeoutError as error:
        raise LinkLost from error
    return link


async def _sign_in(link: ValkeyLink, place: dict[str, Any]) -> None:
    if place.get("password"):
        user = str(place.get("username") or "default").encode()
        await _must_be_ok(link, b"AUTH", user, str(place["password"]).encode())
    if place.get("db"):
        await _must_be_ok(link, b"SELECT", str(place["db"]).encode())
    # One that is stopped still takes connections, and must not be asked again and again.
    await _must_answer(link, b"+PONG", b"PING")


async def _must_be_ok(link: ValkeyLink, *words: bytes) -> None:
    await _must_answer(link, b"+OK", *words)


async def _must_answer(link: ValkeyLink, line: bytes, *words: bytes) -> None:
    if await link.ask(*words) != line:
        link.drop()
        raise LinkLost


def _encoded(words: tuple[bytes, ...]) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    parts.extend(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    return b"".join(parts)
