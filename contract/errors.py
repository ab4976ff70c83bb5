"""From a refusal to the answer that the document promises for it: the one table."""

from typing import Any

import orjson

from contract.refusal_shape import error_shape
from domain.refusals import MethodNotAllowed, Refusal
from generated.error_codes import CATALOGUE

RawHeader = tuple[bytes, bytes]

JSON_CONTENT_TYPE: RawHeader = (b"content-type", b"application/json")
REPLAYED: RawHeader = (b"idempotent-replayed", b"true")
_CHALLENGE: RawHeader = (b"www-authenticate", b'Bearer realm="paymint"')
_TRY_AGAIN: RawHeader = (b"retry-after", b"1")

_HEADERS_BY_STATUS = {401: _CHALLENGE, 503: _TRY_AGAIN}
_HEADERS_BY_CODE = {"idempotency_key_in_use": _TRY_AGAIN}


class InternalError(Refusal):
    """500: an error of ours; says nothing about itself to the caller."""

    status = 500

    def __init__(self) -> None:
        super().__init__("internal_error")


def refuse(refusal: Refusal, request_id: str) -> tuple[int, list[RawHeader], bytes]:
    """Status, headers and body of the answer to a refusal."""
    row = CATALOGUE[refusal.code]
    headers = [JSON_CONTENT_TYPE]
    if row.status in _HEADERS_BY_STATUS:
        headers.append(_HEADERS_BY_STATUS[row.status])
    if refusal.code in _HEADERS_BY_CODE:
        headers.append(_HEADERS_BY_CODE[refusal.code])
    if refusal.replayed:
        headers.append(REPLAYED)
    if isinstance(refusal, MethodNotAllowed):
        headers.append((b"allow", refusal.allow.encode("ascii")))
    return row.status, headers, orjson.dumps(error_body(refusal, request_id))


def error_body(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """The error object of a refusal, as the document's `Error`."""
    row = CATALOGUE[refusal.code]
    return error_shape(refusal, row.type, row.message, request_id)
