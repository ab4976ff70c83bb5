"""What was noticed about the origin of a request (blueprint section 9, "Audit Logging Schema").

Signals tell, they refuse nothing.
"""

from typing import TypedDict


class RiskSignals(TypedDict):
    """As they are stored with a payment and with the audit entry of its request.

    `ip_country` is the ISO 3166-1 code of the address's country, None where it is not known.
    `velocity_flag`: the vault saw the card, or the merchant's declined cards, unusually often.
    """

    ip_country: str | None
    velocity_flag: bool


def from_country(ip_country: str | None) -> RiskSignals:
    """The signals of a request before anything else was noticed."""
    return {"ip_country": ip_country, "velocity_flag": False}


def nothing() -> RiskSignals:
    """The signals of what no request came for."""
    return from_country(None)
