"""Merchants: opened and judged by the operator, seen and changed by themselves."""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

import httpx
import pytest

from domain.ids import from_text
from tests.journeys.accounts import HANDED_IN, OPENED, approve, operate, set_status, take_live_keys
from tests.serving import eventually
from tests.shop import Merchant, Shop, error, told

# What one process changes, every process knows within a second; a busy machine adds to it.
SECOND = 3.0


def test_the_operator_opens_an_account_that_gets_its_first_key(shop: Shop) -> None:
    key = str(uuid4())
    body = {**OPENED, "webhook_url": "https://hooks.opened.example/paymint"}
    opened = told(operate(shop, "POST", "/v1/merchants", body, key=key), 201)
    assert (opened["status"], opened["mcc"], opened["livemode"]) == (
        "pending_review",
        "5734",
        False,
    )
    assert opened["webhook_url"] == body["webhook_url"]
    again = operate(shop, "POST", "/v1/merchants", body, key=key)
    assert again.json() == opened and again.headers["idempotent-replayed"] == "true"

    wanted = {"name": "First", "type": "secret", "scopes": ["merchant:admin"]}
    made = told(operate(shop, "POST", "/v1/api_keys", {**wanted, "merchant_id": opened["id"]}), 201)
    assert made["merchant_id"] == opened["id"] and made["livemode"] is False
    own = Merchant(opened["id"], made["secret"], "", "", shop.http, shop.vault)
    assert own.get(f"/v1/merchants/{own.id}") == opened
    told(own.ask("PATCH", f"/v1/merchants/{own.id}", {"webhook_url": None}), 200)
    unnamed = operate(shop, "POST", "/v1/api_keys", wanted)
    assert error(unnamed) == (400, "parameter_missing", "merchant_id")
    unknown = {**wanted, "merchant_id": f"mch_{uuid4().hex}"}
    assert error(operate(shop, "POST", "/v1/api_keys", unknown))[:2] == (404, "resource_missing")


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"mcc": "0001"}, (400, "invalid_mcc", "mcc")),
        ({"country": "ZZ"}, (400, "invalid_country", "country")),
        ({"country": "us"}, (400, "invalid_country", "country")),
        ({"settlement_currency": "xxx"}, (400, "invalid_currency", "settlement_currency")),
        ({"webhook_url": "http://opened.example/"}, (400, "url_not_https", "webhook_url")),
        ({"webhook_url": "https://10.0.0.1/"}, (400, "url_not_public", "webhook_url")),
        ({"status": "active"}, (400, "parameter_unknown", None)),
    ],
)
def test_what_an_account_cannot_be_opened_with(
    shop: Shop, change: dict[str, str], refused: tuple[int, str, str | None]
) -> None:
    assert error(operate(shop, "POST", "/v1/merchants", {**OPENED, **change})) == refused


def test_a_merchant_opens_no_accounts_and_sees_no_other(
    merchant: Merchant, rival: Merchant
) -> None:
    answer = merchant.ask("POST", "/v1/merchants", OPENED)
    assert error(answer) == (403, "insufficient_scope", None)
    page = merchant.get("/v1/merchants")
    assert [each["id"] for each in page["data"]] == [merchant.id]
    assert (page["total_count"], page["has_more"]) == (1, False)
    for path in (f"/v1/merchants/{rival.id}", f"/v1/merchants/{rival.id}/production_access"):
        assert error(merchant.ask("GET", path)) == (404, "resource_missing", "merchant_id")
    changed = merchant.ask("PATCH", f"/v1/merchants/{rival.id}", {"business_name": "Mine"})
    assert error(changed) == (404, "resource_missing", "merchant_id")
    asked = merchant.ask("POST", f"/v1/merchants/{rival.id}/production_access", HANDED_IN)
    assert error(asked) == (404, "resource_missing", "merchant_id")
    taken = merchant.ask("POST", f"/v1/merchants/{rival.id}/live_keys")
    assert error(taken) == (404, "resource_missing", "merchant_id")


def test_the_operator_pages_through_all_merchants(shop: Shop, merchant: Merchant) -> None:
    for _ in range(3):
        told(operate(shop, "POST", "/v1/merchants", {**OPENED, "country": "IS"}), 201)
    first = told(operate(shop, "GET", "/v1/merchants", country="IS", limit=2), 200)
    assert len(first["data"]) == 2 and first["total_count"] is None
    cursor = first["next_cursor"]
    second = told(
        operate(shop, "GET", "/v1/merchants", country="IS", limit=2, starting_after=cursor), 200
    )
    ids = [each["id"] for each in first["data"] + second["data"]]
    assert len(ids) == len(set(ids)) >= 3
    assert {each["country"] for each in first["data"] + second["data"]} == {"IS"}
    every = told(operate(shop, "GET", "/v1/merchants", limit=1), 200)
    review = told(operate(shop, "GET", "/v1/merchants", limit=1, status="pending_review"), 200)
    assert every["total_count"] >= review["total_count"] >= 4
    told(set_status(shop, merchant, "terminated"), 200)
    after = told(operate(shop, "GET", "/v1/merchants", limit=1, status="pending_review"), 200)
    assert after["total_count"] == review["total_count"] - 1
    whole = told(operate(shop, "GET", "/v1/merchants", limit=1), 200)
    assert whole["total_count"] == every["total_count"]


