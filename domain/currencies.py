"""What is true of currencies: what their smallest unit is called."""

from typing import Final

# Of the currencies that the document lists, those of ISO 4217 with no decimals or three.
_WITHOUT_CENTS: Final = frozenset(
    {"bhd", "clp", "isk", "jod", "jpy", "krw", "kwd", "omr", "tnd", "vnd"}
)
CENTS: Final = "cents"


def smallest_unit(currency: object) -> str:
    """The words for the smallest unit of a currency code, which may be absent or wrong."""
    without_cents = isinstance(currency, str) and currency in _WITHOUT_CENTS
    return "of the currency's smallest unit" if without_cents else CENTS
