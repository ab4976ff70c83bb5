"""uvicorn's HTTP protocol with a bound on the heads of requests.

Bytes that are no HTTP, and a head without end, which uvicorn would gather until the memory
is full, are refused in the envelope of every other refusal, with an id that stands in the log.
"""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from contract.unreadable import answer_to_unreadable

# Ours send a few hundred bytes in some ten headers; these are what proxies allow.  A head that
# comes in one piece is bounded by the piece, of which the event loop reads 256 KiB at most.
HEAD_BYTES_MAX: Final = 65_536
HEADERS_MAX: Final = 128


class BoundedHttp(HttpToolsProtocol):
    """The protocol of one connection, at either house's door."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # What came since the parser last had a whole head or a part of a body.
        self._unparsed_bytes = 0

    def data_received(self, data: bytes) -> None:
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._unparsed_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response("")

    def on_headers_complete(self) -> None:
        self._unparsed_bytes = 0
        if len(self.headers) > HEADERS_MAX:
            # The parser hands this on as bytes that it refuses.
            raise ValueError("too many headers")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed_bytes = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that the parser refuses, and close: nothing after them can be read."""
        self.transport.write(answer_to_unreadable())
        self.transport.close()
