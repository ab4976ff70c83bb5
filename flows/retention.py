"""Forgetting what has been kept for long enough (domain/retention.py)."""

from datetime import UTC, datetime
from typing import Final

from domain.retention import (
    AUDIT_MONTHS_KEPT,
    EVENT_MONTHS_KEPT,
    KEYS_KEPT,
    first_id,
    month_kept_since,
)
from flows.house import House
from models.retention import drop_months, forget_deliveries, forget_keys
from runtime.log import log

_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
_KEPT: Final = {"events": EVENT_MONTHS_KEPT, "audit_entries": AUDIT_MONTHS_KEPT}


class KeyRetention:
    """Forgets idempotency keys after 48 h; the same key is then a new request."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._after = _BEGINNING

    async def turn(self) -> int:
        """Forget one batch; how many keys it had.  0 ends a pass, and the next looks at all."""
        before = self._house.clock.now() - KEYS_KEPT
        async with self._house.database.transaction() as transaction:
            count, newest = await forget_keys(transaction, self._after, before)
        self._after = newest or _BEGINNING
        if count:
            log("idempotency_keys_forgotten", count=count)
        return count


async def forget_old_months(house: House) -> int:
    """Forget a batch of old deliveries; when none are left, drop the months that are over.

    How many rows went.
    """
    now = house.clock.now()
    kept_since = month_kept_since(now, EVENT_MONTHS_KEPT)
    async with house.database.transaction() as transaction:
        gone = await forget_deliveries(transaction, first_id(kept_since))
    if gone:
        log("deliveries_forgotten", rows=gone)
        return gone
    for parent, months in _KEPT.items():
        async with house.database.transaction() as transaction:
            dropped = await drop_months(transaction, parent, month_kept_since(now, months))
        for name in dropped:
            log("month_dropped", partition=name)
    return 0
