"""What the environment tells the processes of the main house."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_DEFAULT_API_PORT = 8080


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
    # A newer data file of countries than the package's.
    country_data: Path | None = None

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
            country_data=_path(environment.get("PAYMINT_COUNTRY_DATA")),
        )


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
