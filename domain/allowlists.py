"""The networks that a key may be used from: CIDR notation (RFC 4632, RFC 4291), IPv4 and IPv6."""

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from domain.refusals import Malformed

Network = IPv4Network | IPv6Network


def canonical(entries: Sequence[str], param: str) -> list[str]:
    """The entries in one spelling, each once; an address alone is a network of one.

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
        return ip_network(text)
    except ValueError:
        raise Malformed("parameter_invalid", param) from None
