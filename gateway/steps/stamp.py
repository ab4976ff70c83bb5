"""Puts on every answer what every answer carries: its id, its version, how to keep it."""

from contract.errors import RawHeader
from gateway.exchange import PRESENT_VERSION, Exchange, Proceed

CACHE_CONTROL = {
    "no-store": b"no-store",
    "private-no-cache": b"private, no-cache",
    "private-300": b"private, max-age=300",
}
FIRST_ERROR_STATUS = 400

_EVERYWHERE: tuple[RawHeader, ...] = (
    (b"paymint-version", PRESENT_VERSION.encode("ascii")),
    (b"vary", b"Authorization, Paymint-Version, Accept-Encoding"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains; preload"),
)
_BY_CACHE = {
    name: ((b"cache-control", value), *_EVERYWHERE) for name, value in CACHE_CONTROL.items()
}
_UNKEPT = _BY_CACHE["no-store"]


def bind(proceed: Proceed) -> Proceed:
    async def stamped(exchange: Exchange) -> None:
        await proceed(exchange)
        operation, headers = exchange.operation, exchange.answer_headers
        kept = operation is not None and exchange.status < FIRST_ERROR_STATUS
        headers += _BY_CACHE[operation.cache] if kept and operation else _UNKEPT
        headers.append((b"x-request-id", exchange.request_id.encode("ascii")))

    return stamped
