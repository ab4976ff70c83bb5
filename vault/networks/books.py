"""What a network holds a merchant to: the history of one payment, and the next line of it."""

from typing import Final, Literal

import msgspec

from vault.instruments import Card, last_four
from vault.networks.behaviours import UNDECIDED_FAULTS, Behaviour, behaviour_named
from vault.networks.journal import Line
from vault.networks.network import Charge, Order

SILENCE: Final = "silence"
CHARGEBACK: Final = "chargeback"
DRAW: Final = "draw"
_APPROVED: Final = "approved"


def opening_line(order: Order, kind: str, now_ms: int, trace: str | None = None) -> Line:
    """An order as the books write it, approved so far."""
    return Line(
        at=now_ms,
        kind=kind,
        attempt=order.attempt_id.hex,
        payment=order.payment_id.hex,
        merchant=order.merchant_id.hex,
        livemode=order.livemode,
        network=order.network,
        amount=order.amount,
        currency=order.currency,
        decision=_APPROVED,
        reference=f"sim_{order.attempt_id.hex}",
        trace=trace,
        hold=order.hold_id.hex if order.hold_id else None,
    )


def decided_charge(line: Line, behaviour: Behaviour, charge: Charge) -> Line:
    """An authorisation or a sale, decided as its number says."""
    decided = "declined" if behaviour.code else _APPROVED
    return msgspec.structs.replace(
        line,
        decision=SILENCE if behaviour.fault in UNDECIDED_FAULTS else decided,
        reference=None if behaviour.code else line.reference,
        code=behaviour.code,
        decline_code=behaviour.decline_code,
        cvc_check=_cvc_check(behaviour, charge),
        last_four=last_four(charge.secret),
        behaviour=behaviour.name,
    )


def decided_follow_up(line: Line, history: list[Line]) -> Line:
    """A capture, draw, reversal or refund, decided by what the history allows.

    The history is that of the payment, or that of the hold which is drawn on or given back.
    """
    approval = approval_of(history)
    if approval is None or not _allowed(line, approval, history):
        return msgspec.structs.replace(
            line, decision="declined", reference=None, code="processing_error"
        )
    if line.kind == "reverse":
        left = approval.amount if approval.kind == "sale" else _left(history)
        return msgspec.structs.replace(line, amount=left, currency=approval.currency)
    behaviour = behaviour_named(approval.behaviour)
    if line.kind == "refund" and behaviour.refund_settles_as:
        return msgspec.structs.replace(line, decision="pending", behaviour=behaviour.name)
    # A drawn payment's own history begins with its draw: its refunds behave as its card does.
    if line.kind == DRAW and behaviour.refund_settles_as:
        return msgspec.structs.replace(line, behaviour=behaviour.name)
    if line.kind in ("capture", DRAW) and behaviour.charged_back_as:
        return msgspec.structs.replace(line, behaviour=behaviour.name)
    return line


def to_charge_back(history: list[Line]) -> int:
    """What a payer's bank can still claim: captured, not refunded, not claimed before.

    A refund is not refused for a chargeback: networks leave it to the merchant's own books
    not to pay the same money back twice.
    """
    return _captured(history) - _sum(history, "refund") - _sum(history, CHARGEBACK)


def _allowed(line: Line, approval: Line, history: list[Line]) -> bool:
    captured = _captured(history)
    reversed_already = _sum(history, "reverse") > 0
    if line.currency not in ("", approval.currency):
        return False
    if line.kind == "capture":
        return not captured and not reversed_already and line.amount <= approval.amount
    if line.kind == DRAW:
        return not reversed_already and line.amount <= _left(history)
    if line.kind == "reverse":
        return approval.kind == "sale" or not _sum(history, "capture")
    return not reversed_already and line.amount <= captured - _sum(history, "refund")


def _captured(history: list[Line]) -> int:
    approval = approval_of(history)
    at_once = approval is not None and approval.kind in ("sale", DRAW)
    sold = approval.amount if approval is not None and at_once else 0
    return _sum(history, "capture") or sold


def approval_of(history: list[Line]) -> Line | None:
    """The approved authorisation or sale of a payment, or of a hold; a drawn one's draw."""
    approved = [line for line in history if line.decision == _APPROVED]
    # The history of a hold has the draws on it, too, and what was added to it.
    asked = [line for line in approved if line.kind in ("authorise", "sale") and not line.hold]
    found = asked or [line for line in approved if line.kind == DRAW]
    return found[-1] if found else None


def _left(history: list[Line]) -> int:
    """What stands of an authorisation, with all that was added to it, less what was drawn."""
    return _sum(history, "authorise") - _sum(history, DRAW)


def _sum(history: list[Line], kind: str) -> int:
    counted = 0
    for line in history:
        fails = behaviour_named(line.behaviour).refund_settles_as == "declined"
        if line.kind == kind and (
            line.decision == _APPROVED or (line.decision == "pending" and not fails)
        ):
            counted += line.amount
    return counted


def _cvc_check(
    behaviour: Behaviour, charge: Charge
) -> Literal["pass", "fail", "unavailable"] | None:
    if not isinstance(charge.secret, Card):
        return None
    if charge.cvc is None:
        return "unavailable"
    return "fail" if behaviour.code == "incorrect_cvc" else "pass"
