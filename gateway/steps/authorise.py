"""403 unless the key holds the scopes of the operation, directly or through a grant.

PCI DSS 4.0.1 req. 7.2.1: what a key may do is what its job needs, and no more.
"""

from contract.operations import Requirement
from domain.refusals import Forbidden
from gateway.exchange import Exchange, Proceed


def bind(requirement: Requirement, grants: dict[str, list[str]], proceed: Proceed) -> Proceed:
    scopes_used = tuple(sorted(requirement.scopes))
    # For each needed scope those that satisfy it; every one must be met.
    satisfying = tuple(_holders(scope, grants) for scope in scopes_used)

    async def authorised(exchange: Exchange) -> None:
        caller = exchange.caller
        if caller is None:
            raise LookupError("authorise runs after authenticate")
        for holders in satisfying:
            if holders.isdisjoint(caller.scopes):
                raise Forbidden("insufficient_scope")
        exchange.scopes_used = scopes_used
        await proceed(exchange)

    return authorised


def _holders(scope: str, grants: dict[str, list[str]]) -> frozenset[str]:
    """The scope itself and every scope that grants it, through any number of grants."""
    holders = {scope}
    while True:
        more = {name for name, granted in grants.items() if not holders.isdisjoint(granted)}
        if more <= holders:
            return frozenset(holders)
        holders |= more
