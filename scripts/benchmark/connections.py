"""Keep-alive HTTP/1.1 for a load: as little work for an answer as can be.

It reads what our own door writes, an answer with `Content-Length`, and nothing else; what
it cannot read is told as such.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from scripts.benchmark.mix import Request

UNREADABLE, RESET = "unreadable", "cut off"
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_REQUEST_ID = b"x-request-id: "
_RETRY_AFTER = b"retry-after: "
_STATUS = slice(9, 12)


class Answer(NamedTuple):
    """An answer, or `failure` and status 0 where there was none."""

    status: int
    request_id: str
    retry_after: bool
    body: bytes
    failure: str = ""


class Connection(asyncio.Protocol):
    """One request at a time; `answered(connection, request, answer)` for each of them.

    Who was cut off while nothing was asked is told nothing: `open` is False from then on.
    """

    def __init__(self, answered: Callable[["Connection", Request, Answer], None]) -> None:
        self._answered = answered
        self._transport: Any = None
        self._request: Request | None = None
        self._read = b""
        self._needed = 0
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.open = True

    def ask(self, request: Request) -> None:
        """Send one request; the one before must have been answered."""
        self._request = request
        self._transport.write(request.data)

    def close(self) -> None:
        """Hang up."""
        self._request = None
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        read = self._read + data if self._read else data
        if len(read) < self._needed:
            self._read = read
            return
        head_end = read.find(_HEAD_END)
        if head_end < 0:
            self._read = read
            return
        head = read[: head_end + 2].lower()
        length = _value(head, _LENGTH)
        if not length.isdigit() or not head[_STATUS].isdigit():
            return self._end(Answer(0, "", False, b"", UNREADABLE))
        self._needed = head_end + len(_HEAD_END) + int(length)
        if len(read) < self._needed:
            self._read = read
            return
        self._read, self._needed = b"", 0
        self._end(
            Answer(
                int(head[_STATUS]),
                _value(head, _REQUEST_ID).decode(),
                _value(head, _RETRY_AFTER).isdigit(),
                read[head_end + len(_HEAD_END) :],
            )
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._end(Answer(0, "", False, b"", RESET))

    def _end(self, answer: Answer) -> None:
        request, self._request = self._request, None
        if answer.failure == UNREADABLE:
            self._transport.abort()
        if request is not None:
            self._answered(self, request, answer)


def _value(head: bytes, name: bytes) -> bytes:
    place = head.find(b"\n" + name)
    if place < 0:
        return b""
    start = place + 1 + len(name)
    return head[start : head.find(b"\r", start)]
