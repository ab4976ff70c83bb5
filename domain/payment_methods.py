"""How a saved payment method is shown: never more of a card than its last four digits."""

from collections.abc import Mapping
from typing import Any

from domain import moments
from domain.ids import to_text


def resource(method: Mapping[str, Any]) -> dict[str, Any]:
    """The method as the API shows it (PCI DSS 4.0.1 req. 3.4.1)."""
    return {
        "object": "payment_method",
        "id": to_text("pm", method["id"]),
        "customer_id": to_text("cus", method["customer_id"]),
        "type": method["type"],
        "last_four": method["last_four"],
        "exp_month": method["exp_month"],
        "exp_year": method["exp_year"],
        "brand": method["brand"],
        "fingerprint": method["fingerprint"],
        "livemode": method["livemode"],
        "created_at": moments.to_text(method["created_at"]),
    }
