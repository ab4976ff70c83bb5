"""Exchange: an amount of one currency in another, at a rate that is a decimal text.

A rate says how many units of the other currency one unit buys (`1.0850`).  It is reckoned
with whole numbers alone, so that whoever has the rate gets the same amount to the unit.
"""

import re
from typing import Final

from domain.currencies import decimals

_RATE: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")
# Decimals of a rate that is reckoned from two others.
_CROSS_DECIMALS: Final = 10


def is_rate(text: str) -> bool:
    """Whether a text is a rate: decimal digits, at most 12 before and behind the point, not 0."""
    return _RATE.fullmatch(text) is not None and _parsed(text)[0] > 0


def converted(amount: int, currency: str, rate: str, to: str) -> int:
    """`amount` minor units of `currency` in minor units of `to`, halves rounded to even."""
    number, scale = _parsed(rate)
    numerator = amount * number * 10 ** decimals(to)
    return _rounded(numerator, 10 ** (scale + decimals(currency)))


def cross_rate(rate: str, to_rate: str) -> str:
    """The rate between two currencies that have these rates to a third, to ten decimals.

    Raises ValueError where nothing would be left of it.
    """
    number, scale = _parsed(rate)
    to_number, to_scale = _parsed(to_rate)
    whole = _rounded(number * 10 ** (to_scale + _CROSS_DECIMALS), to_number * 10**scale)
    if whole == 0:
        raise ValueError("a rate of nothing")
    digits = str(whole).rjust(_CROSS_DECIMALS + 1, "0")
    return f"{digits[:-_CROSS_DECIMALS]}.{digits[-_CROSS_DECIMALS:]}"


def _parsed(rate: str) -> tuple[int, int]:
    whole, _, fraction = rate.partition(".")
    return int(whole + fraction), len(fraction)


def _rounded(numerator: int, denominator: int) -> int:
    kept, rest = divmod(numerator, denominator)
    return kept + (rest * 2 > denominator or (rest * 2 == denominator and kept % 2 == 1))
