"""How a merchant is shown in one mode."""

from collections.abc import Mapping
from typing import Any

from domain import moments
from domain.ids import to_text


def resource(
    merchant: Mapping[str, Any], webhook_url: str | None, livemode: bool
) -> dict[str, Any]:
    """The merchant as the API shows it; its webhook URL belongs to the mode."""
    return {
        "object": "merchant",
        "id": to_text("mch", merchant["id"]),
        "business_name": merchant["business_name"],
        "mcc": merchant["mcc"],
        "country": merchant["country"],
        "status": merchant["status"],
        "settlement_currency": merchant["settlement_currency"],
        "webhook_url": webhook_url,
        "api_version": merchant["api_version"],
        "livemode": livemode,
        "revision": merchant["revision"],
        "created_at": moments.to_text(merchant["created_at"]),
    }
