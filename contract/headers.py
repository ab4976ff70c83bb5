"""Request headers: those that may stand only once, read only once."""

import re
from collections.abc import Iterable
from uuid import UUID

from contract import entity_tags
from contract.entity_tags import Tags
from domain.refusals import Malformed

Headers = dict[bytes, bytes]

# Two of one of these would let two readers of the same request see two requests.
SINGLE_HEADERS = {
    b"authorization": "Authorization",
    b"content-length": "Content-Length",
    b"content-type": "Content-Type",
    b"cookie": "Cookie",
    b"host": "Host",
    b"idempotency-key": "Idempotency-Key",
    b"paymint-version": "Paymint-Version",
}
CONTENT_LENGTH_DIGITS_MAX = 18
IDEMPOTENCY_KEY = "Idempotency-Key"
# Any UUID of RFC 9562, whatever its version and case.
_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers by lower-case name; raises Malformed `header_invalid`."""
    pairs = list(raw)
    headers = dict(pairs)
    check_headers(pairs, headers)
    return headers


def check_headers(pairs: list[tuple[bytes, bytes]], headers: Headers) -> None:
    """Refuse a doubled header and a Content-Length that is no number of bytes."""
    if len(headers) != len(pairs):
        _refuse_doubled([name for name, _ in pairs])
    length = headers.get(b"content-length")
    if length is not None and not (length.isdigit() and len(length) <= CONTENT_LENGTH_DIGITS_MAX):
        raise Malformed("header_invalid", "Content-Length")


def read_idempotency_key(headers: Headers) -> UUID | None:
    """The idempotency key, if there is one; raises Malformed `idempotency_key_invalid`."""
    text = headers.get(b"idempotency-key")
    if text is None:
        return None
    if not _UUID.fullmatch(text):
        raise Malformed("idempotency_key_invalid", IDEMPOTENCY_KEY)
    return UUID(int=int(text.replace(b"-", b""), 16))


def read_tags(pairs: list[tuple[bytes, bytes]], headers: Headers, name: str) -> Tags:
    """The tags of `If-Match` or `If-None-Match`; raises Malformed `header_invalid`."""
    return entity_tags.read_tags(joined(pairs, headers, name.lower().encode()), name)


def joined(pairs: list[tuple[bytes, bytes]], headers: Headers, name: bytes) -> bytes:
    """All lines of a header that is a list, as one (RFC 9110 section 5.3)."""
    if len(headers) == len(pairs):
        return headers[name]
    return b", ".join(each for given, each in pairs if given == name)


def _refuse_doubled(names: list[bytes]) -> None:
    for name, shown in SINGLE_HEADERS.items():
        if names.count(name) > 1:
            raise Malformed("header_invalid", shown)
