"""Which pages may read the token door's answers (contract-decisions, "CORS")."""

import re

from vault.door.answers import Header

MAX_AGE_SECONDS = 7200

_OWN_PAGES = re.compile(rb"https://([a-z0-9-]+\.)+paymint\.com")
_LOOPBACK_PAGES = re.compile(rb"http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
_EXPOSED = (
    b"X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, "
    b"ETag, Retry-After, Idempotent-Replayed, Paymint-Version"
)
_ALLOWED_HEADERS = (
    b"Authorization, Content-Type, Idempotency-Key, Paymint-Version, If-Match, If-None-Match"
)
_VARY: Header = (b"vary", b"Origin")


def answer_headers(origin: bytes | None, livemode: bool) -> list[Header]:
    """Headers of an answer.  A page on the reader's own machine reads test mode only."""
    if origin is None or not _allowed(origin, loopback=not livemode):
        return [_VARY]
    return [
        _VARY,
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", _EXPOSED),
    ]


def preflight_headers(origin: bytes | None, methods: bytes) -> list[Header]:
    """Headers of the answer to a browser that asks before it sends."""
    # Asked without a key, so the mode is not known; the answer itself decides by it.
    if origin is None or not _allowed(origin, loopback=True):
        return [_VARY]
    return [
        _VARY,
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", _ALLOWED_HEADERS),
        (b"access-control-max-age", str(MAX_AGE_SECONDS).encode()),
    ]


def _allowed(origin: bytes, *, loopback: bool) -> bool:
    own = _OWN_PAGES.fullmatch(origin) is not None
    return own or (loopback and _LOOPBACK_PAGES.fullmatch(origin) is not None)
