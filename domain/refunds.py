"""What is true of a refund: how much may go back, and how it is shown."""

from collections.abc import Mapping
from typing import Any

from domain import moments
from domain.ids import to_text
from domain.refusals import Unprocessable

# A payment that was refunded in full has been captured too: what is wrong there is the
# amount, and the answer names it.
_REFUNDABLE = ("captured", "refunded")
_REST = "rest of the captured amount"


def refund_amount(payment: Mapping[str, Any], asked: int | None) -> int:
    """How much a refund takes: what is left of the capture unless an amount is asked for.

    Raises 422 `payment_unexpected_state` where nothing was captured, 422
    `refund_exceeds_capture` naming the capture, or what is left of it where that is less, and
    422 `payment_disputed` where it is a dispute that took what was asked for.
    """
    if payment["status"] not in _REFUNDABLE:
        raise Unprocessable("payment_unexpected_state", status=payment["status"])
    not_refunded: int = payment["amount_captured"] - payment["amount_refunded"]
    left = not_refunded - payment["amount_disputed"]
    amount = left if asked is None else asked
    if 0 < amount <= left:
        return amount
    wanted = not_refunded if asked is None else asked
    if left < wanted <= not_refunded:
        raise Unprocessable("payment_disputed", "amount", amount=wanted, available=left)
    captured = payment["amount_captured"]
    limit, available = ("captured amount", captured) if amount > captured else (_REST, left)
    raise Unprocessable(
        "refund_exceeds_capture", "amount", amount=amount, limit=limit, available=available
    )


def resource(refund: Mapping[str, Any]) -> dict[str, Any]:
    """The refund as the API shows it; `refund` has the columns of the refunds table."""
    return {
        "object": "refund",
        "id": to_text("ref", refund["id"]),
        "payment_id": to_text("pay", refund["payment_id"]),
        "merchant_id": to_text("mch", refund["merchant_id"]),
        "amount": refund["amount"],
        "currency": refund["currency"],
        "status": refund["status"],
        "reason": refund["reason"],
        "failure_code": refund["failure_code"],
        "livemode": refund["livemode"],
        "created_at": moments.to_text(refund["created_at"]),
    }
