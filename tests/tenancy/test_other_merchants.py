"""What belongs to one merchant does not exist for another, whatever the path.

The requests are made from the document: an operation that is added is asked here without
anybody having to remember it.
"""

from typing import Any
from uuid import uuid4

import pytest

from domain.ids import from_text
from generated.operations import OPERATIONS, OperationRow
from runtime.ids import uuid7
from tests.business_clock import Frozen
from tests.document import DOCUMENT
from tests.journeys.test_payouts import paid_out
from tests.oauth.partner import Partner, register
from tests.people import sign_in
from tests.serving import eventually
from tests.shop import Merchant, Shop, error, told

# What only the operator of the platform may ask is 403 to every merchant, whatever the id.
OPERATORS = (("platform:admin",),)
# A version's document has a date in its path and belongs to nobody; pages have no key, and
# tests/journeys/test_people.py asks them with another person's cookie.
WITH_IDS = [
    row
    for row in OPERATIONS
    if "{" in row.path and row.scopes != OPERATORS and row.tag not in ("documents", "pages")
]
LISTS = [
    row for row in OPERATIONS if row.operation_id.startswith("list_") and row.scopes != OPERATORS
]
Stock = dict[str, str]


@pytest.fixture(scope="module")
def owner(shop: Shop) -> Merchant:
    return shop.open_account()


@pytest.fixture(scope="module")
def stranger(shop: Shop) -> Merchant:
    return shop.open_account()


def one_of_everything(shop: Shop, merchant: Merchant) -> Stock:
    """An id for every path parameter of the document."""
    # Before the payments, so that their events are delivered to it.
    endpoint = merchant.endpoint("https://shop.example.com/hook")["id"]
    customer = merchant.customer()["id"]
    method = told(merchant.save_card(customer), 201)["id"]
    person = sign_in(shop, merchant)
    Partner(shop, person, register(shop)).grant()
    held, taken = merchant.pay(method, capture=False)["id"], merchant.pay(method)["id"]
    clock = Frozen(merchant)
    body = {
        "payment_method_id": method,
        "customer_id": customer,
        "amount": 500,
        "currency": "usd",
        "expires_in_seconds": 604_800,
    }
    return {
        "user_id": person.user,
        "session_id": merchant.get(f"/v1/users/{person.user}/sessions")["data"][0]["id"],
        "oauth_grant_id": merchant.get("/v1/oauth_grants")["data"][0]["id"],
        "customer_id": customer,
        "payment_method_id": method,
        "payment_id": taken,
        "held": held,
        "hold_id": told(merchant.ask("POST", "/v1/holds", body), 201)["id"],
        "refund_id": merchant.refund(taken, amount=1)["id"],
        "webhook_endpoint_id": endpoint,
        "merchant_id": merchant.id,
        "api_key_id": merchant.get("/v1/api_keys")["data"][0]["id"],
        "event_id": merchant.events()[-1]["id"],
        "request_id": logged_request(merchant),
        "alert_id": raised_alert(shop, merchant),
        "clock_id": clock.shown["id"],
        "dispute_id": disputed(merchant, merchant.pay(method)["id"]),
        "balance_transaction_id": merchant.get("/v1/balance_transactions")["data"][0]["id"],
        "payout_id": paid_out(merchant, clock)["id"],
    }


def disputed(merchant: Merchant, payment: str) -> str:
    """The id of a new dispute of a payment."""
    body = {"payment_id": payment}
    return str(told(merchant.ask("POST", "/v1/test_helpers/disputes", body), 201)["id"])


def logged_request(merchant: Merchant) -> str:
    """The id of a request; its entry is written before the answer."""
    identifier = str(merchant.ask("GET", "/v1/payments").headers["x-request-id"])
    path = f"/v1/request_logs/{identifier}"
    assert eventually(lambda: merchant.ask("GET", path).status_code == 200, 5.0)
    return identifier


def raised_alert(shop: Shop, merchant: Merchant) -> str:
    """The id of an alert, put there as its cause would."""
    alert, owner = uuid7(), from_text("mch", merchant.id)
    with shop.database() as connection:
        connection.execute(
            "INSERT INTO alerts (id, merchant_id, livemode, type, subject, created_at,"
            " last_seen_at) VALUES (%s, %s, false, 'api_key_blocked', 'key_1', now(), now())",
            (alert, owner),
        )
    return f"alr_{alert.hex}"


@pytest.fixture(scope="module")
def owned(shop: Shop, owner: Merchant) -> Stock:
    return one_of_everything(shop, owner)


@pytest.fixture(scope="module")
def strange(shop: Shop, stranger: Merchant) -> Stock:
    return one_of_everything(shop, stranger)


def example_body(row: OperationRow) -> Any:
    """The document's own example of the body, None where there is none."""
    node = DOCUMENT["paths"][row.path][row.method.lower()]
    if "requestBody" not in node:
        return None
    given = next(iter(node["requestBody"]["content"]["application/json"]["examples"].values()))
    if "$ref" in given:
        given = DOCUMENT["components"]["examples"][given["$ref"].rsplit("/", 1)[1]]
    return given["value"]


def path_of(row: OperationRow, ids: Stock) -> str:
    if row.operation_id in ("capture_payment", "cancel_payment"):
        ids = {**ids, "payment_id": ids["held"]}
    return row.path.format(**ids)


def test_there_is_an_id_for_every_path(owned: Stock) -> None:
    assert len(WITH_IDS) >= 17
    for row in WITH_IDS:
        assert "{" not in path_of(row, owned)


