"""Moments as the API writes and reads them: RFC 3339, UTC, milliseconds."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

# RFC 3339 section 5.6 knows second 60 of a leap second; a moment here has no such second.
_LEAP_SECOND: Final = slice(17, 19)
_YEAR_ZERO: Final = "0000-"
# As orjson writes a moment, quotes included; what falls on a whole second is shorter.
_WITH_MICROSECONDS: Final = len('"2026-04-11T14:30:00.000000Z"')


def to_text(moment: datetime) -> str:
    """`2026-04-11T14:30:00.000Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # `isoformat` takes two and a half times as long, and a payment has seven moments written.
    text = orjson.dumps(moment, option=orjson.OPT_UTC_Z)
    if len(text) == _WITH_MICROSECONDS:
        return text[1:24].decode() + "Z"
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


_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def is_moment(text: str) -> bool:
    """True for a date-time of RFC 3339 that `from_text` reads and UTC can hold."""
    if not _RFC_3339.fullmatch(text):
        return False
    try:
        moment = from_text(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    # A leap second stands at the end of a day in UTC, so midnight follows it.
    leaps = text[_LEAP_SECOND] == "60" and not text.startswith(_YEAR_ZERO)
    return not leaps or (moment.hour, moment.minute, moment.second) == (0, 0, 0)
