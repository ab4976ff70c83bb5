"""The networks that a key may be used from: CIDR notation (RFC 4632, RFC 4291), IPv4 and IPv6."""

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from domain.refusals import Malformed

Network = IPv4Network | IPv6Network
# Of an IPv6 address, those in front of an IPv4 address that it stands for.
MAPPED_BITS: Final = 96


def canonical(entries: Sequence[str], param: str) -> list[str]:
    """The entries in one spelling, each once; an address alone is a network of one.

    IPv4 addresses in the form of IPv6 (RFC 4291 section 2.5.5.2) become what they stand for,
    as the addresses of clients do before they are compared.
    Raises 400 `parameter_invalid` for what is no network, or has bits outside of its prefix:
    `10.0.0.1/8` would let in far more than its author may have meant.
    """
    networks = [_network(entry, f"{param}[{index}]") for index, entry in enumerate(entries)]
    return list(dict.fromkeys(str(network) for network in networks))


def networks(entries: Iterable[str]) -> tuple[Network, ...]:
    """Stored entries, ready to be compared."""
    return tuple(ip_network(entry) for entry in entries)


def admits(allowed: Iterable[Network], address: str) -> bool:
    """Whether one of the networks has the client's address; one that cannot be read has none."""
    try:
        client = ip_address(address)
    except ValueError:
        return False
    if isinstance(client, IPv6Address) and client.ipv4_mapped is not None:
        client = client.ipv4_mapped
    return any(client in network for network in allowed)


def _network(text: str, param: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise Malformed("parameter_invalid", param) from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - MAPPED_BITS))