def test_who_changes_what(shop: Shop, merchant: Merchant) -> None:
    path = f"/v1/merchants/{merchant.id}"
    before = merchant.get(path)
    own = {"business_name": "New Name", "settlement_currency": "eur"}
    changed = told(merchant.ask("PATCH", path, own), 200)
    assert changed == {**before, **own, "revision": before["revision"] + 1}
    for body in ({"status": "active"}, {"mcc": "5812"}, {"business_name": "X", "status": "active"}):
        assert error(merchant.ask("PATCH", path, body)) == (403, "insufficient_scope", None)
    judged = told(operate(shop, "PATCH", path, {"mcc": "5812"}), 200)
    assert (judged["mcc"], judged["business_name"]) == ("5812", "New Name")
    url = operate(shop, "PATCH", path, {"webhook_url": "https://operator.example/"})
    assert error(url) == (403, "insufficient_scope", None)
    assert operate(shop, "GET", path).json() == merchant.get(path)
    nobody = operate(shop, "PATCH", f"/v1/merchants/mch_{uuid4().hex}", {"mcc": "5812"})
    assert error(nobody) == (404, "resource_missing", "merchant_id")


def test_an_active_merchant_changes_itself_with_a_live_key(shop: Shop, merchant: Merchant) -> None:
    path = f"/v1/merchants/{merchant.id}"
    approve(shop, merchant)
    live = take_live_keys(merchant)
    with_test_key = merchant.ask("PATCH", path, {"business_name": "By test key"})
    assert error(with_test_key) == (403, "live_key_required", None)
    url = "https://hooks.shop.example/"
    assert told(merchant.ask("PATCH", path, {"webhook_url": url}), 200)["webhook_url"] == url
    changed = told(live.ask("PATCH", path, {"business_name": "By live key"}), 200)
    assert (changed["business_name"], changed["livemode"]) == ("By live key", True)
    assert changed["webhook_url"] is None


def test_the_steps_of_an_account(shop: Shop, merchant: Merchant) -> None:
    missing = set_status(shop, merchant, "active")
    assert error(missing) == (422, "production_access_missing", None)
    suspended = set_status(shop, merchant, "suspended")
    assert error(suspended) == (422, "merchant_unexpected_state", "status")
    approve(shop, merchant)
    assert error(set_status(shop, merchant, "terminated"))[0] == 422
    assert told(set_status(shop, merchant, "active"), 200)["status"] == "active"
    for status in ("suspended", "active", "suspended", "terminated"):
        assert told(set_status(shop, merchant, status), 200)["status"] == status
    assert error(set_status(shop, merchant, "active"))[0] == 422


def test_what_a_suspended_or_closed_account_may_do(shop: Shop, merchant: Merchant) -> None:
    approve(shop, merchant)
    live = take_live_keys(merchant)
    paid = live.pay()
    token = live.tokenise()
    told(set_status(shop, merchant, "suspended"), 200)
    for owner in (live, merchant):
        assert comes_to(owner.pay_answer, "merchant_suspended")
    assert live.payment(paid["id"])["status"] == "captured"
    assert live.refund(paid["id"], amount=100)["amount"] == 100
    told(live.ask("POST", "/v1/customers", {"name": "Ada"}), 201)

    told(set_status(shop, merchant, "terminated"), 200)
    refund = partial(live.act, paid["id"], "refunds", {"amount": 100})
    assert comes_to(refund, "merchant_not_active")
    assert live.payment(paid["id"])["id"] == paid["id"]
    assert error(live.pay_answer(token)) == (403, "merchant_suspended", None)
    with shop.database() as database:
        database.execute(
            "UPDATE merchants SET terminated_at = terminated_at - interval '91 days' WHERE id = %s",
            [from_text("mch", merchant.id)],
        )
        database.execute("SELECT pg_notify('paymint_merchants', %s)", [merchant.id[4:]])
    read = partial(live.ask, "GET", f"/v1/payments/{paid['id']}")
    assert comes_to(read, "merchant_not_active")


def comes_to(ask: Callable[[], httpx.Response], code: str) -> bool:
    """Whether within a second the answer is 403 with this code."""

    def is_refused() -> bool:
        answer = ask()
        return answer.status_code == 403 and error(answer) == (403, code, None)

    return eventually(is_refused, SECOND)
