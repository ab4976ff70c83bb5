"""What is true of a payment: its states, what may be done in each, how it is shown.

States run forward only (contract-decisions, "Money"):
pending -> authorized -> captured -> refunded, pending -> captured, pending -> failed,
pending or authorized -> cancelled.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from domain import moments
from domain.ids import to_text
from domain.refusals import Unprocessable

NETWORK_UNAVAILABLE: Final = "network_unavailable"


class Transition(NamedTuple):
    """One allowed step and the event that tells of it."""

    status: str
    action: str
    becomes: str
    event: str | None


TRANSITIONS: Final = (
    Transition("pending", "authorize", "authorized", "payment.authorized"),
    Transition("pending", "sell", "captured", "payment.captured"),
    Transition("pending", "queue", "pending", "payment.queued"),
    Transition("pending", "fail", "failed", "payment.failed"),
    Transition("pending", "cancel", "cancelled", "payment.cancelled"),
    Transition("authorized", "capture", "captured", "payment.captured"),
    Transition("authorized", "cancel", "cancelled", "payment.cancelled"),
    # Its network declined the capture or the cancellation: another may begin.
    Transition("authorized", "fail_capture", "authorized", "payment.capture_failed"),
    Transition("authorized", "fail_cancel", "authorized", "payment.cancel_failed"),
    # Told by refund.succeeded; the blueprint has no event of the payment's own for it.
    Transition("captured", "refund_all", "refunded", None),
)
_BY_STEP: Final = {(step.status, step.action): step for step in TRANSITIONS}


def transition(status: str, action: str) -> Transition:
    """The step that `action` is in `status`, or 422 `payment_unexpected_state`."""
    step = _BY_STEP.get((status, action))
    if step is None:
        raise Unprocessable("payment_unexpected_state", status=status)
    return step


def capture_amount(payment: Mapping[str, Any], asked: int | None) -> int:
    """How much a capture takes: all of the authorisation unless less is asked for."""
    authorized: int = payment["amount_authorized"]
    if asked is None:
        return authorized
    if asked > authorized:
        raise Unprocessable(
            "capture_exceeds_authorization", "amount", amount=asked, available=authorized
        )
    return asked


def resource(payment: Mapping[str, Any]) -> dict[str, Any]:
    """The payment as the API shows it; `payment` has the columns of the payments table."""
    status = payment["status"]
    customer_id: UUID | None = payment["customer_id"]
    hold_id: UUID | None = payment["hold_id"]
    captured_at = payment["captured_at"]
    capturable = payment["amount_authorized"] if status == "authorized" else 0
    return {
        "object": "payment",
        "id": to_text("pay", payment["id"]),
        "merchant_id": to_text("mch", payment["merchant_id"]),
        "amount": payment["amount"],
        "currency": payment["currency"],
        "status": status,
        "payment_method_id": to_text(
            "tok" if payment["is_token"] else "pm", payment["payment_method_id"]
        ),
        "customer_id": None if customer_id is None else to_text("cus", customer_id),
        "hold_id": None if hold_id is None else to_text("hld", hold_id),
        "capture": payment["capture"],
        "description": payment["description"],
        "metadata": payment["metadata"],
        "idempotency_key": str(payment["idempotency_key"]),
        "amount_capturable": capturable,
        "amount_captured": payment["amount_captured"],
        "amount_refunded": payment["amount_refunded"],
        "amount_disputed": payment["amount_disputed"],
        "failure_code": payment["failure_code"],
        "decline_code": payment["decline_code"],
        "pending_reason": payment["pending_reason"],
        "network": payment["network"],
        "livemode": payment["livemode"],
        "created_at": moments.to_text(payment["created_at"]),
        "captured_at": None if captured_at is None else moments.to_text(captured_at),
    }
