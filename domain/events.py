"""How an event is shown, in answers and in deliveries alike."""

from collections.abc import Mapping
from typing import Any, Final

from domain import moments
from domain.ids import to_text

API_VERSION: Final = "2026-04-01"


def resource(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event as the API shows it; `event` has the columns of the events table."""
    return {
        "object": "event",
        "id": to_text("evt", event["id"]),
        "type": event["type"],
        "api_version": API_VERSION,
        "sequence": event["sequence"],
        "livemode": event["livemode"],
        "created_at": moments.to_text(event["created_at"]),
        "data": {"object": event["object"]},
    }
