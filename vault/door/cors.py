"""Which pages may read the token door's answers (contract-decisions, "CORS")."""

import re

from contract.cross_origin import askable_by, readable_by
from vault.door.answers import Header

_OWN_PAGES = re.compile(rb"https://([a-z0-9-]+\.)+paymint\.com")
_LOOPBACK_PAGES = re.compile(rb"http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
_VARY: Header = (b"vary", b"Origin")


def answer_headers(origin: bytes | None, livemode: bool) -> list[Header]:
    """Headers of an answer.  A page on the reader's own machine reads test mode only."""
    if origin is None or not _allowed(origin, loopback=not livemode):
        return [_VARY]
    return [_VARY, *readable_by(origin)]


def preflight_headers(origin: bytes | None, methods: bytes) -> list[Header]:
    """Headers of the answer to a browser that asks before it sends."""
    # Asked without a key, so the mode is not known; the answer itself decides by it.
    if origin is None or not _allowed(origin, loopback=True):
        return [_VARY]
    return [_VARY, *askable_by(origin, methods)]


def _allowed(origin: bytes, *, loopback: bool) -> bool:
    own = _OWN_PAGES.fullmatch(origin) is not None
    return own or (loopback and _LOOPBACK_PAGES.fullmatch(origin) is not None)
