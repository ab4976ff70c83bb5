"""Every type of alert that the document names has words of its own."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.alerts import about_endpoint, resource
from tests.document import DOCUMENT

TYPES = DOCUMENT["components"]["schemas"]["AlertType"]["enum"]
AT = datetime(2026, 4, 16, 14, 35, 12, tzinfo=UTC)
ENDPOINT = UUID("019d7cd3f2647a8e8d1b4c6f0a9e2357")


def alert(kind: str, **changes: Any) -> dict[str, Any]:
    row = {
        "id": UUID("019d96f2c1a47b30951c7e4d8a2f6b03"),
        "livemode": True,
        "type": kind,
        "subject": "2025-09-15",
        "created_at": AT,
        "last_seen_at": AT,
        "resolved_at": None,
    }
    return resource({**row, **changes})


def test_each_type_has_its_own_message() -> None:
    messages = {alert(kind)["message"] for kind in TYPES}
    assert len(messages) == len(TYPES) and all(messages)


def test_an_alert_is_open_until_it_is_resolved() -> None:
    kind, subject = about_endpoint(ENDPOINT)
    assert kind in TYPES and subject == "whe_019d7cd3f2647a8e8d1b4c6f0a9e2357"
    assert alert(kind)["status"] == "open"
    resolved = alert(kind, resolved_at=AT)
    assert (resolved["status"], resolved["resolved_at"]) == ("resolved", "2026-04-16T14:35:12.000Z")
