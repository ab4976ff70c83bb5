"""What is true of a dispute: its states, its deadline, its money, how it is shown.

needs_response -> under_review -> won or lost (contract-decisions, "disputes").
"""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple
from uuid import UUID

from domain import moments
from domain.ids import to_text
from domain.refusals import Unprocessable

# Evidence is taken until the end of the fourteenth day after the dispute was opened, UTC.
EVIDENCE_DAYS: Final = 14
_LAST_SECOND: Final = time(23, 59, 59)

NEEDS_RESPONSE: Final = "needs_response"
UNDER_REVIEW: Final = "under_review"
LOST: Final = "lost"

_VERSION_7: Final = 0x7 << 76
_VARIANT_RFC: Final = 0b10 << 62
_NOISE_A_MASK: Final = 0xFFF << 64
_NOISE_B_MASK: Final = (1 << 62) - 1
_NOISE_BYTES: Final = 10


class Transition(NamedTuple):
    """One allowed step and the event that tells of it."""

    status: str
    action: str
    becomes: str
    event: str


TRANSITIONS: Final = (
    Transition(NEEDS_RESPONSE, "answer", UNDER_REVIEW, "dispute.updated"),
    Transition(NEEDS_RESPONSE, "expire", LOST, "dispute.closed"),
    # The payer's bank may give up its claim, or insist on it, before it was answered.
    Transition(NEEDS_RESPONSE, "won", "won", "dispute.closed"),
    Transition(NEEDS_RESPONSE, "lost", LOST, "dispute.closed"),
    Transition(UNDER_REVIEW, "won", "won", "dispute.closed"),
    Transition(UNDER_REVIEW, "lost", LOST, "dispute.closed"),
)
_BY_STEP: Final = {(step.status, step.action): step for step in TRANSITIONS}


def transition(status: str, action: str) -> Transition:
    """The step that `action` is in `status`, or 422 `dispute_unexpected_state`."""
    step = _BY_STEP.get((status, action))
    if step is None:
        raise Unprocessable("dispute_unexpected_state", status=status)
    return step


def may_close(status: str, outcome: str) -> bool:
    """Whether an outcome is news: a dispute ends once."""
    return (status, outcome) in _BY_STEP


def check_answerable(dispute: Mapping[str, Any], now: datetime) -> None:
    """Raise 422 `dispute_unexpected_state` unless evidence may be sent at `now`.

    What is past its deadline is lost, whether a worker has written that already or not.
    """
    transition(dispute["status"], "answer")
    if overdue(dispute, now):
        raise Unprocessable("dispute_unexpected_state", status=LOST)


def overdue(dispute: Mapping[str, Any], now: datetime) -> bool:
    """Whether the time for evidence has passed."""
    due_by: datetime = dispute["evidence_due_by"]
    return now >= due_by


def evidence_due_by(opened_at: datetime) -> datetime:
    """When it is too late for evidence on a dispute opened then."""
    last_day = (opened_at + timedelta(days=EVIDENCE_DAYS)).date()
    return datetime.combine(last_day, _LAST_SECOND, opened_at.tzinfo)


def left_to_dispute(payment: Mapping[str, Any]) -> int:
    """What is captured and neither refunded nor in dispute, in minor units."""
    taken: int = payment["amount_refunded"] + payment["amount_disputed"]
    captured: int = payment["amount_captured"]
    return captured - taken


def claimed_amount(payment: Mapping[str, Any], asked: int | None) -> int:
    """How much a dispute of the sandbox is about: what is left, or `asked` of it.

    Raises 422 `payment_unexpected_state` unless the payment is captured, and 422
    `payment_disputed` where too little is left.
    """
    if payment["status"] != "captured":
        raise Unprocessable("payment_unexpected_state", status=payment["status"])
    left = left_to_dispute(payment)
    amount = left if asked is None else asked
    if amount > left or amount == 0:
        raise Unprocessable("payment_disputed", "amount", amount=amount, available=left)
    return amount


def dispute_id(chargeback_id: UUID, opened_at_ms: int) -> UUID:
    """The dispute that a chargeback is: a UUIDv7 that is the same each time it is told of."""
    digest = sha256(chargeback_id.bytes).digest()
    noise = int.from_bytes(digest[:_NOISE_BYTES], "big")
    return UUID(
        int=(opened_at_ms << 80)
        | _VERSION_7
        | (noise & _NOISE_A_MASK)
        | _VARIANT_RFC
        | (noise & _NOISE_B_MASK)
    )


def resource(dispute: Mapping[str, Any]) -> dict[str, Any]:
    """The dispute as the API shows it; `dispute` has the columns of the disputes table."""
    closed_at = dispute["closed_at"]
    return {
        "object": "dispute",
        "id": to_text("dsp", dispute["id"]),
        "payment_id": to_text("pay", dispute["payment_id"]),
        "merchant_id": to_text("mch", dispute["merchant_id"]),
        "amount": dispute["amount"],
        "currency": dispute["currency"],
        "reason": dispute["reason"],
        "status": dispute["status"],
        "evidence_due_by": moments.to_text(dispute["evidence_due_by"]),
        "evidence": _evidence(dispute),
        "livemode": dispute["livemode"],
        "created_at": moments.to_text(dispute["created_at"]),
        "closed_at": None if closed_at is None else moments.to_text(closed_at),
    }


def _evidence(dispute: Mapping[str, Any]) -> dict[str, Any] | None:
    if dispute["evidence_submitted_at"] is None:
        return None
    return {
        "text": dispute["evidence_text"],
        "receipt_url": dispute["evidence_receipt_url"],
        "shipping_tracking": dispute["evidence_shipping_tracking"],
        "customer_communication": dispute["evidence_customer_communication"],
        "submitted_at": moments.to_text(dispute["evidence_submitted_at"]),
    }
