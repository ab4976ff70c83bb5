"""Moments as the API writes and reads them: RFC 3339, UTC, milliseconds."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_SECONDS: Final = slice(17, 19)
_LEAP_SECOND: Final = "60"
_LAST_OF_THE_DAY: Final = (23, 59, 59)


def to_text(moment: datetime) -> str:
    """`2026-04-11T14:30:00.000Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def from_text(text: str) -> datetime:
    """A moment of any RFC 3339 offset; the document has checked its form (`is_moment`)."""
    if text[_SECONDS] == _LEAP_SECOND:
        return _after_leap_second(text)
    return datetime.fromisoformat(text.upper())


def is_moment(text: str) -> bool:
    """True for a date-time of RFC 3339 that `from_text` reads; the year 0000 has no place here."""
    if not _RFC_3339.fullmatch(text):
        return False
    try:
        from_text(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return True


def _after_leap_second(text: str) -> datetime:
    """RFC 3339 section 5.6 has second 60, our clocks do not: the second that follows it."""
    last = datetime.fromisoformat(f"{text[:17]}59{text[19:].upper()}")
    at = last.astimezone(UTC)
    if (at.hour, at.minute, at.second) != _LAST_OF_THE_DAY:
        raise ValueError("a leap second stands at the end of a day in UTC")
    return last + timedelta(seconds=1)
