"""403 unless the key or token holds the scopes of the operation, directly or through a grant.

Of an operation's alternatives those count that are for what was shown, a key or an access token;
where none is, that kind of caller is refused.  Managing the account by a token takes a second
factor given within the last 15 minutes.

PCI DSS 4.0.1 req. 7.2.1: what a key may do is what its job needs, and no more.
"""

from collections.abc import Awaitable
from typing import Final

from contract.operations import Requirement
from domain.oauth import is_lately
from domain.refusals import Forbidden
from domain.scopes import ACCOUNT
from gateway.exchange import Exchange, Proceed

SCHEMES: Final = {
    "secret": "SecretKey",  # nosec B105  # the name of a scheme
    "platform": "SecretKey",
    "oauth": "AccessToken",
}


class OtherKind(Exception):
    """This alternative is for another kind of caller, and another one is for this kind."""


def bind(requirement: Requirement, grants: dict[str, list[str]], proceed: Proceed) -> Proceed:
    scopes_used = tuple(sorted(requirement.scopes))
    scheme, of_account = requirement.scheme, ACCOUNT in requirement.scopes
    # For each needed scope those that satisfy it; every one must be met.
    satisfying = tuple(_holders(scope, grants) for scope in scopes_used)

    def authorised(exchange: Exchange) -> Awaitable[None]:
        caller = exchange.caller
        if caller is None:
            raise LookupError("authorise runs after authenticate")
        if SCHEMES[caller.kind] != scheme:
            _refuse_kind(exchange, SCHEMES[caller.kind])
        for holders in satisfying:
            if holders.isdisjoint(caller.scopes):
                raise Forbidden("insufficient_scope")
        if of_account and not is_lately(caller.second_factor_at, exchange.house.clock.now()):
            raise Forbidden("second_factor_required")
        exchange.scopes_used = scopes_used
        return proceed(exchange)

    return authorised


def _refuse_kind(exchange: Exchange, scheme: str) -> None:
    operation = exchange.operation
    if operation is not None and any(each.scheme == scheme for each in operation.requirements):
        raise OtherKind
    raise Forbidden("key_kind_forbidden")


def _holders(scope: str, grants: dict[str, list[str]]) -> frozenset[str]:
    """The scope itself and every scope that grants it, through any number of grants."""
    holders = {scope}
    while True:
        more = {name for name, granted in grants.items() if not holders.isdisjoint(granted)}
        if more <= holders:
            return frozenset(holders)
        holders |= more
