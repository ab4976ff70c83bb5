"""How long things are kept.

Idempotency keys: 48 h of the wall clock (contract-decisions, "who may ask twice" and "two
clocks").  Audit entries: seven years (blueprint; PCI DSS 4.0.1 req. 10.5.1 asks for one).
Events with their deliveries and attempts: thirteen months, so that a year can be compared with
the one before.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

KEYS_KEPT: Final = timedelta(hours=48)
EVENT_MONTHS_KEPT: Final = 13
AUDIT_MONTHS_KEPT: Final = 84
_MILLISECOND_BITS: Final = 80


def month_kept_since(now: datetime, months: int) -> datetime:
    """The begin of the month that lies `months` before this one: all before it may go."""
    count = now.year * 12 + now.month - 1 - months
    return now.replace(
        year=count // 12,
        month=count % 12 + 1,
        day=1,
        hour=0,
        minute=0,
        second=0,
        microsecond=0,
    )


def first_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 of a moment."""
    return UUID(int=int(moment.timestamp() * 1000) << _MILLISECOND_BITS)
