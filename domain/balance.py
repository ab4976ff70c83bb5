"""What a merchant's payments have brought and was not paid out, as it is shown."""

from collections.abc import Mapping
from typing import Any


def resource(held: Mapping[str, tuple[int, int]], livemode: bool) -> dict[str, Any]:
    """The balance as the API shows it; `held` is (available, pending) by currency."""
    currencies = sorted(held)
    return {
        "object": "balance",
        "available": [{"currency": each, "amount": held[each][0]} for each in currencies],
        "pending": [{"currency": each, "amount": held[each][1]} for each in currencies],
        "livemode": livemode,
    }
