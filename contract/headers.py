"""Request headers: those that may stand only once, read only once."""

from collections.abc import Iterable

from domain.refusals import Malformed

Headers = dict[bytes, bytes]

# Two of one of these would let two readers of the same request see two requests.
SINGLE_HEADERS = {
    b"authorization": "Authorization",
    b"content-length": "Content-Length",
    b"content-type": "Content-Type",
    b"host": "Host",
    b"idempotency-key": "Idempotency-Key",
    b"paymint-version": "Paymint-Version",
}
CONTENT_LENGTH_DIGITS_MAX = 18


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


def _refuse_doubled(names: list[bytes]) -> None:
    for name, shown in SINGLE_HEADERS.items():
        if names.count(name) > 1:
            raise Malformed("header_invalid", shown)
