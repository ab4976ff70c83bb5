"""What a page of another origin may ask and read: the document's `x-cors`, as headers.

No answer allows credentials, names `*` or an origin that was not compared as a whole: cookies
and certificates of a browser are worth nothing here, so there is nothing to ride on.
"""

from typing import Final

from contract.errors import RawHeader

DASHBOARD_ORIGIN: Final = "https://merchant-dashboard.paymint.com"
MAX_AGE_SECONDS: Final = 7200
ALLOWED_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Paymint-Version",
    "If-Match",
    "If-None-Match",
)
EXPOSED_HEADERS: Final = (
    "X-Request-Id",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "ETag",
    "Retry-After",
    "Idempotent-Replayed",
    "Paymint-Version",
)

_ALLOWED = ", ".join(ALLOWED_HEADERS).encode()
_EXPOSED = ", ".join(EXPOSED_HEADERS).encode()
_MAX_AGE = str(MAX_AGE_SECONDS).encode()


def readable_by(origin: bytes) -> list[RawHeader]:
    """Headers that let pages of `origin`, which the caller has compared, read an answer."""
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", _EXPOSED),
    ]


def askable_by(origin: bytes, methods: bytes) -> list[RawHeader]:
    """Headers of the answer to a browser that asks before it sends one of `methods`."""
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", _ALLOWED),
        (b"access-control-max-age", _MAX_AGE),
    ]
