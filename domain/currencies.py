"""What is true of currencies: how many decimals they have, what their smallest unit is called."""

from typing import Final

# Of the currencies that the document lists, those of ISO 4217 with no decimals or three.
_NO_DECIMALS: Final = frozenset({"clp", "isk", "jpy", "krw", "vnd"})
_THREE_DECIMALS: Final = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
_WITHOUT_CENTS: Final = _NO_DECIMALS | _THREE_DECIMALS
CENTS: Final = "cents"


def decimals(currency: str) -> int:
    """How many decimals a currency has, so that 10 to their power minor units are a major one."""
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def smallest_unit(currency: object) -> str:
    """The words for the smallest unit of a currency code, which may be absent or wrong."""
    without_cents = isinstance(currency, str) and currency in _WITHOUT_CENTS
    return "of the currency's smallest unit" if without_cents else CENTS
