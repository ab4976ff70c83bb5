"""Moments as the API writes and reads them: RFC 3339, UTC, milliseconds."""

from datetime import UTC, datetime, timedelta
from typing import Final

# RFC 3339 section 5.6 knows second 60 of a leap second; a moment here has no such second.
_LEAP_SECOND: Final = slice(17, 19)
_YEAR_ZERO: Final = "0000-"


def to_text(moment: datetime) -> str:
    """`2026-04-11T14:30:00.000Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def from_text(text: str) -> datetime:
    """A moment of any RFC 3339 offset; the document has checked its form.

    A leap second is the second after it; before the year 1 there is nothing but its start.
    """
    if text.startswith(_YEAR_ZERO):
        return datetime.min.replace(tzinfo=UTC)
    if text[_LEAP_SECOND] == "60":
        return datetime.fromisoformat(text[:17].upper() + "59" + text[19:].upper()) + timedelta(
            seconds=1
        )
    return datetime.fromisoformat(text.upper())
