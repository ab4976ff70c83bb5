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
_REVERSE: Final = "reverse"
_ASKED: Final = ("authorise", "sale")
_REFERENCE: Final = "sim_"


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
        reference=_REFERENCE + order.attempt_id.hex,
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


def attempt_in(reference: str | None) -> str | None:
    """The attempt that a reference of ours, as answers give it, stands for."""
    return None if reference is None else reference.removeprefix(_REFERENCE)


def decided_follow_up(line: Line, history: list[Line], of: str | None = None) -> Line:
    """A capture, draw, reversal or refund, decided by what the history allows.

    The history is that of the payment, or that of the hold which is drawn on or given back.
    `of` is the attempt whose approval is followed; none: the last that there is.
    """
    approval = approval_of(history, of)
    if approval is not None:
        if line.kind == _REVERSE:
            line = msgspec.structs.replace(line, of=approval.attempt)
            if is_addition(approval):
                return _addition_given_back(line, approval, history)
        history = _followed(history, approval)
    if approval is None or not _allowed(line, approval, history):
        return msgspec.structs.replace(
            line, decision="declined", reference=None, code="processing_error"
        )
    if line.kind == _REVERSE:
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
    reversed_already = _sum(history, _REVERSE) > 0
    if line.currency not in ("", approval.currency):
        return False
    if line.kind == "capture":
        return not captured and not reversed_already and line.amount <= approval.amount
    if line.kind == DRAW:
        return not reversed_already and line.amount <= _left(history)
    if line.kind == _REVERSE:
        return approval.kind == "sale" or not _sum(history, "capture")
    return not reversed_already and line.amount <= captured - _sum(history, "refund")


def _captured(history: list[Line]) -> int:
    approval = approval_of(history)
    at_once = approval is not None and approval.kind in ("sale", DRAW)
    sold = approval.amount if approval is not None and at_once else 0
    return _sum(history, "capture") or sold


def is_addition(line: Line) -> bool:
    """Whether it adds to a hold."""
    return line.kind == "authorise" and line.hold is not None


def _followed(history: list[Line], approval: Line) -> list[Line]:
    """What belongs to one approval: other approvals of the same payment do not, nor do those
    that were given back by themselves."""
    others = {line.attempt for line in history if line.kind in _ASKED and line.hold is None}
    others |= {line.of or "" for line in history if _is_reversal(line)}
    others -= {approval.attempt, ""}
    return [line for line in history if line.attempt not in others and line.of not in others]


def _addition_given_back(line: Line, addition: Line, history: list[Line]) -> Line:
    """Of what was added to a hold nothing is left when the hold was given back after it."""
    later = history[history.index(addition) :]
    back = (addition.attempt, None)
    gone = any(
        _is_reversal(each) and (each.of in back or each.payment == addition.hold) for each in later
    )
    amount = 0 if gone else addition.amount
    return msgspec.structs.replace(
        line, amount=amount, currency=addition.currency, hold=addition.hold
    )


def _is_reversal(line: Line) -> bool:
    return line.kind == _REVERSE and line.decision == _APPROVED


def approval_of(history: list[Line], attempt: str | None = None) -> Line | None:
    """The approved authorisation or sale of a payment, or of a hold; a drawn one's draw.

    `attempt`: the one of that attempt, be it what was added to a hold.
    """
    approved = [line for line in history if line.decision == _APPROVED]
    if attempt is not None:
        named = (line for line in approved if line.kind in (*_ASKED, DRAW))
        return next((line for line in named if line.attempt == attempt), None)
    # The history of a hold has the draws on it, too, and what was added to it.
    asked = [line for line in approved if line.kind in _ASKED and not line.hold]
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
