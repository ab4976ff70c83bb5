"""What is true of webhook endpoints: how many there may be, and how one is shown."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from domain import moments
from domain.ids import to_text
from domain.refusals import Malformed, Unprocessable
from domain.webhook_urls import fault_of

# Per merchant and mode, the merchant's own `webhook_url` included.
MAX_ENDPOINTS: Final = 16


def check_url(url: str, param: str, *, allow_loopback: bool) -> None:
    """Raises 400 `url_not_https`, `url_not_public` or `parameter_invalid` for `param`."""
    fault = fault_of(url, allow_loopback=allow_loopback)
    if fault is not None:
        raise Malformed(fault, param)


def check_room(existing: int) -> None:
    """Raises 422 `webhook_endpoint_limit` where one more would be too many."""
    if existing >= MAX_ENDPOINTS:
        raise Unprocessable("webhook_endpoint_limit")


def resource(endpoint: Mapping[str, Any], secret: str | None = None) -> dict[str, Any]:
    """The endpoint as the API shows it; `secret` only in the answer that creates it."""
    return {
        "object": "webhook_endpoint",
        "id": to_text("whe", endpoint["id"]),
        "url": endpoint["url"],
        "enabled_events": endpoint["enabled_events"],
        "api_version": endpoint["api_version"],
        "description": endpoint["description"],
        "status": endpoint["status"],
        "secret": secret,
        "livemode": endpoint["livemode"],
        "revision": endpoint["revision"],
        "created_at": moments.to_text(endpoint["created_at"]),
    }


def deleted(endpoint_id: UUID) -> dict[str, Any]:
    """What is answered when an endpoint is gone."""
    return {"object": "webhook_endpoint", "id": to_text("whe", endpoint_id), "deleted": True}
