"""What is true of payouts: their day, what they pay of which currency, how they are shown.

Once a business day what has settled is paid out in the merchant's settlement currency
(docs/decisions, "reconciliation" in the contract decisions).
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from domain import moments
from domain.exchange import converted
from domain.ids import to_text

# What is less stays in the balance, in minor units of the settlement currency.
MINIMUM: Final = 100
# What came in today settles tomorrow; in live mode the day after, when networks have paid.
LIVE_DELAY: Final = timedelta(days=1)
LIVE_BANKING_DAYS: Final = 2
# These count from the next run on, whenever they were made: what was taken back is not paid out.
AT_ONCE: Final = ("refund", "dispute")
# Whose money is kept until the operator has decided about the account.
PAID_OUT_TO: Final = ("pending_review", "active")
SAME: Final = "1"
_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


class Part(NamedTuple):
    """What a payout takes of one currency, in minor units, and what that comes to."""

    currency: str
    amount: int
    rate: str
    converted_amount: int


class Plan(NamedTuple):
    """What is paid out, and the currencies that have no rate: their money stays."""

    parts: tuple[Part, ...]
    without_rate: tuple[str, ...]

    @property
    def amount(self) -> int:
        """The payout, in minor units of the settlement currency."""
        return sum(part.converted_amount for part in self.parts)


def business_day(reached: datetime) -> date:
    """The day, in UTC, at a moment of the merchant's business clock."""
    return reached.astimezone(UTC).date()


def day_start(day: date) -> datetime:
    """The day's first moment."""
    return datetime.combine(day, time(), UTC)


def next_run(reached: datetime) -> datetime:
    """When the next payout is due: the next midnight, UTC."""
    return day_start(business_day(reached)) + _DAY


def settles_before(day: date, *, livemode: bool) -> datetime:
    """What came in before this moment is settled by the run of a day."""
    return day_start(day) - (LIVE_DELAY if livemode else timedelta())


def arrival(day: date, *, livemode: bool) -> date:
    """When the money of a day's payout is in the bank: in test mode at once."""
    left = LIVE_BANKING_DAYS if livemode else 0
    while left:
        day += _DAY
        left -= day.weekday() < _SATURDAY
    return day


def planned(settled: Mapping[str, int], to: str, rates: Mapping[str, str]) -> Plan:
    """What is paid out of `settled` (minor units by currency) in the currency `to`.

    `rates` are those to `to`.  A currency that is owed to Paymint pays nothing out, one
    without a rate stays, and so does all of it below the minimum.
    """
    parts, missing = [], []
    for currency in sorted(settled):
        amount = settled[currency]
        rate = SAME if currency == to else rates.get(currency)
        if amount <= 0:
            continue
        if rate is None:
            missing.append(currency)
        elif (paid := converted(amount, currency, rate, to)) > 0:
            parts.append(Part(currency, amount, rate, paid))
    plan = Plan(tuple(parts), tuple(missing))
    return plan if plan.amount >= MINIMUM else Plan((), plan.without_rate)


def resource(payout: Mapping[str, Any]) -> dict[str, Any]:
    """The payout as the API shows it: columns of the payouts table, and its `parts` beside."""
    return {
        "object": "payout",
        "id": to_text("pyt", payout["id"]),
        "merchant_id": to_text("mch", payout["merchant_id"]),
        "amount": payout["amount"],
        "currency": payout["currency"],
        "status": payout["status"],
        "business_day": payout["business_day"].isoformat(),
        "arrival_date": payout["arrival_date"].isoformat(),
        "parts": payout["parts"],
        "transaction_count": payout["transaction_count"],
        "livemode": payout["livemode"],
        "created_at": moments.to_text(payout["created_at"]),
    }
