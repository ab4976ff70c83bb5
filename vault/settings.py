"""What the vault's process is told by its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from adapters.keys import KeyProvider, file_provider, open_provider
from domain.allowlists import Network
from domain.rate_limits import MULTIPLIER_MAX
from runtime.environment import at_least_one, trusted_proxies

DEFAULT_REQUESTS_IN_FLIGHT = 2000


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the simulated card network takes, milliseconds, both bounds included."""

    from_ms: int
    to_ms: int


class Address(NamedTuple):
    """Where a card network is reached in messages."""

    network: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """See the table of processes and their environment in README.md."""

    database_url: str
    state_directory: Path
    token_port: int
    relay_port: int
    metrics_port: int
    network_latency: Latency
    # Times the limits of publishable keys, at least; the processes that share them; whose
    # `X-Forwarded-For` is believed; requests that may be under way at once.
    publishable_key_multiplier: int = 1
    limiter_processes: int = 1
    trusted_proxies: tuple[Network, ...] = ()
    requests_in_flight: int = DEFAULT_REQUESTS_IN_FLIGHT
    key_provider: str | None = None
    # Card networks that are spoken to in ISO 8583; the others are simulated in this process.
    network_addresses: tuple[Address, ...] = ()

    def open_keys(self) -> KeyProvider:
        """Who holds the vault's master keys; raises KeyUnusable, saying what to do."""
        if self.key_provider is None:
            return file_provider(self.state_directory / "keys")
        return open_provider(self.key_provider)


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process; raises KeyError or ValueError, naming what is wrong."""
    return Settings(
        database_url=environment["VAULT_DATABASE_URL"],
        state_directory=Path(environment["PAYMINT_STATE_DIR"]),
        token_port=int(environment["PAYMINT_VAULT_PORT"]),
        relay_port=int(environment["PAYMINT_RELAY_PORT"]),
        metrics_port=int(environment.get("PAYMINT_METRICS_PORT", "0")),
        network_latency=parse_latency(environment.get("PAYMINT_NETWORK_LATENCY_MS", "0")),
        publishable_key_multiplier=_multiplier(environment),
        limiter_processes=at_least_one(environment, "PAYMINT_LIMITER_PROCESSES", 1),
        trusted_proxies=trusted_proxies(environment),
        requests_in_flight=at_least_one(
            environment, "PAYMINT_MAX_REQUESTS_IN_FLIGHT", DEFAULT_REQUESTS_IN_FLIGHT
        ),
        key_provider=environment.get("PAYMINT_KEY_PROVIDER") or None,
        network_addresses=parse_addresses(environment.get("PAYMINT_NETWORK_ADDRESSES", "")),
    )


def _multiplier(environment: Mapping[str, str]) -> int:
    name = "PAYMINT_PUBLISHABLE_KEY_MULTIPLIER"
    multiplier = at_least_one(environment, name, 1)
    if multiplier > MULTIPLIER_MAX:
        raise ValueError(f"{name} must be {MULTIPLIER_MAX} at most")
    return multiplier


def parse_addresses(text: str) -> tuple[Address, ...]:
    """`visa=127.0.0.1:5001,amex=10.0.0.7:5000`; a name may come twice; raises ValueError."""
    addresses = []
    for item in filter(None, text.split(",")):
        network, _, place = item.partition("=")
        host, _, port = place.rpartition(":")
        if not (network and host and port.isdecimal()):
            raise ValueError("PAYMINT_NETWORK_ADDRESSES is a list of NETWORK=HOST:PORT")
        addresses.append(Address(network, host, int(port)))
    return tuple(addresses)


def parse_latency(text: str) -> Latency:
    """`80` is always 80 ms, `40-120` is anything between; raises ValueError."""
    first, _, last = text.partition("-")
    latency = Latency(int(first), int(last or first))
    if not 0 <= latency.from_ms <= latency.to_ms:
        raise ValueError("PAYMINT_NETWORK_LATENCY_MS is a number or two, as in 40-120")
    return latency
