"""What is true of webhook endpoints: how many there may be, how they are changed and shown."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from domain import moments
from domain.ids import to_text
from domain.refusals import Malformed, Unprocessable
from domain.webhook_urls import fault_of

# Per merchant and mode, the merchant's own `webhook_url` included.
MAX_ENDPOINTS: Final = 16
# The secret before a roll signs beside the new one for so long (wall clock).
SECRETS_OVERLAP: Final = timedelta(hours=24)
# An endpoint that answered no attempt with 2xx for so long is disabled (business clock).
GIVEN_UP_AFTER: Final = timedelta(days=5)

ENABLED: Final = "enabled"
DISABLED: Final = "disabled"
_CHANGEABLE: Final = ("url", "enabled_events", "api_version", "description", "status")


def check_url(url: str, param: str, *, allow_loopback: bool) -> None:
    """Raises 400 `url_not_https`, `url_not_public` or `parameter_invalid` for `param`."""
    fault = fault_of(url, allow_loopback=allow_loopback)
    if fault is not None:
        raise Malformed(fault, param)


def check_room(existing: int) -> None:
    """Raises 422 `webhook_endpoint_limit` where one more would be too many."""
    if existing >= MAX_ENDPOINTS:
        raise Unprocessable("webhook_endpoint_limit")


def check_enabled(endpoint: Mapping[str, Any]) -> None:
    """Raises 422 `webhook_endpoint_disabled` where nothing may be delivered to it."""
    if endpoint["status"] != ENABLED:
        raise Unprocessable("webhook_endpoint_disabled", "webhook_endpoint_id")


def merged(endpoint: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The endpoint's changeable columns after a merge patch (RFC 7396).

    Another address, and being enabled again, begin a new life: old failures are forgotten.
    """
    changed = {name: patch.get(name, endpoint[name]) for name in _CHANGEABLE}
    begins_anew = changed["url"] != endpoint["url"] or is_enabled_again(endpoint, changed)
    changed["failing_since"] = None if begins_anew else endpoint["failing_since"]
    return changed


def is_enabled_again(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """True for a change that enables a disabled endpoint."""
    return (before["status"], after["status"]) == (DISABLED, ENABLED)


def resource(
    endpoint: Mapping[str, Any], now: datetime, secret: str | None = None
) -> dict[str, Any]:
    """The endpoint as the API shows it at `now`, wall time.

    `secret` only in the answers that create the endpoint and roll its secret.
    """
    until = endpoint["previous_secret_until"]
    overlaps = until is not None and now < until
    return {
        "object": "webhook_endpoint",
        "id": to_text("whe", endpoint["id"]),
        "url": endpoint["url"],
        "enabled_events": endpoint["enabled_events"],
        "api_version": endpoint["api_version"],
        "description": endpoint["description"],
        "status": endpoint["status"],
        "secret": secret,
        "previous_secret_expires_at": moments.to_text(until) if overlaps else None,
        "livemode": endpoint["livemode"],
        "revision": endpoint["revision"],
        "created_at": moments.to_text(endpoint["created_at"]),
    }


def deleted(endpoint_id: UUID) -> dict[str, Any]:
    """What is answered when an endpoint is gone."""
    return {"object": "webhook_endpoint", "id": to_text("whe", endpoint_id), "deleted": True}
