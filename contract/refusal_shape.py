"""Body and headers of a refusal, made from its row of the catalogue.

It imports nothing of `generated/`, so that scripts/generator, which writes the catalogue, can
render the examples of docs/errors with the code that answers requests.
"""

from typing import Any

from domain.currencies import CENTS
from domain.ids import to_text
from domain.refusals import Declined, MethodNotAllowed, Refusal, TooManyRequests

RawHeader = tuple[bytes, bytes]

DOCUMENTATION_URL = "https://docs.paymint.com/errors/"
REPLAYED: RawHeader = (b"idempotent-replayed", b"true")
_CHALLENGE: RawHeader = (b"www-authenticate", b'Bearer realm="paymint"')
# RFC 6750 section 3.1: what is wrong with a token that was shown.
_TOKEN_CHALLENGE: RawHeader = (
    b"www-authenticate",
    b'Bearer realm="paymint", error="invalid_token"',
)
_TRY_AGAIN: RawHeader = (b"retry-after", b"1")

_TOKEN_CODES = "access_token_"  # nosec B105  # how names of codes begin
_HEADERS_BY_STATUS = {401: _CHALLENGE, 503: _TRY_AGAIN}
_HEADERS_BY_CODE = {"idempotency_key_in_use": _TRY_AGAIN}


def headers_of(refusal: Refusal, status: int) -> list[RawHeader]:
    """The headers that this refusal has beside those of every answer."""
    headers = []
    if refusal.code.startswith(_TOKEN_CODES):
        headers.append(_TOKEN_CHALLENGE)
    elif status in _HEADERS_BY_STATUS:
        headers.append(_HEADERS_BY_STATUS[status])
    if refusal.code in _HEADERS_BY_CODE:
        headers.append(_HEADERS_BY_CODE[refusal.code])
    if refusal.replayed:
        headers.append(REPLAYED)
    if isinstance(refusal, TooManyRequests):
        headers.append((b"retry-after", b"%d" % refusal.retry_after))
    if isinstance(refusal, MethodNotAllowed):
        headers.append((b"allow", refusal.allow.encode("ascii")))
    return headers


def error_shape(refusal: Refusal, kind: str, message: str, request_id: str) -> dict[str, Any]:
    """The document's `Error`: `kind` and `message` (a template) are the catalogue's."""
    error: dict[str, Any] = {"type": kind, "code": refusal.code}
    error["message"] = message.format_map(_Values(refusal))
    if refusal.param is not None:
        error["param"] = refusal.param
    error["doc_url"] = DOCUMENTATION_URL + refusal.code
    error["request_id"] = request_id
    if isinstance(refusal, Declined):
        if refusal.decline_code is not None:
            error["decline_code"] = refusal.decline_code
        if refusal.payment_id is not None:
            error["payment_id"] = to_text("pay", refusal.payment_id)
        if refusal.hold_id is not None:
            error["hold_id"] = to_text("hld", refusal.hold_id)
    return {"error": error}


class _Values(dict[str, int | str]):
    """What a message may name: the parameter and the refusal's own values."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(unit=CENTS, param=refusal.param or "request")
        self.update(refusal.values)
