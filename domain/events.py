"""How an event is shown, in answers and in deliveries alike."""

from collections.abc import Mapping
from typing import Any

from domain import moments
from domain.api_versions import PRESENT
from domain.ids import to_text


def resource(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event in the present version; `event` has the columns of the events table."""
    return {
        "object": "event",
        "id": to_text("evt", event["id"]),
        "type": event["type"],
        "api_version": PRESENT,
        "sequence": event["sequence"],
        "livemode": event["livemode"],
        "created_at": moments.to_text(event["created_at"]),
        "data": {"object": event["object"]},
    }
