"""One answer of the token door, and how it is put on the wire."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

Header = tuple[bytes, bytes]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Answer(NamedTuple):
    """Status, headers besides the length, body."""

    status: int
    headers: list[Header]
    body: bytes = b""


async def deliver(answer: Answer, send: Send, *, without_body: bool) -> None:
    """Send it; an answer to HEAD says how long its body would be."""
    length: list[Header] = []
    if answer.status != 204:
        length = [(b"content-length", str(len(answer.body)).encode())]
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [*answer.headers, *length],
        }
    )
    body = b"" if without_body else answer.body
    await send({"type": "http.response.body", "body": body})
