"""Whose address a request comes from, and under which name addresses are counted."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from domain.allowlists import Network, admits

# What one customer of a provider holds of IPv6 (RFC 6177), so changing within it changes nothing.
COUNTED_BITS_OF_IPV6: Final = 64
_REST: Final = 128 - COUNTED_BITS_OF_IPV6


def client_address(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The last hop that is not one of our own proxies (contract-decisions, "limits").

    `forwarded` are the values of `X-Forwarded-For` in their order.  What stands further to
    the left was written by whoever asks, and may say anything.  A hop that cannot be read ends
    the search at the proxy that wrote it down.
    """
    found = peer
    if not trusted or not admits(trusted, found):
        return found
    for entry in reversed([hop.strip() for value in forwarded for hop in value.split(",")]):
        address = _read(entry)
        if address is None:
            return found
        found = str(address)
        if not admits(trusted, found):
            return found
    return found


@lru_cache(maxsize=4096)
def counted_as(address: str) -> str:
    """The name under which this client is counted: of IPv6, its network of 64 bits."""
    read = _read(address)
    if read is None:
        return "unknown"
    if isinstance(read, IPv6Address):
        return f"{IPv6Address(int(read) >> _REST << _REST)}/{COUNTED_BITS_OF_IPV6}"
    return str(read)


def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
