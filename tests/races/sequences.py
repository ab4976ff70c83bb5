"""What two requests for one payment may come to: as if one had been served after the other.

A plain model of a payment in memory, with the rules of the contract and no lock; a race of
two is right when its answers and its end are those of one order or of the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import NamedTuple

AUTHORISED = 10_000


@dataclass(frozen=True)
class Payment:
    """What of a payment its requests change."""

    status: str
    captured: int = 0
    refunded: int = 0


class Act(NamedTuple):
    """A request: the last part of its path, and an amount or everything."""

    action: str
    amount: int | None = None

    @property
    def body(self) -> dict[str, int] | None:
        return None if self.amount is None else {"amount": self.amount}

    def __str__(self) -> str:
        return self.action if self.amount is None else f"{self.action}-{self.amount}"


class Served(NamedTuple):
    """The status of an answer and the code of a refusal."""

    status: int
    code: str


REFUSED = Served(422, "payment_unexpected_state")
CAPTURE, PART = Act("capture"), Act("capture", 6_000)
TOO_MUCH = Act("capture", AUTHORISED + 1)
CANCEL = Act("cancel")
REFUND, SOME = Act("refunds"), Act("refunds", 6_000)
ACTS = (CAPTURE, PART, TOO_MUCH, CANCEL, REFUND, SOME)


def serve(payment: Payment, act: Act) -> tuple[Payment, Served]:
    """One request alone."""
    if act.action == "refunds":
        return _refund(payment, act)
    if payment.status != "authorized":
        if act.action == "cancel" and payment.status == "pending":
            return replace(payment, status="cancelled"), Served(200, "")
        return payment, REFUSED
    if act.action == "cancel":
        return replace(payment, status="cancelled"), Served(200, "")
    if act.amount is not None and act.amount > AUTHORISED:
        return payment, Served(422, "capture_exceeds_authorization")
    taken = AUTHORISED if act.amount is None else act.amount
    return replace(payment, status="captured", captured=taken), Served(200, "")


def _refund(payment: Payment, act: Act) -> tuple[Payment, Served]:
    if payment.status != "captured":
        return payment, REFUSED
    left = payment.captured - payment.refunded
    amount = left if act.amount is None else act.amount
    if not 0 < amount <= left:
        return payment, Served(422, "refund_exceeds_capture")
    return replace(payment, refunded=payment.refunded + amount), Served(201, "")


def outcomes(payment: Payment, acts: Sequence[Act]) -> set[tuple[Payment, tuple[Served, ...]]]:
    """Every end and all answers, in the order of `acts`, over all orders of being served."""
    found = set()
    for order in permutations(range(len(acts))):
        state, served = payment, dict[int, Served]()
        for number in order:
            state, served[number] = serve(state, acts[number])
        found.add((state, tuple(served[number] for number in range(len(acts)))))
    return found
