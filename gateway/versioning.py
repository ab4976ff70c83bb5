"""Which version of the API a request is answered in, and what that version is at its moment."""

from contract.versions import registry
from contract.versions.entering import HEADER
from contract.versions.registry import BY_HEADER, DATES
from domain.api_versions import PRESENT, Standing
from gateway.exchange import Exchange


def version_of(exchange: Exchange) -> str:
    """The version named in the header; else the merchant's pin; else the present one.

    An unknown name counts as none: the refusal that it gets has to be answered somehow.
    """
    named = BY_HEADER.get(exchange.headers.get(HEADER, b""))
    if named is not None:
        return named
    caller = exchange.caller
    # While a new version is rolled out, a process that does not have it meets pins to it.
    return caller.api_version if caller and caller.api_version in DATES else PRESENT


def standing_of(exchange: Exchange, version: str) -> Standing:
    """What the version is by the caller's business clock."""
    now, caller = exchange.house.clock.now(), exchange.caller
    return registry.standing_of(version, now if caller is None else caller.business_now(now))
