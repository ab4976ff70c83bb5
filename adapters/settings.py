"""What the environment tells the processes of the main house."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.keys import KeyProvider, file_provider, open_provider
from contract.cross_origin import DASHBOARD_ORIGIN
from domain.allowlists import Network
from runtime.environment import at_least_one, trusted_proxies

_DEFAULT_API_PORT = 8080
DEFAULT_SANDBOX_ACCOUNTS_PER_HOUR = 20
DEFAULT_PUBLIC_REQUESTS_PER_MINUTE = 600
DEFAULT_FAILED_AUTHENTICATIONS_PER_MINUTE = 60
DEFAULT_REQUESTS_IN_FLIGHT = 2000
DEFAULT_REQUESTS_AT_WORK = 128
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process; DSNs carry passwords and are never logged."""

    database_url: str
    redis_url: str | None
    state_directory: Path
    api_port: int
    relay_port: int
    metrics_port: int
    allow_loopback_webhooks: bool
    process_number: int
    read_cache: bool = False
    public_origin: str = ""
    # Limits of an address; the processes among which a budget is shared without Valkey.
    sandbox_accounts_per_hour: int = DEFAULT_SANDBOX_ACCOUNTS_PER_HOUR
    public_requests_per_minute: int = DEFAULT_PUBLIC_REQUESTS_PER_MINUTE
    failed_authentications_per_minute: int = DEFAULT_FAILED_AUTHENTICATIONS_PER_MINUTE
    limiter_processes: int = 1
    requests_in_flight: int = DEFAULT_REQUESTS_IN_FLIGHT
    requests_at_work: int = DEFAULT_REQUESTS_AT_WORK
    # Whose `X-Forwarded-For` is believed.
    trusted_proxies: tuple[Network, ...] = ()
    # s3://bucket/prefix or a directory; empty: audit-archive in the state directory.
    audit_archive: str = ""
    key_provider: str | None = None
    # A newer data file of countries than the package's.
    country_data: Path | None = None
    # A table of exchange rates other than the built-in one.
    exchange_rates: Path | None = None
    dashboard_origin: str = DASHBOARD_ORIGIN

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the variables; a missing required one ends the start with its name."""
        return cls(
            database_url=environment["DATABASE_URL"],
            redis_url=environment.get("REDIS_URL") or None,
            state_directory=Path(environment["PAYMINT_STATE_DIR"]),
            api_port=int(environment.get("PAYMINT_API_PORT", _DEFAULT_API_PORT)),
            relay_port=int(environment["PAYMINT_RELAY_PORT"]),
            metrics_port=int(environment.get("PAYMINT_METRICS_PORT", "0")),
            allow_loopback_webhooks=environment.get("PAYMINT_ALLOW_LOOPBACK_WEBHOOKS") == "1",
            process_number=int(environment.get("PAYMINT_PROCESS_NUMBER", "0")),
            read_cache=environment.get("PAYMINT_READ_CACHE") == "1",
            public_origin=environment.get("PAYMINT_PUBLIC_ORIGIN", "").rstrip("/"),
            sandbox_accounts_per_hour=at_least_one(
                environment, "PAYMINT_SANDBOX_ACCOUNTS_PER_HOUR", DEFAULT_SANDBOX_ACCOUNTS_PER_HOUR
            ),
            public_requests_per_minute=at_least_one(
                environment,
                "PAYMINT_PUBLIC_REQUESTS_PER_MINUTE",
                DEFAULT_PUBLIC_REQUESTS_PER_MINUTE,
            ),
            failed_authentications_per_minute=at_least_one(
                environment,
                "PAYMINT_FAILED_AUTHENTICATIONS_PER_MINUTE",
                DEFAULT_FAILED_AUTHENTICATIONS_PER_MINUTE,
            ),
            limiter_processes=at_least_one(environment, "PAYMINT_LIMITER_PROCESSES", 1),
            requests_in_flight=at_least_one(
                environment, "PAYMINT_MAX_REQUESTS_IN_FLIGHT", DEFAULT_REQUESTS_IN_FLIGHT
            ),
            requests_at_work=at_least_one(
                environment, "PAYMINT_MAX_REQUESTS_AT_WORK", DEFAULT_REQUESTS_AT_WORK
            ),
            trusted_proxies=trusted_proxies(environment),
            audit_archive=environment.get("PAYMINT_AUDIT_ARCHIVE", ""),
            key_provider=environment.get("PAYMINT_KEY_PROVIDER") or None,
            dashboard_origin=_origin(environment),
            country_data=_path(environment.get("PAYMINT_COUNTRY_DATA")),
            exchange_rates=_path(environment.get("PAYMINT_EXCHANGE_RATES")),
        )

    @property
    def origin(self) -> str:
        """Where browsers find the API (`https://api.paymint.com`), without a slash at its end.

        What forms are sent from, and what links lead to.
        """
        return self.public_origin or f"http://127.0.0.1:{self.api_port}"

    def open_keys(self) -> KeyProvider:
        """Who holds the main house's master keys; raises KeyUnusable, saying what to do."""
        if self.key_provider is None:
            return file_provider(self.state_directory / "keys" / "house")
        return open_provider(self.key_provider)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _origin(environment: Mapping[str, str]) -> str:
    """One origin as a browser spells it, never `*` or `null`; raises ValueError."""
    origin = environment.get("PAYMINT_DASHBOARD_ORIGIN", DASHBOARD_ORIGIN)
    if not _ORIGIN.fullmatch(origin):
        raise ValueError("PAYMINT_DASHBOARD_ORIGIN is no origin, as in https://dashboard.example")
    return origin
