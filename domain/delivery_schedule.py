"""When a delivery is tried again (blueprint section 3, "Retry policy").

The delay of attempt n counts from attempt n - 1 (contract-decisions, "Events and
webhooks").
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

_DELAYS: Final = {
    2: timedelta(minutes=5),
    3: timedelta(minutes=30),
    4: timedelta(hours=2),
    5: timedelta(hours=24),
}


class Next(NamedTuple):
    """The state of a delivery after an attempt, and when the next attempt is due."""

    state: str
    attempt_at: datetime


def after_attempt(attempt: int, *, succeeded: bool, attempted_at: datetime) -> Next:
    """What follows attempt number `attempt`, begun at `attempted_at`.

    A replay may be attempt six or later; when it fails, the delivery has failed again.
    """
    if succeeded:
        return Next("succeeded", attempted_at)
    delay = _DELAYS.get(attempt + 1)
    if delay is None:
        return Next("failed", attempted_at)
    return Next("pending", attempted_at + delay)


def is_success(status_code: int | None) -> bool:
    """Only 2xx says that an event has arrived; a redirect is not followed and does not."""
    return status_code is not None and 200 <= status_code <= 299
