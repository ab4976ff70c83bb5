"""The request log over HTTP: what was asked, by whom, masked, and shown to nobody else."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.shop import Merchant, Shop, error, told

PATH = "/v1/request_logs"
# Luhn-valid, and used by no other test.
ASTRAY = "5105105105105100"
GROUPED = "5105 1051 0510 5100"


def request_id(answer: httpx.Response) -> str:
    return answer.headers["x-request-id"]


def logged(merchant: Merchant, answer: httpx.Response) -> dict[str, Any]:
    """The entry of a request, which is there before its answer."""
    return merchant.get(f"{PATH}/{request_id(answer)}")


def logs(merchant: Merchant, **query: Any) -> list[dict[str, Any]]:
    # `path` is one of the filters.
    page = told(merchant.ask("GET", PATH, params=query), 200)
    found: list[dict[str, Any]] = page["data"]
    return found


def test_a_request_is_found_by_its_id(merchant: Merchant) -> None:
    key = str(uuid4())
    answer = merchant.pay_answer(key=key, description="Order 1")
    entry = logged(merchant, answer)
    assert entry["object"] == "request_log"
    assert entry["id"] == entry["request_id"] == request_id(answer)
    assert (entry["method"], entry["path"], entry["status_code"]) == ("POST", "/v1/payments", 201)
    assert entry["resource_id"] == answer.json()["id"]
    assert (entry["merchant_id"], entry["livemode"]) == (merchant.id, False)
    assert entry["api_key_prefix"].startswith("sk_test_")
    assert entry["api_key_prefix"].endswith(merchant.secret_key[-4:])
    assert merchant.secret_key not in str(entry)
    assert entry["scopes_used"] == ["payments:write"]
    assert entry["idempotency_key"] == key
    assert entry["ip_address"] == "127.0.0.1" and entry["latency_ms"] >= 0
    assert entry["timestamp"] == entry["created_at"]
    assert logs(merchant, resource_id=answer.json()["id"]) == [entry]


def test_reading_the_log_is_logged(merchant: Merchant) -> None:
    answer = merchant.ask("GET", PATH)
    assert logged(merchant, answer)["path"] == PATH
    by_id = merchant.ask("GET", f"{PATH}/{request_id(answer)}")
    entry = logged(merchant, by_id)
    assert entry["path"] == "/v1/request_logs/{request_id}"
    assert entry["resource_id"] == request_id(answer)


def test_refusals_of_a_known_caller_are_logged(merchant: Merchant) -> None:
    for status, answer in {
        404: merchant.ask("GET", "/v1/payments/pay_1"),
        400: merchant.ask("GET", "/v1/payments", params={"limit": 0}),
        402: merchant.pay_answer(merchant.tokenise("4000000000000002")),
    }.items():
        assert logged(merchant, answer)["status_code"] == status


@pytest.fixture(scope="module")
def busy(shop: Shop) -> Merchant:
    """A merchant with a handful of logged requests."""
    merchant = shop.open_account()
    merchant.customer()
    merchant.ask("GET", "/v1/customers/cus_1")
    merchant.ask("POST", "/v1/customers", {"nothing": 1})
    logged(merchant, merchant.ask("GET", "/v1/payments"))
    return merchant


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ({"method": "POST"}, {("POST", 201), ("POST", 400)}),
        ({"status_code": 404, "path": "/v1/customers/{customer_id}"}, {("GET", 404)}),
        ({"status_class": "2xx", "path": "/v1/customers"}, {("POST", 201)}),
        ({"status_class": "4xx", "method": "POST"}, {("POST", 400)}),
        ({"status_class": "5xx"}, set()),
        ({"path": "/v1/payments"}, {("GET", 200)}),
        ({"method": "DELETE"}, set()),
        ({"api_key_prefix": "sk_test_...none"}, set()),
        ({"created_gte": "2100-01-01T00:00:00Z"}, set()),
    ],
)
def test_logs_are_filtered(
    busy: Merchant, query: dict[str, Any], pairs: set[tuple[str, int]]
) -> None:
    assert {(entry["method"], entry["status_code"]) for entry in logs(busy, **query)} == pairs


def test_logs_are_filtered_by_key(busy: Merchant) -> None:
    display = logs(busy, limit=1)[0]["api_key_prefix"]
    entries = logs(busy, api_key_prefix=display, path="/v1/customers")
    assert len(entries) == 2


def test_logs_page_both_ways(busy: Merchant) -> None:
    query = {"limit": 2, "created_lte": logs(busy, limit=1)[0]["created_at"]}
    page = busy.get(PATH, **query)
    assert page["has_more"] and page["total_count"] is None
    following = busy.get(PATH, **query, starting_after=page["next_cursor"])
    assert not {one["id"] for one in page["data"]} & {one["id"] for one in following["data"]}
    moments = [one["created_at"] for one in page["data"] + following["data"]]
    assert moments == sorted(moments, reverse=True)
    back = busy.get(PATH, **query, ending_before=following["prev_cursor"])
    assert back["data"] == page["data"]
    other = {"limit": 2, "method": "GET", "starting_after": page["next_cursor"]}
    assert error(busy.ask("GET", PATH, params=other)) == (400, "invalid_cursor", "starting_after")


def test_the_log_is_its_merchants_alone(shop: Shop, merchant: Merchant, rival: Merchant) -> None:
    answer = merchant.ask("GET", "/v1/payments")
    entry = logged(merchant, answer)
    refused = rival.ask("GET", f"{PATH}/{entry['id']}")
    assert error(refused) == (404, "resource_missing", "request_id")
    nobodys = shop.http.get("/v1/payments")
    accounts = shop.http.post("/v1/sandbox_accounts", content=b"")
    logged(rival, refused)
    for each in (nobodys, accounts):
        for asking in (merchant, rival):
            assert asking.ask("GET", f"{PATH}/{request_id(each)}").status_code == 404
    assert {one["merchant_id"] for one in logs(rival, limit=100)} == {rival.id}
    for malformed in ("req_1", entry["id"].upper(), "pay_" + entry["id"][4:]):
        assert error(merchant.ask("GET", f"{PATH}/{malformed}"))[0] == 404


def test_the_log_needs_the_scope_of_an_administrator(shop: Shop, merchant: Merchant) -> None:
    with shop.database() as connection:
        connection.execute(
            "UPDATE api_keys SET scopes = '{payments:read}'"
            " WHERE type = 'secret' AND 'mch_' || replace(merchant_id::text, '-', '') = %s",
            (merchant.id,),
        )
    for path in (PATH, "/v1/alerts", "/v1/webhook_endpoints"):
        assert error(merchant.ask("GET", path)) == (403, "insufficient_scope", None)


def test_the_log_repeats_no_card_number(merchant: Merchant) -> None:
    answers = [
        merchant.ask("GET", f"/v1/payments/{ASTRAY}"),
        merchant.ask("GET", "/v1/payments", params={"starting_after": ASTRAY}),
        merchant.ask("GET", "/v1/payments", params={ASTRAY: ASTRAY}),
        merchant.ask("GET", "/v1/payments", headers={"User-Agent": f"Shop/{ASTRAY}"}),
        merchant.ask("GET", "/v1/payments", headers={"User-Agent": f"Shop ({GROUPED})"}),
        merchant.ask("POST", "/v1/customers", {"name": "x", ASTRAY: 1}),
        merchant.ask("GET", PATH, params={"path": f"/{ASTRAY}"}),
        merchant.ask("GET", f"{PATH}/{ASTRAY}"),
    ]
    # Headers are read before the key, so this one is nobody's and in nobody's log.
    unread = merchant.pay_answer("tok_1", key=ASTRAY)
    assert error(unread)[:2] == (400, "idempotency_key_invalid")
    for answer in answers:
        logged(merchant, answer)
        shown = merchant.ask("GET", f"{PATH}/{request_id(answer)}")
        assert ASTRAY not in shown.text and GROUPED not in shown.text
    everything = merchant.ask("GET", PATH, params={"limit": 100})
    assert len(told(everything, 200)["data"]) > len(answers)
    assert ASTRAY not in everything.text and GROUPED not in everything.text
    assert request_id(unread) not in everything.text
    agents = {one["user_agent"] for one in everything.json()["data"]}
    assert {"Shop/[masked]", "Shop ([masked])"} <= agents
