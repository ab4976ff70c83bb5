"""How a customer is shown."""

from collections.abc import Mapping
from typing import Any

from domain import moments
from domain.ids import to_text


def resource(customer: Mapping[str, Any]) -> dict[str, Any]:
    """The customer as the API shows it; `customer` has the columns of its table."""
    return {
        "object": "customer",
        "id": to_text("cus", customer["id"]),
        "merchant_id": to_text("mch", customer["merchant_id"]),
        "email": customer["email"],
        "name": customer["name"],
        "metadata": customer["metadata"],
        "livemode": customer["livemode"],
        "revision": customer["revision"],
        "created_at": moments.to_text(customer["created_at"]),
    }
