"""Bytes on a socket, and what comes back until the other side closes."""

import re
import socket
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

ANSWER_SECONDS = 10.0
STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    return parts.hostname, parts.port


def connect(url: str, trust: ssl.SSLContext | None = None) -> socket.socket:
    """A connection to the door; closed by the caller."""
    raw = socket.create_connection(address_of(url), ANSWER_SECONDS)
    return raw if trust is None else trust.wrap_socket(raw, server_hostname="localhost")


def read_to_end(connection: socket.socket) -> bytes:
    """Everything until the other side closes; raises TimeoutError when it does not."""
    parts = []
    # Reset: it closed while bytes of ours were on their way.
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def exchange(url: str, *pieces: bytes) -> bytes:
    """Send the pieces one after the other; what came back until the door closed."""
    with connect(url) as connection:
        # A door that has closed takes nothing more.
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
        return read_to_end(connection)


def statuses(answer: bytes) -> list[int]:
    """The status of each answer in what came back."""
    return [int(status) for status in STATUS_LINE.findall(answer)]


def head(*lines: str, host: str = "localhost") -> bytes:
    """A request head; the Host header is added behind the first line."""
    first, *others = lines
    return "\r\n".join((first, f"Host: {host}", *others, "", "")).encode("latin-1")
