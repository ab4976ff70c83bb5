"""One request on a connection, and its answer: head and body in one write.

uvicorn writes the two apart, and searches each header twice by a regular expression: with
sixteen headers the one write and one look take a third of the time.
"""

from collections.abc import Iterable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

Header = tuple[bytes, bytes]

_LINE_END: Final = b"\r\n"
_CLOSE: Final = (b"connection", b"close")
# All but the tab, which a header may have (RFC 9110 section 5.5).
_CONTROLS: Final = bytes([*range(9), *range(10, 32), 127])


class WholeAnswer(RequestResponseCycle):
    """uvicorn's cycle for answers that come as one message for the head and one for the body.

    Whoever answers says the body's length himself: nothing is sent in chunks.
    """

    _head = b""

    async def send(self, message: Any) -> None:
        """Keep the head; send it with the body.  Raises RuntimeError for a head of two readings."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self._head = self._encoded(message["status"], message["headers"])
            self.response_started = True
            self.waiting_for_100_continue = False
            return
        self.transport.write(self._head + message["body"])
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    async def send_500_response(self) -> None:
        """uvicorn's, which says that the connection ends."""
        self.keep_alive = False
        await super().send_500_response()

    def _encoded(self, status: int, headers: Iterable[Header]) -> bytes:
        fields = [*self.default_headers, *headers]
        if not self.keep_alive and _CLOSE not in fields:
            fields.append(_CLOSE)
        parts = [STATUS_LINE[status]]
        for name, value in fields:
            parts += (name, b": ", value, _LINE_END)
        parts.append(_LINE_END)
        head = b"".join(parts)
        # A line end inside a header would begin another one, or the body.
        controls = len(head) - len(head.translate(None, _CONTROLS))
        if controls != len(_LINE_END) * (len(fields) + 2):
            raise RuntimeError("a header has a control character")
        return head
