"""From a refusal to the answer that the document promises for it: the one table."""

from typing import Any

import orjson

from contract.refusal_shape import REPLAYED, RawHeader, error_shape, headers_of
from domain.refusals import Refusal
from generated.error_codes import CATALOGUE

__all__ = [
    "JSON_CONTENT_TYPE",
    "REPLAYED",
    "InternalError",
    "RawHeader",
    "error_body",
    "oauth_error",
    "refuse",
]

JSON_CONTENT_TYPE: RawHeader = (b"content-type", b"application/json")
# What RFC 6749 calls it when the request is not to blame; section 4.1.2.1 has the second for
# an overload too.
_OAUTH_ERRORS = {
    429: "temporarily_unavailable",
    500: "server_error",
    503: "temporarily_unavailable",
}


class InternalError(Refusal):
    """500: an error of ours; says nothing about itself to the caller."""

    status = 500

    def __init__(self) -> None:
        super().__init__("internal_error")


def refuse(refusal: Refusal, request_id: str) -> tuple[int, list[RawHeader], bytes]:
    """Status, headers and body of the answer to a refusal."""
    row = CATALOGUE[refusal.code]
    headers = [JSON_CONTENT_TYPE, *headers_of(refusal, row.status)]
    return row.status, headers, orjson.dumps(error_body(refusal, request_id))


def error_body(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """The error object of a refusal, as the document's `Error`."""
    row = CATALOGUE[refusal.code]
    return error_shape(refusal, row.type, row.message, request_id)


def oauth_error(refusal: Refusal) -> bytes:
    """The same as RFC 6749 section 5.2 has it, for its endpoints."""
    row = CATALOGUE[refusal.code]
    told = error_body(refusal, "")["error"]["message"]
    error = _OAUTH_ERRORS.get(row.status, "invalid_request")
    return orjson.dumps({"error": error, "error_description": told})
