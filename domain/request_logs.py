"""How a merchant is shown what was asked in its name."""

from collections.abc import Mapping
from typing import Any, Final

from domain import moments
from domain.ids import to_text

# Of the audit trail's entry (blueprint section 9, "Audit Logging Schema"), as it stands.
_SHOWN: Final = (
    "request_id",
    "timestamp",
    "merchant_id",
    "api_key_prefix",
    "method",
    "path",
    "status_code",
    "ip_address",
    "user_agent",
    "resource_id",
    "scopes_used",
    "idempotency_key",
)


def resource(row: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of one request as the API shows it; it was masked when it was written."""
    entry = row["entry"]
    return {
        "object": "request_log",
        "id": to_text("req", row["id"]),
        **{name: entry[name] for name in _SHOWN},
        "latency_ms": round(entry["latency_ms"]),
        "risk_signals": entry.get("risk_signals"),
        "livemode": row["livemode"],
        "created_at": moments.to_text(row["created_at"]),
    }
