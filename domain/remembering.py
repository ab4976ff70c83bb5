"""What a cache of rows may learn of a change, and in which order rows of one object stand."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

# A payment only ever goes from a smaller to a larger number.
_RANKS: Final = {
    "pending": 0,
    "authorized": 2,
    "captured": 3,
    "failed": 3,
    "cancelled": 3,
    "refunded": 4,
}
_QUEUED: Final = 1
# Nothing of an object comes after its deletion.
LAST: Final = 2**31
_AMOUNTS: Final = ("amount_captured", "amount_refunded", "amount_disputed")


class Changed(NamedTuple):
    """A committed change: `row` is how the object stands now, unless it is `unknown`.

    `order` grows with the states of an object.  `unknown`: the row changed within one order,
    so that which of two such rows is newer cannot be told; nothing may be remembered.
    """

    kind: str
    row: Mapping[str, Any]
    order: int
    unknown: bool = False


def order_of_payment(payment: Mapping[str, Any]) -> int:
    """Where this row stands among all rows that its payment ever has."""
    if payment["status"] == "pending" and payment["pending_reason"] is not None:
        return _QUEUED
    return _RANKS[payment["status"]]


def payment_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changed | None:
    """What to remember of a payment after a change; None where nothing shown changed."""
    order = order_of_payment(after)
    if order > order_of_payment(before):
        return Changed("payment", after, order)
    if any(before[name] != after[name] for name in _AMOUNTS):
        return Changed("payment", after, order, unknown=True)
    return None


def payment_decided(payment: Mapping[str, Any]) -> Changed:
    """A payment that was just answered."""
    return Changed("payment", payment, order_of_payment(payment))


def customer_read(customer: Mapping[str, Any]) -> Changed:
    """A customer as it was read or saved."""
    return Changed("customer", customer, customer["revision"])


def customer_deleted(customer: Mapping[str, Any]) -> Changed:
    """A customer that is gone."""
    return Changed("customer", customer, LAST, unknown=True)
