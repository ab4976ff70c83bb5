"""Alerts: what a merchant should look at, in words that say what to do."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from domain import moments
from domain.callers import Caller
from domain.ids import to_text

WEBHOOK_ENDPOINT_DISABLED: Final = "webhook_endpoint_disabled"
API_KEY_BLOCKED: Final = "api_key_blocked"
KEY_ROTATION_DUE: Final = "key_rotation_due"

# By the document's AlertType.
_MESSAGES: Final = {
    "api_version_deprecated": (
        "Requests in a deprecated API version are still coming. Move to the current version"
        " before the sunset date in the answers' Sunset header."
    ),
    API_KEY_BLOCKED: (
        "An API key sent ten times its limit for more than a minute and was blocked for 5"
        " minutes. Find out what sends so much; revoke the key if that is not yours."
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


def about_blocked(caller: Caller) -> tuple[str, str]:
    """Type and subject of the alert about a key, or an OAuth client, that was blocked."""
    if caller.client_id is not None:
        return API_KEY_BLOCKED, caller.client_id.hex
    return API_KEY_BLOCKED, to_text("key", caller.key_id)


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
