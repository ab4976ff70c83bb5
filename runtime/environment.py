"""Settings that are read from the environment by more than one process."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

TRUSTED_PROXIES = "PAYMINT_TRUSTED_PROXIES"


def at_least_one(environment: Mapping[str, str], name: str, default: int) -> int:
    """A whole number of 1 or more, so that no limit is turned off; raises ValueError."""
    number = int(environment.get(name) or default)
    if number < 1:
        raise ValueError(f"{name} must be 1 or more")
    return number


def trusted_proxies(environment: Mapping[str, str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of PAYMINT_TRUSTED_PROXIES, CIDR with commas between; raises ValueError."""
    entries = environment.get(TRUSTED_PROXIES, "").split(",")
    return tuple(ip_network(entry.strip()) for entry in entries if entry.strip())
