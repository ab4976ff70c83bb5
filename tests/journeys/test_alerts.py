"""Alerts over HTTP: listed, filtered, paged, and their merchant's alone."""

from typing import Any
from uuid import UUID

import pytest

from runtime.ids import uuid7
from tests.shop import Merchant, Shop, error

PATH = "/v1/alerts"
TYPES = (
    "api_version_deprecated",
    "api_key_blocked",
    "api_key_revoked_soon",
    "webhook_endpoint_disabled",
    "key_rotation_due",
)
KINDS = [(kind, resolved) for kind in TYPES for resolved in (True, False)]


def raised(shop: Shop, merchant: Merchant, kind: str, *, resolved: bool) -> str:
    """An alert of a kind, as the part of the product that notices it would raise it."""
    alert_id, owner = uuid7(), UUID(hex=merchant.id.removeprefix("mch_"))
    with shop.database() as connection:
        connection.execute(
            "INSERT INTO alerts (id, merchant_id, livemode, type, subject, created_at,"
            " last_seen_at, resolved_at) VALUES (%s, %s, false, %s, %s, now(), now(),"
            " CASE WHEN %s THEN now() END)",
            (alert_id, owner, kind, f"key_{alert_id.hex}", resolved),
        )
    return f"alr_{alert_id.hex}"


@pytest.fixture(scope="module")
def warned(shop: Shop) -> tuple[Merchant, list[str]]:
    """A merchant with alerts of every type, open and resolved; their ids, newest first."""
    merchant = shop.open_account()
    made = [raised(shop, merchant, kind, resolved=resolved) for kind, resolved in KINDS]
    return merchant, made[::-1]


def ids(merchant: Merchant, **query: Any) -> list[str]:
    return [alert["id"] for alert in merchant.get(PATH, **query)["data"]]


def test_alerts_are_listed_newest_first_and_say_what_to_do(
    warned: tuple[Merchant, list[str]],
) -> None:
    merchant, newest_first = warned
    page = merchant.get(PATH)
    assert [alert["id"] for alert in page["data"]] == newest_first
    assert len({alert["message"] for alert in page["data"]}) == len(TYPES)
    for alert in page["data"]:
        assert alert["object"] == "alert" and alert["livemode"] is False
        assert (alert["status"] == "resolved") == (alert["resolved_at"] is not None)
        assert merchant.get(f"{PATH}/{alert['id']}") == alert


def test_alerts_are_filtered_and_paged(warned: tuple[Merchant, list[str]]) -> None:
    merchant, newest_first = warned
    assert ids(merchant, status="open") == newest_first[0::2]
    assert ids(merchant, status="resolved") == newest_first[1::2]
    assert ids(merchant, type=TYPES[-1]) == newest_first[:2]
    assert ids(merchant, type=TYPES[0], status="open") == [newest_first[-2]]
    assert ids(merchant, created_gte="2100-01-01T00:00:00Z") == []
    page = merchant.get(PATH, status="open", limit=3)
    after = page["next_cursor"]
    assert ids(merchant, status="open", limit=3, starting_after=after) == newest_first[6::2]
    foreign = merchant.ask("GET", PATH, params={"status": "resolved", "starting_after": after})
    assert error(foreign) == (400, "invalid_cursor", "starting_after")
    unknown = merchant.ask("GET", PATH, params={"type": "nothing"})
    assert error(unknown) == (400, "parameter_invalid_enum", "type")


def test_alerts_are_their_merchants_alone(
    warned: tuple[Merchant, list[str]], rival: Merchant
) -> None:
    _, newest_first = warned
    assert ids(rival) == []
    for name in (newest_first[0], "alr_1", "alr_" + "0" * 32, newest_first[0].upper()):
        answer = rival.ask("GET", f"{PATH}/{name}")
        assert error(answer) == (404, "resource_missing", "alert_id")
