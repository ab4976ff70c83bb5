"""How the delivery of an event to an endpoint is shown."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from domain import moments
from domain.ids import to_text

_ID_BYTES: Final = 16


def delivery_id(event_id: UUID, endpoint_id: UUID) -> UUID:
    """The id of a delivery, made from the two ids that name it; nothing is looked up by it."""
    digest = hashlib.sha256(event_id.bytes + endpoint_id.bytes).digest()
    return UUID(bytes=digest[:_ID_BYTES])


def resource(delivery: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The delivery as the API shows it, with its latest attempts."""
    event_id, endpoint_id = delivery["event_id"], delivery["endpoint_id"]
    waits = delivery["state"] == "pending"
    return {
        "object": "event_delivery",
        "id": to_text("dlv", delivery_id(event_id, endpoint_id)),
        "event_id": to_text("evt", event_id),
        "webhook_endpoint_id": to_text("whe", endpoint_id),
        "state": delivery["state"],
        "attempts_made": delivery["attempts"],
        "attempts": [_attempt(attempt) for attempt in attempts],
        "next_attempt_at": moments.to_text(delivery["next_attempt_at"]) if waits else None,
        "livemode": delivery["livemode"],
        "created_at": moments.to_text(delivery["created_at"]),
    }


def _attempt(attempt: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "attempt": attempt["attempt"],
        "attempted_at": moments.to_text(attempt["attempted_at"]),
        "duration_ms": attempt["duration_ms"],
        "status_code": attempt["status_code"],
        "error": attempt["error"],
    }
