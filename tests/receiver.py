"""A merchant's webhook receiver on loopback that keeps what it is sent."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.serving import eventually


@dataclass(frozen=True)
class Delivery:
    """One POST: when it came (unix seconds), its headers in lower case, and its raw body."""

    at: float
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


class _Listening(ThreadingHTTPServer):
    """Many may connect at once: of more than five the kernel would have some try again later."""

    request_queue_size = 128


class Receiver:
    """Answers every POST with `status`; while `answering` is cleared it keeps it waiting."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.answering = threading.Event()
        self.answering.set()
        self.deliveries: list[Delivery] = []
        self._server = _Listening(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()

    def of_type(self, event_type: str) -> list[Delivery]:
        return [each for each in list(self.deliveries) if each.event["type"] == event_type]

    def types(self) -> list[str]:
        """Event types in the order of their arrival."""
        return [each.event["type"] for each in list(self.deliveries)]

    def wait_for(self, event_type: str, seconds: float, count: int = 1) -> list[Delivery]:
        """Deliveries of a type, once `count` of them are there; it must not take longer."""
        eventually(lambda: len(self.of_type(event_type)) >= count, seconds)
        found = self.of_type(event_type)
        assert len(found) >= count, f"{event_type} did not come; there are {self.types()}"
        return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                arrived = time.time()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.deliveries.append(Delivery(arrived, headers, body))
                receiver.answering.wait()
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                """The test's output is for the test."""

        return Handler


@contextmanager
def receiving(status: int = 200) -> Iterator[Receiver]:
    receiver = Receiver(status)
    try:
        yield receiver
    finally:
        receiver.close()