@pytest.mark.parametrize("row", WITH_IDS, ids=lambda row: row.operation_id)
def test_another_merchants_id_is_404(stranger: Merchant, owned: Stock, row: OperationRow) -> None:
    answer = stranger.ask(row.method, path_of(row, owned), example_body(row), key=str(uuid4()))
    assert error(answer)[:2] == (404, "resource_missing")


@pytest.mark.parametrize(
    "row",
    [row for row in WITH_IDS if row.path.count("{") == 2],
    ids=lambda row: row.operation_id,
)
def test_a_foreign_id_below_an_own_parent_is_404(
    stranger: Merchant, owned: Stock, strange: Stock, row: OperationRow
) -> None:
    names = [part.strip("{}") for part in row.path.split("/") if part.startswith("{")]
    for foreign in names:
        ids = {**strange, foreign: owned[foreign]}
        answer = stranger.ask(row.method, row.path.format(**ids), example_body(row))
        assert error(answer)[:2] == (404, "resource_missing")


@pytest.mark.parametrize("row", WITH_IDS, ids=lambda row: row.operation_id)
def test_an_id_that_nobody_has_is_404_in_the_same_words(
    stranger: Merchant, owned: Stock, row: OperationRow
) -> None:
    nobody = {name: value[:-8] + "00000000" for name, value in owned.items()}
    theirs, nobodys = (
        stranger.ask(row.method, path_of(row, ids), example_body(row)).json()["error"]
        for ids in (owned, nobody)
    )
    del theirs["request_id"], nobodys["request_id"]
    assert theirs == nobodys


def test_what_was_asked_for_in_vain_is_unchanged(owner: Merchant, owned: Stock) -> None:
    assert owner.payment(owned["held"])["status"] == "authorized"
    assert owner.get(f"/v1/holds/{owned['hold_id']}")["amount_remaining"] == 500
    assert len(owner.get(f"/v1/payments/{owned['payment_id']}/refunds")["data"]) == 1
    path = f"/v1/customers/{owned['customer_id']}/payment_methods/{owned['payment_method_id']}"
    assert owner.get(path)["id"] == owned["payment_method_id"]
    assert owner.get(f"/v1/webhook_endpoints/{owned['webhook_endpoint_id']}")
    assert owner.get(f"/v1/merchants/{owner.id}")["business_name"] == "Test Shop"
    assert owner.get(f"/v1/test_helpers/clocks/{owned['clock_id']}")


def test_foreign_ids_in_bodies_are_404(
    owner: Merchant, stranger: Merchant, owned: Stock, strange: Stock
) -> None:
    for instrument in (owned["payment_method_id"], owner.tokenise()):
        answer = stranger.pay_answer(instrument)
        assert error(answer) == (404, "resource_missing", "payment_method_id")
    answer = stranger.pay_answer(stranger.tokenise(), customer_id=owned["customer_id"])
    assert error(answer)[::2] == (404, "customer_id")
    answer = stranger.pay_answer(strange["payment_method_id"], hold_id=owned["hold_id"])
    assert error(answer) == (404, "resource_missing", "hold_id")
    for field in ("payment_method_id", "customer_id"):
        money = {"amount": 500, "currency": "usd", "expires_in_seconds": 60}
        named = {name: strange[name] for name in ("payment_method_id", "customer_id")}
        answer = stranger.ask("POST", "/v1/holds", {**money, **named, field: owned[field]})
        assert error(answer) == (404, "resource_missing", field)
    token = owner.tokenise()
    path = f"/v1/customers/{strange['customer_id']}/payment_methods"
    answer = stranger.ask("POST", path, {"type": "card", "token": token})
    assert error(answer) == (404, "resource_missing", "token")
    assert owner.pay(token)["status"] == "captured"


@pytest.mark.parametrize("row", LISTS, ids=lambda row: row.operation_id)
def test_a_foreign_cursor_leaks_nothing(
    owner: Merchant, stranger: Merchant, owned: Stock, strange: Stock, row: OperationRow
) -> None:
    cursor = owner.get(row.path.format(**owned), limit=1)["prev_cursor"]
    path = row.path.format(**strange)
    theirs = every_id(owner, row.path.format(**owned))
    for parameter in ("starting_after", "ending_before"):
        answer = stranger.ask("GET", path, params={parameter: cursor, "limit": 100})
        if answer.status_code == 400:
            assert error(answer) == (400, "invalid_cursor", parameter)
        else:
            # Lists may grow meanwhile (a refund settles, a request is logged).
            assert theirs.isdisjoint(item["id"] for item in told(answer, 200)["data"])


def every_id(merchant: Merchant, path: str) -> set[str]:
    """Every id of a list, page after page."""
    found: set[str] = set()
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = told(merchant.ask("GET", path, params=query), 200)
        found |= {item["id"] for item in page["data"]}
        if not page["has_more"]:
            return found
        query["starting_after"] = page["next_cursor"]


@pytest.mark.parametrize("row", LISTS, ids=lambda row: row.operation_id)
def test_a_list_has_ones_own_only(
    owner: Merchant, stranger: Merchant, owned: Stock, strange: Stock, row: OperationRow
) -> None:
    ours = {item["id"] for item in owner.get(row.path.format(**owned), limit=100)["data"]}
    theirs = {item["id"] for item in stranger.get(row.path.format(**strange), limit=100)["data"]}
    assert ours and theirs and not ours & theirs


def test_a_replay_is_not_shown_to_another_merchant(owner: Merchant, stranger: Merchant) -> None:
    key, body = str(uuid4()), {"email": "only@ours.example"}
    ours = told(owner.ask("POST", "/v1/customers", body, key=key), 201)
    theirs = stranger.ask("POST", "/v1/customers", body, key=key)
    assert told(theirs, 201)["id"] != ours["id"]
    assert "idempotent-replayed" not in theirs.headers
