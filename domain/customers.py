"""How a customer is shown, and what a change of one means."""

from collections.abc import Mapping
from typing import Any, Final

from domain import moments
from domain.ids import to_text
from domain.refusals import Malformed

METADATA_KEYS_MAX: Final = 50


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


def changed(customer: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The customer's columns after a JSON merge patch (RFC 7396).

    `null` clears a field, and a key inside `metadata`.  Raises 400
    `parameter_too_many_items` where more than 50 keys would be left.
    """
    given = {name: patch[name] for name in ("email", "name") if name in patch}
    if "metadata" not in patch:
        return {**customer, **given}
    before = {} if patch["metadata"] is None else customer["metadata"]
    merged = {**before, **(patch["metadata"] or {})}
    kept = {name: value for name, value in merged.items() if value is not None}
    if len(kept) > METADATA_KEYS_MAX:
        raise Malformed("parameter_too_many_items", "metadata", maximum=METADATA_KEYS_MAX)
    return {**customer, **given, "metadata": kept}
