"""Metrics that the main house and the vault both show, each on its own port."""

from datetime import datetime
from math import nan

from prometheus_client import Counter, Gauge

_DUE = Gauge("paymint_backlog", "Work that is due and not done, counted to 10000", ["work"])
_OLDEST = Gauge("paymint_oldest_due_seconds", "How long the oldest due work has waited", ["work"])
# Of a payment or hold that has ended, or of an approval that came after it was given up.
REVERSALS_DECLINED = Counter(
    "paymint_reversals_declined",
    "Approvals that we gave back and that their network would not take back",
    ["of"],
)
for of in ("payment", "hold", "late_approval"):
    REVERSALS_DECLINED.labels(of)


def show_backlog(work: str, due: int, oldest: datetime | None, now: datetime) -> None:
    """How much of a kind of work is due at `now`, and since when the oldest; None: nothing."""
    waited = 0.0 if oldest is None else (now - oldest).total_seconds()
    _DUE.labels(work).set(due)
    _OLDEST.labels(work).set(max(waited, 0.0))


def hide_backlog(work: str) -> None:
    """What cannot be measured shows NaN."""
    _DUE.labels(work).set(nan)
    _OLDEST.labels(work).set(nan)
