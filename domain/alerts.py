"""Alerts: what a merchant should look at, in words that say what to do."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from domain import moments
from domain.ids import to_text

WEBHOOK_ENDPOINT_DISABLED: Final = "webhook_endpoint_disabled"
KEY_ROTATION_DUE: Final = "key_rotation_due"

# By the document's AlertType.
_MESSAGES: Final = {
    "api_version_deprecated": (
        "Requests in a deprecated API version are still coming. Move to the current version"
        " before the sunset date in the answers' Sunset header."
    ),
    "api_key_blocked": (
        "An API key was used from an address that is not on its allowlist. The requests were"
        " refused; revoke the key if they were not yours."
    ),
    "api_key_revoked_soon": (
        "An API key that was rolled is still in use and is about to be revoked. Switch what"
        " uses it to the new key."
    ),
    WEBHOOK_ENDPOINT_DISABLED: (
        "A webhook endpoint answered no delivery with 2xx for 5 days and was disabled. Mend it,"
        " enable it again, and retry the events that it missed."
    ),
    KEY_ROTATION_DUE: (
        "A key that encrypts stored data is older than 12 months. Run scripts/keys rotate; what"
        " is stored stays readable meanwhile."
    ),
}


def about_endpoint(endpoint_id: UUID) -> tuple[str, str]:
    """Type and subject of the alert about a disabled endpoint."""
    return WEBHOOK_ENDPOINT_DISABLED, to_text("whe", endpoint_id)


def resource(alert: Mapping[str, Any]) -> dict[str, Any]:
    """The alert as the API shows it."""
    resolved_at = alert["resolved_at"]
    return {
        "object": "alert",
        "id": to_text("alr", alert["id"]),
        "type": alert["type"],
        "status": "open" if resolved_at is None else "resolved",
        "message": _MESSAGES[alert["type"]],
        "subject": alert["subject"],
        "livemode": alert["livemode"],
        "created_at": moments.to_text(alert["created_at"]),
        "last_seen_at": moments.to_text(alert["last_seen_at"]),
        "resolved_at": None if resolved_at is None else moments.to_text(resolved_at),
    }
