"""Headers that tell a browser what it must not do with an answer, on every answer."""

from typing import Final

from contract.errors import RawHeader

# Blueprint section 9, "Encryption": browsers heed it over TLS only (RFC 6797 section 8.1).
_TRANSPORT: Final[RawHeader] = (
    b"strict-transport-security",
    b"max-age=31536000; includeSubDomains; preload",
)
GUARDS: Final[tuple[RawHeader, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    _TRANSPORT,
)
# A page says itself what it may load; everything else loads nothing and stands in no frame.
POLICY: Final[RawHeader] = (
    b"content-security-policy",
    b"default-src 'none'; frame-ancestors 'none'",
)
