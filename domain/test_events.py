"""Events that a merchant makes to test a webhook endpoint with: what they are about."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from domain import moments
from domain.ids import Prefix, to_text

PREFIXES: Final[dict[str, Prefix]] = {
    "payment": "pay",
    "hold": "hld",
    "refund": "ref",
    "dispute": "dsp",
}
_UNDRAWN: Final = {"amount_drawn": 0}
_NOTHING_TAKEN: Final = {"amount_captured": 0, "captured_at": None}
# What an event of a type says of its object, where the document's example says otherwise.
_AFTER: Final[dict[str, dict[str, Any]]] = {
    "payment.authorized": {"status": "authorized", **_NOTHING_TAKEN},
    "payment.captured": {"status": "captured"},
    "payment.failed": {
        "status": "failed",
        "failure_code": "card_declined",
        "decline_code": "insufficient_funds",
        **_NOTHING_TAKEN,
    },
    "payment.cancelled": {"status": "cancelled", **_NOTHING_TAKEN},
    "payment.capture_failed": {"status": "authorized", **_NOTHING_TAKEN},
    "payment.cancel_failed": {"status": "authorized", **_NOTHING_TAKEN},
    "payment.queued": {
        "status": "pending",
        "pending_reason": "network_unavailable",
        "network": None,
        **_NOTHING_TAKEN,
    },
    "hold.created": {"status": "active", **_UNDRAWN},
    "hold.failed": {
        "status": "failed",
        "failure_code": "card_declined",
        "decline_code": "insufficient_funds",
        **_UNDRAWN,
    },
    "hold.topped_up": {"status": "active"},
    "hold.top_up_failed": {"status": "active"},
    "hold.used_up": {"status": "used_up"},
    "hold.released": {"status": "released"},
    "hold.expired": {"status": "expired"},
    "refund.created": {"status": "pending"},
    "refund.succeeded": {"status": "succeeded"},
    "refund.failed": {"status": "failed", "failure_code": "refund_declined"},
    "dispute.created": {"status": "needs_response"},
    "dispute.updated": {"status": "under_review"},
    "dispute.closed": {"status": "won"},
}


def kind_of(event_type: str) -> str:
    """What an event is about: `payment`, `hold`, `refund` or `dispute`."""
    return event_type.partition(".")[0]


def sample_object(
    example: Mapping[str, Any],
    event_type: str,
    object_id: UUID,
    merchant_id: UUID,
    now: datetime,
) -> dict[str, Any]:
    """The document's example of an object, as it would be after an event of this type."""
    shown = {**example, **_AFTER.get(event_type, {})}
    shown |= {
        "id": to_text(PREFIXES[kind_of(event_type)], object_id),
        "merchant_id": to_text("mch", merchant_id),
        "livemode": False,
        "created_at": moments.to_text(now),
    }
    if "amount_remaining" in shown:
        shown |= _of_hold(shown, now)
    if shown.get("captured_at") is not None:
        shown["captured_at"] = shown["created_at"]
    if "amount_capturable" in shown:
        held = shown["status"] == "authorized"
        shown["amount_capturable"] = shown["amount"] if held else 0
    return shown


def _of_hold(shown: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """How far a hold was drawn, and when it ends or ended, after the event."""
    status, amount = shown["status"], shown["amount"]
    drawn = amount if status == "used_up" else shown["amount_drawn"]
    active = status == "active"
    return {
        "amount_drawn": drawn,
        "amount_remaining": amount - drawn if active else 0,
        "expires_at": moments.to_text(now + timedelta(days=7)),
        "closed_at": None if active else moments.to_text(now),
    }
