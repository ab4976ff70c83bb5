"""Chooses the version of the answer and brings the request up to the present one.

400 for a version that is none, 410 for one that was removed or is away for an hour.  From
here on everything speaks the present version, the digest of an idempotency key too, so a key
may be used again from another version.
"""

from contract.operations import Operation
from contract.versions.registry import BY_HEADER, raised
from domain.api_versions import PRESENT, Standing
from domain.refusals import Gone, Malformed
from gateway.exchange import Exchange, Proceed
from gateway.versioning import HEADER, standing_of, version_of

NAME = "Paymint-Version"


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    older, operation_id = operation.older, operation.operation_id

    async def versioned(exchange: Exchange) -> None:
        named = exchange.headers.get(HEADER)
        if named is not None and named not in BY_HEADER:
            raise Malformed("api_version_unknown", NAME)
        version = exchange.version = version_of(exchange)
        if version != PRESENT:
            _enter(exchange, version)
            exchange.rendering = older[version]
            if exchange.body is not None:
                exchange.body = raised(version, operation_id, exchange.body)
        await proceed(exchange)

    return versioned


def _enter(exchange: Exchange, version: str) -> None:
    standing = standing_of(exchange, version)
    if standing is Standing.CURRENT:
        return
    if exchange.caller is not None:
        exchange.house.deprecated_use.note(exchange.caller, version)
    if standing is Standing.BROWNOUT:
        raise Gone("api_version_brownout", NAME)
    if standing is Standing.REMOVED:
        raise Gone("api_version_removed", NAME)
