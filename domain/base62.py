"""Numbers as letters and digits, of fixed width: what the texts of keys and tokens are made of."""

import string
from typing import Final

_DIGITS: Final = string.digits + string.ascii_letters
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
# Of a UUID.
ID_WIDTH: Final = 22


def encode(value: int, width: int) -> str:
    """`width` digits; what does not fit is cut off."""
    digits = []
    for _ in range(width):
        value, digit = divmod(value, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def decode(text: str) -> int | None:
    """The number; None where a character is no digit."""
    value = 0
    for digit in text:
        if digit not in _VALUES:
            return None
        value = value * len(_DIGITS) + _VALUES[digit]
    return value
