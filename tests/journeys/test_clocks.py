"""A test clock as a resource: made, read, moved, deleted, and refused."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from generated.operations import OPERATIONS
from tests.business_clock import CLOCKS, MINUTE, MOMENT, WEEK, Frozen, ahead, freeze, text
from tests.journeys.accounts import approve, take_live_keys
from tests.shop import Merchant, Shop, bearer, error, told

SANDBOX_ONLY = [row for row in OPERATIONS if row.tag == "test_helpers"]


def test_the_life_of_a_clock(merchant: Merchant, rival: Merchant) -> None:
    assert merchant.get(CLOCKS)["data"] == []
    at = ahead()
    key = str(uuid4())
    made = told(freeze(merchant, at, key=key), 201)
    assert made.keys() == {"object", "id", "frozen_time", "livemode", "created_at"}
    assert (made["object"], made["frozen_time"]) == ("test_clock", text(at))
    again = freeze(merchant, at, key=key)
    assert told(again, 201) == made and again.headers["idempotent-replayed"] == "true"
    path = f"{CLOCKS}/{made['id']}"
    assert merchant.get(path) == made
    page = merchant.get(CLOCKS)
    assert (page["data"], page["has_more"], page["total_count"]) == ([made], False, 1)
    assert merchant.get(CLOCKS, created_gte=made["created_at"])["data"] == [made]
    assert merchant.get(CLOCKS, created_gte=text(ahead()))["data"] == []
    assert merchant.get(CLOCKS, starting_after=page["prev_cursor"])["data"] == []
    assert error(freeze(merchant, at)) == (422, "test_clock_exists", None)
    assert rival.get(CLOCKS)["data"] == []
    for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/advance")):
        body = {"frozen_time": text(ahead(WEEK))} if tail else None
        answer = rival.ask(method, path + tail, body)
        assert error(answer) == (404, "resource_missing", "clock_id")
    gone = told(merchant.ask("DELETE", path), 200)
    assert gone == {"object": "test_clock", "id": made["id"], "deleted": True}
    for method in ("GET", "DELETE"):
        assert error(merchant.ask(method, path)) == (404, "resource_missing", "clock_id")
    assert merchant.get(CLOCKS)["total_count"] == 0
    assert told(freeze(merchant, ahead()), 201)["id"] != made["id"]


def test_a_clock_moves_forward_only_and_not_too_far(merchant: Merchant) -> None:
    past = freeze(merchant, ahead(-MINUTE))
    assert error(past) == (422, "test_clock_not_forward", "frozen_time")
    too_far = freeze(merchant, ahead(timedelta(days=5 * 366)))
    assert error(too_far) == (422, "test_clock_too_far", "frozen_time")
    clock = Frozen(merchant)
    for to in (clock.time, clock.time - MOMENT, ahead(-WEEK)):
        answer = clock.advance_answer(to)
        assert error(answer) == (422, "test_clock_not_forward", "frozen_time")
    answer = clock.advance_answer(ahead(timedelta(days=5 * 366)))
    assert error(answer) == (422, "test_clock_too_far", "frozen_time")
    before = clock.time
    clock.advance(MOMENT)
    assert clock.time == before + MOMENT


@pytest.mark.parametrize(
    ("frozen_time", "status"),
    [
        ("2026-13-01T00:00:00Z", 400),
        ("tomorrow", 400),
        ("2026-05-01", 400),
        (1777593600, 400),
        (None, 400),
        ("0000-01-01T00:00:00Z", 422),
        ("0001-01-01T00:00:00+14:00", 400),
        ("9999-12-31T23:59:59.999999-14:00", 400),
        ("2016-12-31T23:59:60Z", 422),
    ],
)
def test_moments_that_are_none(merchant: Merchant, frozen_time: object, status: int) -> None:
    answer = merchant.ask("POST", CLOCKS, {"frozen_time": frozen_time})
    assert error(answer)[0] == status
    assert error(answer)[2] == "frozen_time"


def test_any_offset_is_understood_and_cut_to_milliseconds(merchant: Merchant) -> None:
    at = ahead(WEEK).replace(microsecond=123999)
    sent = at.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo).isoformat()
    made = told(merchant.ask("POST", CLOCKS, {"frozen_time": sent}), 201)
    assert made["frozen_time"] == text(at.replace(microsecond=123000))


@pytest.fixture
def live_key(shop: Shop, merchant: Merchant) -> str:
    """A live key of the merchant, whose account is active."""
    approve(shop, merchant)
    return take_live_keys(merchant).secret_key


def test_a_live_key_is_refused(shop: Shop, merchant: Merchant, live_key: str) -> None:
    assert told(shop.http.get("/v1/payments", headers=bearer(live_key)), 200)["data"] == []
    clock = Frozen(merchant)
    assert len(SANDBOX_ONLY) >= 6
    for row in SANDBOX_ONLY:
        path = row.path.replace("{clock_id}", clock.shown["id"])
        body = {"frozen_time": text(ahead(WEEK))} if row.method == "POST" else None
        answer = shop.http.request(row.method, path, json=body, headers=bearer(live_key))
        assert error(answer) == (403, "test_mode_only", None)
    assert merchant.get(clock.path) == clock.shown
