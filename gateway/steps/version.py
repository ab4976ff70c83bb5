"""Chooses the version of the answer and brings the request up to the present one.

400 for a version that is none, 410 for one that was removed or is away for an hour.  From
here on everything speaks the present version, the digest of an idempotency key too, so a key
may be used again from another version.
"""

from collections.abc import Awaitable

from contract.operations import Operation
from contract.versions.entering import HEADER, check_name, check_served
from contract.versions.registry import raised
from domain.api_versions import PRESENT, Standing
from gateway.exchange import Exchange, Proceed
from gateway.versioning import standing_of, version_of


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    older, operation_id = operation.older, operation.operation_id

    def versioned(exchange: Exchange) -> Awaitable[None]:
        named, caller = exchange.headers.get(HEADER), exchange.caller
        # Nearly every request goes this way, and pays for no more.
        if named is None and (caller is None or caller.api_version == PRESENT):
            exchange.version = PRESENT
        else:
            check_name(named)
            enter(exchange, version_of(exchange))
        return proceed(exchange)

    def enter(exchange: Exchange, version: str) -> None:
        exchange.version = version
        if version == PRESENT:
            return
        _check(exchange, version)
        exchange.rendering = older[version]
        if exchange.body is not None:
            exchange.body = raised(version, operation_id, exchange.body)

    return versioned


def _check(exchange: Exchange, version: str) -> None:
    standing = standing_of(exchange, version)
    if standing is Standing.CURRENT:
        return
    if exchange.caller is not None:
        exchange.house.deprecated_use.note(exchange.caller, version)
    check_served(standing)
