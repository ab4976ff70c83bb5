"""What a patch makes of an endpoint, and when its failures are forgotten."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from domain.event_deliveries import delivery_id
from domain.webhook_endpoints import merged

SINCE = datetime(2026, 4, 11, 14, 30, tzinfo=UTC)
ENDPOINT = {
    "url": "https://shop.example.com/hook",
    "enabled_events": ["payment.captured"],
    "api_version": None,
    "description": "One",
    "status": "enabled",
    "failing_since": SINCE,
}
DISABLED = {**ENDPOINT, "status": "disabled"}


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"description": None},
        {"enabled_events": None, "api_version": "2026-04-01"},
        {"url": ENDPOINT["url"]},
        {"status": "enabled"},
        {"status": "disabled"},
    ],
)
def test_what_is_named_changes_and_the_rest_stays(patch: dict[str, Any]) -> None:
    assert merged(ENDPOINT, patch) == {**ENDPOINT, **patch}


def test_another_address_begins_anew() -> None:
    patch = {"url": "https://shop.example.com/other"}
    assert merged(ENDPOINT, patch) == {**ENDPOINT, **patch, "failing_since": None}


def test_an_endpoint_that_is_enabled_again_begins_anew() -> None:
    assert merged(DISABLED, {"status": "enabled"}) == {**ENDPOINT, "failing_since": None}
    assert merged(DISABLED, {"description": "One"})["failing_since"] == SINCE


def test_a_delivery_is_named_by_event_and_endpoint() -> None:
    one, other = UUID(int=1), UUID(int=2)
    assert delivery_id(one, other) == delivery_id(one, other) != delivery_id(other, one)
    # A name that was shown must not change.
    assert delivery_id(one, other).hex == "78d68721debb423cf880232869a63e25"
