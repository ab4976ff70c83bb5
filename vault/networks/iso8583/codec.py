"""ISO 8583:1987 messages as bytes: a type, bitmaps in hexadecimal, fields in ASCII.

The table holds the fields that we exchange.  A message is a type of four digits and a map
from field number to text; what a field may hold is checked both ways, so nothing leaves
that a network would not read, and nothing is believed that a network may not say.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

# The longest of ours has some 9 kB.  Two characters of a message that are taken for a length
# mean more than this, so a stream that is out of step is noticed at once.
MESSAGE_MAX_BYTES: Final = 10 * 1024
# A peer cannot fill our memory with bitmaps that nobody uses.
REMEMBERED_SHAPES: Final = 256

_TYPE_CHARACTERS: Final = 4
_BITMAP_CHARACTERS: Final = 16
_FIELDS_PER_BITMAP: Final = 64
_HEX: Final = "0123456789ABCDEF"


class NotAMessage(ValueError):
    """Not a message that we exchange; `field` is where it goes wrong, 0: before any field.

    It says where and never what: the field may be a card number.
    """

    def __init__(self, reason: str, field: int = 0) -> None:
        super().__init__(f"{reason} (field {field})" if field else reason)
        self.field = field


class Message(NamedTuple):
    """One message: its type, and its fields by their numbers."""

    mti: str
    fields: dict[int, str]

    def __repr__(self) -> str:
        # One of the fields may be a card number (PCI DSS 4.0.1 req. 3.4.1).
        return f"Message({self.mti}, fields {sorted(self.fields)})"


class _Row(NamedTuple):
    """One field: digits only or any printable ASCII, `most` characters; `prefix` digits of
    length before it, or none where the length is fixed."""

    number: int
    digits: bool
    most: int
    prefix: int


def _fixed(number: int, length: int, *, digits: bool) -> _Row:
    return _Row(number, digits, length, 0)


# The format of each field as the standard has it (ISO 8583:1987, table 4): n is digits,
# LLVAR and LLLVAR a length of two or three digits before the value.
PAN: Final = 2
PROCESSING_CODE: Final = 3
AMOUNT: Final = 4
SENT_AT: Final = 7
TRACE_NUMBER: Final = 11
EXPIRY: Final = 14
ACQUIRER: Final = 32
RETRIEVAL_REFERENCE: Final = 37
RESPONSE_CODE: Final = 39
RESPONSE_DATA: Final = 44
ADDITIONAL_DATA: Final = 48
CURRENCY: Final = 49
REFERENCES: Final = 60
FUNCTION: Final = 61
DETAILS: Final = 62
NETWORK_REFERENCE: Final = 63
MANAGEMENT_CODE: Final = 70
ORIGINAL: Final = 90
TEXT_PARTS: Final = range(120, 128)

_TABLE: Final = (
    _Row(PAN, True, 19, 2),
    _fixed(PROCESSING_CODE, 6, digits=True),
    _fixed(AMOUNT, 12, digits=True),
    _fixed(SENT_AT, 10, digits=True),
    _fixed(TRACE_NUMBER, 6, digits=True),
    _fixed(EXPIRY, 4, digits=True),
    _Row(ACQUIRER, True, 11, 2),
    _fixed(RETRIEVAL_REFERENCE, 12, digits=False),
    _fixed(RESPONSE_CODE, 2, digits=False),
    _Row(RESPONSE_DATA, False, 25, 2),
    _Row(ADDITIONAL_DATA, False, 999, 3),
    _fixed(CURRENCY, 3, digits=False),
    _Row(REFERENCES, False, 999, 3),
    _Row(FUNCTION, False, 999, 3),
    _Row(DETAILS, False, 999, 3),
    _Row(NETWORK_REFERENCE, False, 999, 3),
    _fixed(MANAGEMENT_CODE, 3, digits=True),
    _fixed(ORIGINAL, 42, digits=True),
    *(_Row(number, False, 999, 3) for number in TEXT_PARTS),
)
FIELDS: Final = {row.number: row for row in _TABLE}

_shapes_out: dict[tuple[int, ...], tuple[str, tuple[_Row, ...]]] = {}
_shapes_in: dict[str, tuple[_Row, ...]] = {}


def pack(mti: str, fields: Mapping[int, str]) -> bytes:
    """The bytes of a message; raises NotAMessage, naming the field that cannot be sent."""
    if len(mti) != _TYPE_CHARACTERS or not mti.isdecimal():
        raise NotAMessage("no message type")
    numbers = tuple(fields)
    known = _shapes_out.get(numbers)
    bitmap, rows = known if known is not None else _shape_of(numbers)
    parts = [mti, bitmap]
    for number, digits, most, prefix in rows:
        value = fields[number]
        length = len(value)
        if digits and not value.isdecimal():
            raise NotAMessage("not digits", number)
        if prefix:
            if length > most:
                raise NotAMessage("too long", number)
            parts.append(f"{length:0{prefix}}")
        elif length != most:
            raise NotAMessage("not of its length", number)
        parts.append(value)
    text = "".join(parts)
    if not (text.isascii() and text.isprintable()):
        raise NotAMessage("not printable ASCII")
    return text.encode("ascii")


def unpack(data: bytes) -> Message:
    """The message that these bytes are, from the first to the last; raises NotAMessage."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise NotAMessage("not ASCII") from None
    if not text.isprintable():
        raise NotAMessage("not printable")
    mti = text[:_TYPE_CHARACTERS]
    if len(mti) != _TYPE_CHARACTERS or not mti.isdecimal():
        raise NotAMessage("no message type")
    start, rows = _rows_of(text)
    fields: dict[int, str] = {}
    for number, digits, most, prefix in rows:
        length = most
        if prefix:
            announced = text[start : start + prefix]
            start += prefix
            if len(announced) != prefix or not announced.isdecimal():
                raise NotAMessage("no length", number)
            length = int(announced)
            if length > most:
                raise NotAMessage("too long", number)
        value = text[start : start + length]
        start += length
        if len(value) != length:
            raise NotAMessage("cut off", number)
        if digits and not value.isdecimal():
            raise NotAMessage("not digits", number)
        fields[number] = value
    if start != len(text):
        raise NotAMessage("more than the bitmap says")
    return Message(mti, fields)


