"""Puts on every answer what every answer carries: its id, its version, how to keep it.

An answer in a version that is on its way out says so, an error too (RFC 9745, RFC 8594).
"""

from contract.errors import RawHeader
from contract.guarding import GUARDS, POLICY
from contract.versions.registry import DATES, LIVES, standing_headers
from domain.api_versions import Standing
from gateway.exchange import Exchange, Proceed
from gateway.versioning import standing_of, version_of

CACHE_CONTROL = {
    "no-store": b"no-store",
    "private-no-cache": b"private, no-cache",
    "private-300": b"private, max-age=300",
    "public-86400": b"public, max-age=86400",
}
UNKEPT = "no-store"
PAGES = "pages"
FIRST_ERROR_STATUS = 400

_EVERYWHERE: tuple[RawHeader, ...] = (
    (b"vary", b"Authorization, Paymint-Version, Accept-Encoding, Origin"),
    *GUARDS,
)
_STAMPS: dict[str, dict[str, tuple[RawHeader, ...]]] = {
    version: {
        name: (
            (b"paymint-version", version.encode("ascii")),
            (b"cache-control", value),
            *_EVERYWHERE,
        )
        for name, value in CACHE_CONTROL.items()
    }
    for version in DATES
}
_LEAVING = {version: standing_headers(version) for version in LIVES}


def bind(proceed: Proceed) -> Proceed:
    async def stamped(exchange: Exchange) -> None:
        await proceed(exchange)
        operation, headers = exchange.operation, exchange.answer_headers
        kept = operation is not None and exchange.status < FIRST_ERROR_STATUS
        version = exchange.version or version_of(exchange)
        headers += _STAMPS[version][operation.cache if kept and operation else UNKEPT]
        if version in _LEAVING and standing_of(exchange, version) is not Standing.CURRENT:
            headers += _LEAVING[version]
        headers.append((b"x-request-id", exchange.request_id.encode("ascii")))
        # A page says itself what it may load.
        if operation is None or operation.tag != PAGES or POLICY[0] not in dict(headers):
            headers.append(POLICY)

    return stamped
