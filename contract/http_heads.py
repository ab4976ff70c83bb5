"""uvicorn's HTTP protocol with bounds, for the public door of either house.

Bytes that are no HTTP, heads without end, and whatever two readers of the same bytes could
read as two different requests (RFC 9112 sections 3.2, 6.1, 6.3, 11.2) are refused in the
envelope of every other refusal, and the connection is closed: nothing after them is read.
"""

import asyncio
import re
import socket
import struct
from typing import Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from contract.http_answers import WholeAnswer
from contract.patience import SLOW, UNLIMITED, UNREAD, Watch
from contract.unreadable import answer_to_unreadable

# Ours send a few hundred bytes in some ten headers; these are what proxies allow.
HEAD_BYTES_MAX: Final = 65_536
HEADERS_MAX: Final = 128
TARGET_BYTES_MAX: Final = 8_192
# The largest body is 1 MB (blueprint section 9); the rest is room for the frames of chunks.
REQUEST_BYTES_MAX: Final = 4 * 1024 * 1024
# Requests that may wait behind the one under way on their connection.
PIPELINED_MAX: Final = 100

_SLASH = ord("/")
_RESET = struct.pack("ii", 1, 0)
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_SEPARATORS = re.compile(rb"%(?:2f|5c|00)", re.IGNORECASE)
_LOOKED_AT = frozenset((b"host", b"expect", b"transfer-encoding", b"content-length", b"upgrade"))
_VERSIONS = ("1.1", "1.0")


