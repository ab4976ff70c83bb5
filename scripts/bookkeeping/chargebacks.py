"""What the networks charged back against our disputes, chargeback by chargeback.

A chargeback whose amount hangs on refunds that are on their way, or whose capture we have
not recorded yet, waits by decision (docs/decisions/0021): it is counted, and is no difference.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

# How long a chargeback may be on its way to us before it counts as lost, in milliseconds.  The
# worker asks each second; the rest is for one that is down, and for clocks that are wrong.
_ON_ITS_WAY_MS: Final = 2 * 60 * 60 * 1000
# While nothing of ours is under way, a network may still have charged back this very moment.
_JUST_NOW_MS: Final = 15 * 1000
_NOT_YET_CAPTURED: Final = ("pending", "authorized")

# By id (32 hex digits): the amount in minor units, and when it was charged back, in unix ms.
Charged = dict[str, tuple[int, int]]


class Moment(NamedTuple):
    """When books are compared, in unix ms, and whether no work of ours is under way then."""

    settled: bool
    now_ms: int


def compared(
    row: dict[str, Any], charged: Charged, moment: Moment
) -> Iterator[tuple[str, str, str]]:
    """Where the disputes of a payment and its chargebacks disagree: rule, expected, found.

    `row` is the payment with its `disputes` (minor units by chargeback).
    """
    disputes = _by_chargeback(row)
    for name, amount in disputes.items():
        claimed, _ = charged.get(name, (0, 0))
        if amount > claimed:
            yield "the networks charged it back", f"{amount} of {name}", str(claimed)
    if row["paid"] + sum(disputes.values()) >= row["amount_captured"]:
        # Nothing was left to dispute, or a dispute was cut to what was.
        return
    late_ms = moment.now_ms - (_JUST_NOW_MS if moment.settled else _ON_ITS_WAY_MS)
    for name, (amount, at_ms) in charged.items():
        disputed = disputes.get(name)
        if disputed is None:
            if at_ms < late_ms and not _waits(row, amount):
                yield "chargebacks are recorded", f"{amount} of {name}", "no dispute"
        elif disputed < amount:
            yield "disputes are what was charged back", f"{amount} of {name}", str(disputed)


def waiting(row: dict[str, Any], charged: Charged) -> int:
    """How many chargebacks of a payment wait for its refunds or its capture."""
    recorded = _by_chargeback(row)
    return sum(
        name not in recorded and _waits(row, amount) for name, (amount, _) in charged.items()
    )


def _waits(row: dict[str, Any], amount: int) -> bool:
    hangs_on_refunds = row["pending_refunds"] > 0 and amount > row["left_to_dispute"]
    return hangs_on_refunds or row["status"] in _NOT_YET_CAPTURED


def _by_chargeback(row: dict[str, Any]) -> dict[str, int]:
    kept: dict[str, int] = row["disputes"] or {}
    return {name.replace("-", ""): amount for name, amount in kept.items()}