def _shape_of(numbers: tuple[int, ...]) -> tuple[str, tuple[_Row, ...]]:
    """Bitmap and rows of a message with these fields, kept for the next of its kind."""
    rows = []
    bits = 0
    for number in sorted(numbers):
        row = FIELDS.get(number)
        if row is None:
            raise NotAMessage("not a field of ours", number)
        rows.append(row)
        bits |= 1 << (2 * _FIELDS_PER_BITMAP - number)
    second = bits & ((1 << _FIELDS_PER_BITMAP) - 1)
    if second:
        bits |= 1 << (2 * _FIELDS_PER_BITMAP - 1)
        bitmap = f"{bits:0{2 * _BITMAP_CHARACTERS}X}"
    else:
        bitmap = f"{bits >> _FIELDS_PER_BITMAP:0{_BITMAP_CHARACTERS}X}"
    if len(_shapes_out) >= REMEMBERED_SHAPES:
        _shapes_out.clear()
    _shapes_out[numbers] = bitmap, tuple(rows)
    return _shapes_out[numbers]


def _rows_of(text: str) -> tuple[int, tuple[_Row, ...]]:
    """Where the fields begin, and which there are."""
    first_end = _TYPE_CHARACTERS + _BITMAP_CHARACTERS
    end = first_end
    # The first bit says whether a second bitmap follows.
    if text[_TYPE_CHARACTERS:first_end] >= "8":
        end += _BITMAP_CHARACTERS
    bitmap = text[_TYPE_CHARACTERS:end]
    rows = _shapes_in.get(bitmap)
    if rows is None:
        if len(bitmap) != end - _TYPE_CHARACTERS or bitmap.strip(_HEX):
            raise NotAMessage("no bitmap")
        rows = _rows_named(bitmap)
        if len(_shapes_in) >= REMEMBERED_SHAPES:
            _shapes_in.clear()
        _shapes_in[bitmap] = rows
    return end, rows


def _rows_named(bitmap: str) -> tuple[_Row, ...]:
    bits = bin(int(bitmap, 16))[2:].zfill(4 * len(bitmap))
    rows = []
    for number, bit in enumerate(bits, start=1):
        if bit == "0" or number == 1:
            continue
        row = FIELDS.get(number)
        if row is None:
            raise NotAMessage("not a field of ours", number)
        rows.append(row)
    if len(bits) > _FIELDS_PER_BITMAP and not any(row.number > _FIELDS_PER_BITMAP for row in rows):
        raise NotAMessage("an empty second bitmap")
    return tuple(rows)
