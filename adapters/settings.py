"""What the environment tells the processes of the main house."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contract.cross_origin import DASHBOARD_ORIGIN

_DEFAULT_API_PORT = 8080
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
            dashboard_origin=_origin(environment),
        )


def _origin(environment: Mapping[str, str]) -> str:
    """One origin as a browser spells it, never `*` or `null`; raises ValueError."""
    origin = environment.get("PAYMINT_DASHBOARD_ORIGIN", DASHBOARD_ORIGIN)
    if not _ORIGIN.fullmatch(origin):
        raise ValueError("PAYMINT_DASHBOARD_ORIGIN is no origin, as in https://dashboard.example")
    return origin
