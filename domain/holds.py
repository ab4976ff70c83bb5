"""What is true of a hold: its states, what may be drawn, how it is shown.

A hold is money set aside on a saved card, a ceiling that payments draw on.  States run
forward only: pending -> active -> used_up, released or expired, pending -> failed.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from domain import moments
from domain.authorisations import shown_network
from domain.ids import to_text
from domain.payments import NETWORK_UNAVAILABLE
from domain.refusals import Unprocessable

# With all that is added to it, in minor units (contract-decisions, "Shape").
LARGEST: Final = 99_999_999
_CARD_DECLINED: Final = "card_declined"

Hold = dict[str, Any]


class Transition(NamedTuple):
    """One allowed step and the event that tells of it."""

    status: str
    action: str
    becomes: str
    event: str


TRANSITIONS: Final = (
    Transition("pending", "approve", "active", "hold.created"),
    Transition("pending", "fail", "failed", "hold.failed"),
    Transition("active", "top_up", "active", "hold.topped_up"),
    Transition("active", "fail_top_up", "active", "hold.top_up_failed"),
    Transition("active", "use_up", "used_up", "hold.used_up"),
    Transition("active", "release", "released", "hold.released"),
    Transition("active", "expire", "expired", "hold.expired"),
)
_BY_STEP: Final = {(step.status, step.action): step for step in TRANSITIONS}


class Change(NamedTuple):
    """A hold's columns after a step, and the event that tells of it."""

    hold: Hold
    event: str


def approved(hold: Mapping[str, Any], network: str) -> Change:
    """The network has set the money aside."""
    changed = {
        "network": shown_network(network),
        "amount_authorized": hold["amount"],
        "end_at": hold["expires_at"],
        "resume_at": None,
    }
    return _changed(hold, "approve", changed)


class Decline(NamedTuple):
    """Why a network said no."""

    network: str | None
    code: str | None
    decline_code: str | None


def failed(hold: Mapping[str, Any], decline: Decline, at: datetime) -> Change:
    """The network has said no."""
    changed = {
        "network": None if decline.network is None else shown_network(decline.network),
        "failure_code": decline.code or _CARD_DECLINED,
        "decline_code": decline.decline_code,
        "closed_at": at,
        "resume_at": None,
    }
    return _changed(hold, "fail", changed)


def given_up(hold: Mapping[str, Any], at: datetime, resume_at: datetime | None) -> Change:
    """No answer came within the deadline; one that still may is looked for at `resume_at`."""
    change = failed(hold, Decline(None, NETWORK_UNAVAILABLE, None), at)
    return Change({**change.hold, "resume_at": resume_at}, change.event)


def queued(hold: Mapping[str, Any], resume_at: datetime) -> Hold:
    """Still pending: the answer is unknown, and a worker will ask for it."""
    return {**hold, "pending_reason": NETWORK_UNAVAILABLE, "resume_at": resume_at}


def topped_up(hold: Mapping[str, Any], amount: int) -> Change:
    """The network has set `amount` more aside."""
    changed = {
        "amount": hold["amount"] + amount,
        "amount_authorized": hold["amount_authorized"] + amount,
    }
    return _changed(hold, "top_up", changed)


def not_topped_up(hold: Mapping[str, Any]) -> Change:
    """The network has not set more aside; nothing but this news comes of it."""
    return _changed(hold, "fail_top_up", {})


def used_up(hold: Mapping[str, Any], at: datetime) -> Change:
    """The last of it was drawn."""
    return _changed(hold, "use_up", {"closed_at": at, "end_at": None})


def ended(hold: Mapping[str, Any], action: str, at: datetime, resume_at: datetime) -> Change:
    """Released, or expired, `at` that business time; a worker gives back what is left."""
    changed = {
        "amount_released": left_of(hold),
        "closed_at": at,
        "end_at": None,
        "resume_at": resume_at,
    }
    return _changed(hold, action, changed)


def check_top_up(hold: Mapping[str, Any], amount: int) -> None:
    """Raises 422 `hold_exceeds_maximum` where the ceiling would be too high."""
    available = LARGEST - hold["amount"]
    if amount > available:
        raise Unprocessable("hold_exceeds_maximum", "amount", amount=amount, available=available)


def check_draw(hold: Mapping[str, Any], amount: int) -> None:
    """Raises 422 `hold_insufficient` where less than `amount` is left."""
    available = left_of(hold)
    if amount > available:
        raise Unprocessable("hold_insufficient", "amount", amount=amount, available=available)


def check_active(hold: Mapping[str, Any], now: datetime) -> None:
    """Raises 422 `hold_unexpected_state` unless the hold stands at `now`, business time."""
    status = hold["status"]
    if status == "active" and hold["end_at"] <= now:
        # No worker has seen it yet.
        status = "expired"
    if status != "active":
        raise unexpected(status)


def unexpected(status: str) -> Unprocessable:
    """The 422 of what the hold's state forbids."""
    return Unprocessable("hold_unexpected_state", "hold_id", status=status)


def left_of(hold: Mapping[str, Any]) -> int:
    """What was set aside and not drawn."""
    left: int = hold["amount_authorized"] - hold["amount_drawn"]
    return left


def expires_at(now: datetime, seconds: int) -> datetime:
    """When a hold that is made at `now`, business time, is over."""
    return now + timedelta(seconds=seconds)


def resource(hold: Mapping[str, Any]) -> dict[str, Any]:
    """The hold as the API shows it; `hold` has the columns of the holds table."""
    status, closed_at = hold["status"], hold["closed_at"]
    return {
        "object": "hold",
        "id": to_text("hld", hold["id"]),
        "merchant_id": to_text("mch", hold["merchant_id"]),
        "payment_method_id": to_text("pm", hold["payment_method_id"]),
        "customer_id": to_text("cus", hold["customer_id"]),
        "amount": hold["amount"],
        "amount_remaining": left_of(hold) if status == "active" else 0,
        "amount_drawn": hold["amount_drawn"],
        "currency": hold["currency"],
        "status": status,
        "failure_code": hold["failure_code"],
        "decline_code": hold["decline_code"],
        "pending_reason": hold["pending_reason"],
        "network": hold["network"],
        "livemode": hold["livemode"],
        "created_at": moments.to_text(hold["created_at"]),
        "expires_at": moments.to_text(hold["expires_at"]),
        "closed_at": None if closed_at is None else moments.to_text(closed_at),
    }


def _changed(hold: Mapping[str, Any], action: str, changed: Mapping[str, Any]) -> Change:
    step = _BY_STEP.get((hold["status"], action))
    if step is None:
        raise unexpected(hold["status"])
    told = {
        "status": step.becomes,
        "pending_reason": None,
        "event_sequence": hold["event_sequence"] + 1,
    }
    return Change({**hold, **changed, **told}, step.event)
