"""The chart of accounts, and which accounts each movement of money touches.

A posting moves an amount from the account that is debited to the one that is credited, in
one currency, so that no set of postings can fail to add up to zero.  Every account belongs
to one merchant, mode and currency; its balance is what was credited less what was debited
(contract-decisions, "Money": invariant).
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from domain.fees import DISPUTE, capture_fee

Account = Literal[
    # What cards have promised and nobody owes yet, and its counterpart.
    "authorised",
    "authorised_contra",
    # What has settled and was not paid out.
    "available",
    # What the card networks and banks hold of ours: negative while they owe it.
    "card_network",
    # What Paymint has earned.
    "fees",
    # What was exchanged: bought, of a currency that was paid out in another, or sold for it.
    "fx",
    # Payouts on their way to the merchant's bank, and those that have arrived.
    "in_transit",
    # What Paymint has paid in the place of networks that refused what they had approved.
    "losses",
    "paid_out",
    # What the merchant's payments have brought, less what was taken back from it, until it
    # has settled.
    "merchant",
    # Refunds that were asked for and that the network has not settled.
    "refund_clearing",
]
Kind = Literal[
    "authorisation",
    "capture",
    "dispute",
    "dispute_reversal",
    "draw_loss",
    "hold",
    "hold_draw",
    "hold_release",
    "hold_top_up",
    "payout",
    "payout_conversion",
    "payout_converted",
    "payout_paid",
    "refund",
    "refund_failure",
    "refund_paid",
    "release",
    "settlement",
    "settlement_debit",
]


class Leg(NamedTuple):
    """One posting of a movement: `part` says which of its two sums is moved."""

    kind: Kind
    position: int
    debit: Account
    credit: Account
    part: Literal["amount", "fee"] = "amount"


# A movement is posted once for its source, by the key of the postings table.
LEGS: Final = (
    # Of a payment.
    Leg("authorisation", 0, "authorised_contra", "authorised"),
    Leg("release", 0, "authorised", "authorised_contra"),
    Leg("capture", 0, "card_network", "merchant"),
    Leg("capture", 1, "merchant", "fees", "fee"),
    # Of a hold: its own, what was added to it, what a payment draws, what is left at its end.
    Leg("hold", 0, "authorised_contra", "authorised"),
    Leg("hold_top_up", 0, "authorised_contra", "authorised"),
    Leg("hold_draw", 0, "authorised", "authorised_contra"),
    Leg("hold_release", 0, "authorised", "authorised_contra"),
    # Of a draw that the network refused for good: Paymint owes it in the network's place.
    Leg("draw_loss", 0, "losses", "card_network"),
    # Of a refund: set aside when it is asked for, then paid or given back.
    Leg("refund", 0, "merchant", "refund_clearing"),
    Leg("refund_paid", 0, "refund_clearing", "card_network"),
    Leg("refund_failure", 0, "refund_clearing", "merchant"),
    # Of a dispute; its fee is kept however it ends.
    Leg("dispute", 0, "merchant", "card_network"),
    Leg("dispute", 1, "merchant", "fees", "fee"),
    Leg("dispute_reversal", 0, "card_network", "merchant"),
    # Of a settlement: what one run has found in one currency, owed by the merchant or to it.
    Leg("settlement", 0, "merchant", "available"),
    Leg("settlement_debit", 0, "available", "merchant"),
    # Of a part of a payout: in the payout's own currency, or in another and then in it.
    Leg("payout", 0, "available", "in_transit"),
    Leg("payout_conversion", 0, "available", "fx"),
    Leg("payout_converted", 0, "fx", "in_transit"),
    # Of a payout.
    Leg("payout_paid", 0, "in_transit", "paid_out"),
)


class Movement(NamedTuple):
    """What is posted of one source: positive minor units, `fee` 0 where the kind has none."""

    kind: Kind
    amount: int
    fee: int = 0


def of_payment(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Movement]:
    """What a change of a payment's row moves.

    Refunds and disputes move money under their own names: see below.
    """
    was, now = before["status"], after["status"]
    moved: list[Movement] = []
    if was != now and now == "authorized":
        moved.append(Movement("authorisation", after["amount_authorized"]))
    if was == "authorized" and now != "authorized":
        moved.append(Movement("release", before["amount_authorized"]))
    if was in ("pending", "authorized") and now == "captured":
        captured = after["amount_captured"]
        moved.append(Movement("capture", captured, capture_fee(captured)))
    return moved


def of_hold(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Movement]:
    """What a change of a hold's row moves: the promise when it is made, and its end.

    What is added and drawn moves under the names of the top-up and the payment.
    """
    was, now = before["status"], after["status"]
    if was == "pending" and now == "active":
        return [Movement("hold", after["amount_authorized"])]
    if was == "active" and now in ("released", "expired") and after["amount_released"]:
        return [Movement("hold_release", after["amount_released"])]
    return []


def of_top_up(top_up: Mapping[str, Any]) -> list[Movement]:
    """What a top-up that the network agreed to promises."""
    return [Movement("hold_top_up", top_up["amount"])]


def of_drawn_payment(payment: Mapping[str, Any]) -> list[Movement]:
    """What drawing a payment on a hold moves: the promise is kept, the money captured."""
    amount = payment["amount_captured"]
    return [Movement("hold_draw", amount), Movement("capture", amount, capture_fee(amount))]


def of_lost_draw(draw: Mapping[str, Any]) -> list[Movement]:
    """What giving up a draw moves that its network refused: the merchant keeps its money."""
    return [Movement("draw_loss", draw["amount"])]


def of_new_refund(refund: Mapping[str, Any]) -> list[Movement]:
    """What asking for a refund sets aside."""
    return [Movement("refund", refund["amount"])]


def of_settled_refund(refund: Mapping[str, Any]) -> list[Movement]:
    """What the end of a refund moves: paid, or given back."""
    kind: Kind = "refund_paid" if refund["status"] == "succeeded" else "refund_failure"
    return [Movement(kind, refund["amount"])]


def of_new_dispute(dispute: Mapping[str, Any]) -> list[Movement]:
    """What the payer's bank takes back, and what a dispute costs."""
    return [Movement("dispute", dispute["amount"], DISPUTE)]


def of_dispute(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Movement]:
    """What a change of a dispute moves: a won one returns its amount."""
    if before["status"] == after["status"] or after["status"] != "won":
        return []
    return [Movement("dispute_reversal", after["amount"])]


def of_settlement(net: int) -> list[Movement]:
    """What settling transactions moves that come to `net` minor units, which may be negative."""
    if not net:
        return []
    return [Movement("settlement", net) if net > 0 else Movement("settlement_debit", -net)]
