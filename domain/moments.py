"""Moments as the API writes and reads them: RFC 3339, UTC, milliseconds."""

from datetime import UTC, datetime


def to_text(moment: datetime) -> str:
    """`2026-04-11T14:30:00.000Z`."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def from_text(text: str) -> datetime:
    """A moment of any RFC 3339 offset; the document has checked its form."""
    return datetime.fromisoformat(text.upper())
