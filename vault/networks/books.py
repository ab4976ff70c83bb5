"""What a network holds a merchant to: the history of one payment, and the next line of it."""

from typing import Final, Literal

import msgspec

from vault.instruments import Card, last_four
from vault.networks.behaviours import Behaviour, behaviour_named
from vault.networks.journal import Line
from vault.networks.network import Charge, Order

SILENCE: Final = "silence"
_APPROVED: Final = "approved"


def opening_line(order: Order, kind: str, now_ms: int) -> Line:
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
    )


def decided_charge(line: Line, behaviour: Behaviour, charge: Charge) -> Line:
    """An authorisation or a sale, decided as its number says."""
    decided = "declined" if behaviour.code else _APPROVED
    return msgspec.structs.replace(
        line,
        decision=SILENCE if behaviour.silent_before else decided,
        reference=None if behaviour.code else line.reference,
        code=behaviour.code,
        decline_code=behaviour.decline_code,
        cvc_check=_cvc_check(behaviour, charge),
        last_four=last_four(charge.secret),
        behaviour=behaviour.name,
    )


def decided_follow_up(line: Line, history: list[Line]) -> Line:
    """A capture, reversal or refund, decided by what the payment's history allows."""
    approval = _approval(history)
    if approval is None or not _allowed(line, approval, history):
        return msgspec.structs.replace(
            line, decision="declined", reference=None, code="processing_error"
        )
    if line.kind == "reverse":
        return msgspec.structs.replace(line, amount=approval.amount, currency=approval.currency)
    behaviour = behaviour_named(approval.behaviour)
    if line.kind == "refund" and behaviour.refund_settles_as:
        return msgspec.structs.replace(line, decision="pending", behaviour=behaviour.name)
    return line


def _allowed(line: Line, approval: Line, history: list[Line]) -> bool:
    captured = _sum(history, "capture") or (approval.amount if approval.kind == "sale" else 0)
    reversed_already = _sum(history, "reverse") > 0
    if line.currency not in ("", approval.currency):
        return False
    if line.kind == "capture":
        return not captured and not reversed_already and line.amount <= approval.amount
    if line.kind == "reverse":
        return approval.kind == "sale" or not _sum(history, "capture")
    return not reversed_already and line.amount <= captured - _sum(history, "refund")


def _approval(history: list[Line]) -> Line | None:
    for line in reversed(history):
        if line.kind in ("authorise", "sale") and line.decision == _APPROVED:
            return line
    return None


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