class BoundedHttp(HttpToolsProtocol):
    """The protocol of one connection; built with the `watch` of its process in front."""

    def __init__(self, watch: Watch, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # uvicorn lets a request follow one that said "close"; we read nothing behind it.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self._watch = watch
        # What came since the parser last had a whole head or a part of a body, and in all.
        self._unparsed_bytes = 0
        self._request_bytes = 0
        self._head_is_complete = False
        self._hosts = 0
        self._good_host: bytes | None = None
        self._framing: list[tuple[bytes, bytes]] = []
        # The task of a request whose head came in the read that is being parsed.
        self._unbegun: asyncio.Task[None] | None = None
        self._deaf = False
        self._refuses_next = False
        self.since = 0.0
        self._given = UNLIMITED
        self._heard_at = 0.0
        self._unsent_since: float | None = None

    # The connection and its client's time

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self._watch.admit(self):
            transport.abort()
            return
        self._give(self._watch.patience.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.dismiss(self)
        super().connection_lost(exc)

    def _give(self, seconds: float) -> None:
        self._given = seconds
        self.since = self._heard_at = self._watch.now

    @property
    def waits_for_client(self) -> bool:
        """Whether no request is under way: one whose body is not all there has not begun."""
        if self.cycle is None or self.cycle.response_complete:
            return True
        return self._head_is_complete and not self.pipeline

    def end(self) -> None:
        """Close, without an answer, and without waiting for what is not taken."""
        if self.transport.get_write_buffer_size():
            self._drop()
        else:
            self.transport.close()

    def _drop(self) -> None:
        """End without what is not sent; the kernel must not go on offering it either."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def look(self, now: float) -> None:
        """Cut off a client that has taken longer than it is given."""
        patience = self._watch.patience
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            if self._unsent_since is None:
                self._unsent_since = now
            elif now - self._unsent_since >= patience.answer_seconds:
                UNREAD.inc()
                self._drop()
            return
        self._unsent_since = None
        if self.flow.read_paused:
            # We do not read; the client is not slow.
            self.since = self._heard_at = now
        elif self._head_is_complete:
            stalled = now - self._heard_at >= patience.stall_seconds
            if stalled or now - self.since >= patience.body_seconds:
                self._cut()
        elif now - self.since >= self._given and self.waits_for_client:
            self._cut()

    def _cut(self) -> None:
        SLOW.inc()
        self.transport.close()

    # Bytes

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._heard_at = self._watch.now
        self._unbegun = None
        size = len(data)
        self._unparsed_bytes += size
        self._request_bytes += size
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._answer_and_end()
        except httptools.HttpParserError:
            self._refuse()
        else:
            if self._unparsed_bytes > HEAD_BYTES_MAX or self._request_bytes > REQUEST_BYTES_MAX:
                self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._hosts = 0
        if self._framing:
            self._framing = []
        self._give(self._watch.patience.head_seconds)

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _LOOKED_AT:
            self._look_at(name, value)
        if self._head_is_complete:
            # A trailer would be taken for a header by whoever reads the headers late.
            raise ValueError("trailers")
        self.headers.append((name, value))

    def _look_at(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += 1
            if value != self._good_host:
                if not _HOST.fullmatch(value):
                    raise ValueError("host")
                self._good_host = value
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        elif name != b"upgrade":
            self._framing.append((name, value))

    def on_headers_complete(self) -> None:
        # Raised in a callback of the parser, an error comes back from it as unreadable bytes.
        if self._unparsed_bytes > HEAD_BYTES_MAX:
            fields = sum(len(name) + len(value) + 4 for name, value in self.headers)
            if fields + len(self.url) > HEAD_BYTES_MAX:
                raise ValueError("head too long")
        if len(self.headers) > HEADERS_MAX or len(self.url) > TARGET_BYTES_MAX:
            raise ValueError("too many headers, or too long a target")
        version = self.parser.get_http_version()
        if version not in _VERSIONS or self.url[0] != _SLASH:
            raise ValueError("version or target")
        if self._hosts != 1 and (self._hosts or version != "1.0"):
            raise ValueError("host")
        if self._framing:
            self._check_framing(version)
        if len(self.pipeline) >= PIPELINED_MAX:
            raise ValueError("too many requests at once")
        self._begin_cycle(version)
        self._head_is_complete = True
        self._unparsed_bytes = 0
        self._give(self._watch.patience.body_seconds)

    def _begin_cycle(self, version: str) -> None:
        """As uvicorn's `on_headers_complete`, for answers that leave in one write."""
        target = httptools.parse_url(self.url)
        path = target.path.decode("ascii")
        # An id with an encoded slash in it is one segment, and not a way to another path.
        if "%" in path and not _SEPARATORS.search(target.path):
            path = unquote(path)
        self.scope["http_version"] = version
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["path"] = path
        self.scope["raw_path"] = target.path
        self.scope["query_string"] = target.query or b""
        earlier: Any = self.cycle
        self.cycle = WholeAnswer(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if earlier is None or earlier.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _check_framing(self, version: str) -> None:
        """One length, or chunks; the parser refuses most of the rest, and may change its mind."""
        ((name, value), *others) = self._framing
        if others:
            raise ValueError("two framings")
        if name == b"content-length":
            if not value.isdigit():
                raise ValueError("length")
        elif value.lower() != b"chunked" or version == "1.0":
            raise ValueError("transfer coding")

    def on_body(self, body: bytes) -> None:
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._head_is_complete = False
        self._request_bytes = self._unparsed_bytes = 0
        super().on_message_complete()
        waits = self.cycle.response_complete
        self._give(self._watch.patience.idle_seconds if waits else UNLIMITED)

    # Answers

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
        self._unbegun = task

    def on_response_complete(self) -> None:
        """The next of the waiting requests begins, or the client may take its time."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            if len(self.pipeline) == 1 and not self._deaf:
                self.flow.resume_reading()
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._refuses_next:
            self._say_no()
        else:
            self.flow.resume_reading()
            if self._given == UNLIMITED:
                self._give(self._watch.patience.idle_seconds)

    def _answer_and_end(self) -> None:
        """The client asks for another protocol: its request is answered in this one, and what
        it sent behind it, which is in neither for certain, is not read."""
        self._stop_reading()
        if self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def _refuse(self) -> None:
        """Answer bytes that cannot be read, in their turn, and read nothing after them."""
        if self._deaf or self.transport.is_closing():
            return
        self._stop_reading()
        # None before the first request, whatever uvicorn's annotation says.
        cycle: Any = self.cycle
        if cycle is None:
            self._say_no()
        elif not self._head_is_complete:
            # Behind whole requests: theirs are the answers that come first.
            if cycle.response_complete:
                self._say_no()
            else:
                self._refuses_next = True
        elif self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()
            self._refuses_next = True
        elif cycle.response_started:
            # An answer has gone out already; a second one would be taken for another's.
            self.transport.close()
        else:
            if self._unbegun is not None:
                self._unbegun.cancel()
            cycle.disconnected = True
            cycle.message_event.set()
            self._say_no()

    def _stop_reading(self) -> None:
        self._deaf = True
        self.flow.pause_reading()

    def _say_no(self) -> None:
        self.transport.write(answer_to_unreadable())
        self.transport.close()
