"""What belongs to one merchant does not exist for another, whatever the path.

The requests are made from the document: an operation that is added is asked here without
anybody having to remember it.
"""

from typing import Any
from uuid import uuid4

import pytest

from generated.operations import OPERATIONS, OperationRow
from tests.gateway.door import DOCUMENT
from tests.shop import Merchant, Shop, error, told

# A version's document has a date in its path and belongs to nobody.
WITH_IDS = [row for row in OPERATIONS if "{" in row.path and row.tag != "documents"]
LISTS = [row for row in OPERATIONS if row.operation_id.startswith("list_")]
Stock = dict[str, str]


@pytest.fixture(scope="module")
def owner(shop: Shop) -> Merchant:
    return shop.open_account()


@pytest.fixture(scope="module")
def stranger(shop: Shop) -> Merchant:
    return shop.open_account()


def one_of_everything(merchant: Merchant) -> Stock:
    """An id for every path parameter of the document."""
    customer = merchant.customer()["id"]
    method = told(merchant.save_card(customer), 201)["id"]
    held, taken = merchant.pay(method, capture=False)["id"], merchant.pay(method)["id"]
    return {
        "customer_id": customer,
        "payment_method_id": method,
        "payment_id": taken,
        "held": held,
        "refund_id": merchant.refund(taken, amount=1)["id"],
        "webhook_endpoint_id": merchant.endpoint("https://shop.example.com/hook")["id"],
        "merchant_id": merchant.id,
        "event_id": merchant.events()[-1]["id"],
    }


@pytest.fixture(scope="module")
def owned(owner: Merchant) -> Stock:
    return one_of_everything(owner)


@pytest.fixture(scope="module")
def strange(stranger: Merchant) -> Stock:
    return one_of_everything(stranger)


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
    assert len(owner.get(f"/v1/payments/{owned['payment_id']}/refunds")["data"]) == 1
    path = f"/v1/customers/{owned['customer_id']}/payment_methods/{owned['payment_method_id']}"
    assert owner.get(path)["id"] == owned["payment_method_id"]
    assert owner.get(f"/v1/webhook_endpoints/{owned['webhook_endpoint_id']}")
    assert owner.get(f"/v1/merchants/{owner.id}")["business_name"] == "Test Shop"


def test_foreign_ids_in_bodies_are_404(
    owner: Merchant, stranger: Merchant, owned: Stock, strange: Stock
) -> None:
    for instrument in (owned["payment_method_id"], owner.tokenise()):
        answer = stranger.pay_answer(instrument)
        assert error(answer) == (404, "resource_missing", "payment_method_id")
    answer = stranger.pay_answer(stranger.tokenise(), customer_id=owned["customer_id"])
    assert error(answer)[::2] == (404, "customer_id")
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
    mine = {item["id"] for item in stranger.get(path, limit=100)["data"]}
    for parameter in ("starting_after", "ending_before"):
        answer = stranger.ask("GET", path, params={parameter: cursor, "limit": 100})
        if answer.status_code == 400:
            assert error(answer) == (400, "invalid_cursor", parameter)
        else:
            assert {item["id"] for item in told(answer, 200)["data"]} <= mine


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
