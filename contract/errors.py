"""From a refusal to the answer that the document promises for it: the one table."""

from typing import Any

import orjson

from domain.ids import to_text
from domain.refusals import Declined, MethodNotAllowed, Refusal
from generated.error_codes import CATALOGUE

RawHeader = tuple[bytes, bytes]

DOCUMENTATION_URL = "https://docs.paymint.com/errors/"
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
    error: dict[str, Any] = {"type": row.type, "code": refusal.code}
    error["message"] = row.message.format_map(_Values(refusal))
    if refusal.param is not None:
        error["param"] = refusal.param
    error["doc_url"] = DOCUMENTATION_URL + refusal.code
    error["request_id"] = request_id
    if isinstance(refusal, Declined):
        if refusal.decline_code is not None:
            error["decline_code"] = refusal.decline_code
        if refusal.payment_id is not None:
            error["payment_id"] = to_text("pay", refusal.payment_id)
    return {"error": error}


class _Values(dict[str, int | str]):
    """What a message may name: the parameter and the refusal's own values."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.values)
        self["param"] = refusal.param or "request"
