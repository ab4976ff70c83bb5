"""Cursors: a place in a list, and the filters and order that it belongs to.

A cursor carries the sort key of a row, not the row, so it stays good when the row is gone
(contract-decisions, "lists").  `crs_` + base64url of 32 bytes: the sort value (signed, in
milliseconds or minor units), the id, and a digest of filters and sort.  It is opaque but no
secret: a forged one shows nothing that its maker may not list anyway.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

PREFIX: Final = "crs_"
DIGEST_BYTES: Final = 8
_VALUE_BYTES: Final = 8
_ID_BYTES: Final = 16
_LENGTH: Final = _VALUE_BYTES + _ID_BYTES + DIGEST_BYTES
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

SortValue = datetime | int


class Place(NamedTuple):
    """The sort key of a row: its sort value and its id."""

    value: SortValue
    id: UUID


def digest_of(sort: str, filters: Mapping[str, Any]) -> bytes:
    """What ties a cursor to one order and one choice of filters."""
    text = json.dumps([sort, sorted(filters.items())], default=str)
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()


def to_text(place: Place, digest: bytes) -> str:
    """The cursor of a place."""
    value = place.value
    number = (value - _EPOCH) // _MILLISECOND if isinstance(value, datetime) else value
    data = number.to_bytes(_VALUE_BYTES, "big", signed=True) + place.id.bytes + digest
    return PREFIX + base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_text(text: str, digest: bytes, *, by_time: bool) -> Place | None:
    """The place of a cursor, or None when it is malformed or made with other filters or sort.

    `by_time` tells whether the list is sorted by a moment or by an integer.
    """
    data = _decoded(text)
    if data is None or data[-DIGEST_BYTES:] != digest:
        return None
    number = int.from_bytes(data[:_VALUE_BYTES], "big", signed=True)
    identifier = UUID(bytes=data[_VALUE_BYTES : _VALUE_BYTES + _ID_BYTES])
    if not by_time:
        return Place(number, identifier)
    try:
        return Place(_EPOCH + number * _MILLISECOND, identifier)
    except OverflowError:
        return None


def _decoded(text: str) -> bytes | None:
    if not text.startswith(PREFIX) or not text.isascii():
        return None
    digits = text[len(PREFIX) :]
    try:
        data = base64.b64decode(digits + "=" * (-len(digits) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    return data if len(data) == _LENGTH else None
