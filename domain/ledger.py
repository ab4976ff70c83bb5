"""The chart of accounts, and which accounts each movement of money touches.

A posting moves an amount from the account that is debited to the one that is credited, in
one currency, so that no set of postings can fail to add up to zero.  Every account belongs
to one merchant, mode and currency; its balance is what was credited less what was debited
(contract-decisions, "Money": invariant).
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Account = Literal[
    "authorised",
    "authorised_contra",
    "bank",
    "card_network",
    "fees",
    "fx",
    "merchant_available",
    "merchant_pending",
    "payout_clearing",
    "refund_clearing",
]
Kind = Literal[
    "authorisation",
    "availability",
    "capture",
    "conversion_in",
    "conversion_out",
    "dispute",
    "dispute_reversal",
    "payout",
    "payout_failure",
    "payout_paid",
    "refund",
    "refund_failure",
    "refund_paid",
    "release",
]
Part = Literal["amount", "fee"]


class Leg(NamedTuple):
    """One posting of a movement: `part` says which of its two sums is moved."""

    kind: Kind
    position: int
    debit: Account
    credit: Account
    part: Part = "amount"


# A movement is posted once for its source, by the key of the postings table.
LEGS: Final = (
    # Of a payment or a hold.  Memo accounts: nobody owes anybody anything yet.
    Leg("authorisation", 0, "authorised_contra", "authorised"),
    Leg("release", 0, "authorised", "authorised_contra"),
    Leg("capture", 0, "card_network", "merchant_pending"),
    Leg("capture", 1, "merchant_pending", "fees", "fee"),
    # Of a balance transaction whose day has come.
    Leg("availability", 0, "merchant_pending", "merchant_available"),
    # Of a refund: set aside when it is asked for, then paid or given back.
    Leg("refund", 0, "merchant_available", "refund_clearing"),
    Leg("refund_paid", 0, "refund_clearing", "card_network"),
    Leg("refund_failure", 0, "refund_clearing", "merchant_available"),
    # Of a dispute; its fee is kept however it ends.
    Leg("dispute", 0, "merchant_available", "card_network"),
    Leg("dispute", 1, "merchant_available", "fees", "fee"),
    Leg("dispute_reversal", 0, "card_network", "merchant_available"),
    # Of a payout, and of the conversions that feed it.
    Leg("conversion_out", 0, "merchant_available", "fx"),
    Leg("conversion_in", 0, "fx", "merchant_available"),
    Leg("payout", 0, "merchant_available", "payout_clearing"),
    Leg("payout_paid", 0, "payout_clearing", "bank"),
    Leg("payout_failure", 0, "payout_clearing", "merchant_available"),
)


def balances_of(postings: list[tuple[Leg, int]]) -> Mapping[Account, int]:
    """What each account holds after these postings of one merchant, mode and currency."""
    held: dict[Account, int] = {}
    for leg, amount in postings:
        held[leg.debit] = held.get(leg.debit, 0) - amount
        held[leg.credit] = held.get(leg.credit, 0) + amount
    return held
