"""What is true of a test clock: where it may stand, and how it is shown."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from domain import moments
from domain.ids import to_text
from domain.refusals import Unprocessable

# How far ahead of the wall clock a test clock may stand.
FURTHEST_AHEAD: Final = timedelta(days=5 * 365)
_PARAM: Final = "frozen_time"


def start_at(asked: datetime, now: datetime) -> datetime:
    """Where a new clock stands: `asked`, in whole milliseconds.

    Raises 422 `test_clock_not_forward` for the past, `test_clock_too_far` past the bound.
    """
    return _forward(asked, now, now)


def advance_to(asked: datetime, frozen_time: datetime, now: datetime) -> datetime:
    """Where a clock at `frozen_time` stands next: `asked`, which must be later.

    Raises 422 `test_clock_not_forward` or `test_clock_too_far`.
    """
    return _forward(asked, frozen_time + timedelta(milliseconds=1), now)


def _forward(asked: datetime, earliest: datetime, now: datetime) -> datetime:
    if asked < earliest:
        raise Unprocessable("test_clock_not_forward", _PARAM)
    if asked > now + FURTHEST_AHEAD:
        raise Unprocessable("test_clock_too_far", _PARAM)
    asked = asked.astimezone(UTC)
    return asked.replace(microsecond=asked.microsecond // 1000 * 1000)


def resource(clock: Mapping[str, Any]) -> dict[str, Any]:
    """The clock as the API shows it; `clock` has the columns of the test_clocks table."""
    return {
        "object": "test_clock",
        "id": to_text("clk", clock["id"]),
        "frozen_time": moments.to_text(clock["frozen_time"]),
        "livemode": clock["livemode"],
        "created_at": moments.to_text(clock["created_at"]),
    }


def deleted(clock_id: UUID) -> dict[str, Any]:
    """What is answered when a clock is gone."""
    return {"object": "test_clock", "id": to_text("clk", clock_id), "deleted": True}
