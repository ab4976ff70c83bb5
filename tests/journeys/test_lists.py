"""Lists: both ways, without losing or repeating anything, with the cursors of their own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.shop import Merchant, Shop, error

PAYMENTS = 7
PATH = "/v1/payments"


@pytest.fixture(scope="module")
def paid(shop: Shop) -> tuple[Merchant, list[str]]:
    """A merchant and its payments, newest first; every other one in euros, one declined."""
    merchant = shop.open_account()
    customer = merchant.customer()["id"]
    method = merchant.save_card(customer).json()["id"]
    made = [
        merchant.pay(method, amount=1000 + 100 * (n % 3), currency=("usd", "eur")[n % 2])["id"]
        for n in range(PAYMENTS - 1)
    ]
    declined = merchant.pay_answer(merchant.tokenise("4000000000000002"))
    made.append(declined.json()["error"]["payment_id"])
    return merchant, made[::-1]


def ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["data"]]


def forwards(merchant: Merchant, path: str, **query: Any) -> Iterator[dict[str, Any]]:
    """Every page, from the first on."""
    cursor: dict[str, Any] = {}
    while True:
        page = merchant.get(path, **query, **cursor)
        yield page
        if not page["has_more"]:
            assert page["next_cursor"] is None
            return
        cursor = {"starting_after": page["next_cursor"]}


def test_pages_forwards_and_back_again(paid: tuple[Merchant, list[str]]) -> None:
    merchant, newest_first = paid
    pages = list(forwards(merchant, PATH, limit=3))
    assert [len(page["data"]) for page in pages] == [3, 3, 1]
    assert [each for page in pages for each in ids(page)] == newest_first
    assert {page["total_count"] for page in pages} == {PAYMENTS}
    back = merchant.get(PATH, limit=3, ending_before=pages[2]["prev_cursor"])
    assert ids(back) == ids(pages[1]) and back["has_more"]
    first = merchant.get(PATH, limit=3, ending_before=back["prev_cursor"])
    assert ids(first) == ids(pages[0]) and not first["has_more"]
    nothing = merchant.get(PATH, limit=3, ending_before=first["prev_cursor"])
    assert nothing["data"] == [] and nothing["prev_cursor"] is None


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "amount", "-amount"])
def test_every_order_pages_without_loss(paid: tuple[Merchant, list[str]], sort: str) -> None:
    merchant, newest_first = paid
    items = [item for page in forwards(merchant, PATH, limit=2, sort=sort) for item in page["data"]]
    assert sorted(item["id"] for item in items) == sorted(newest_first)
    field = sort.removeprefix("-")
    keys = [(item[field], item["id"]) for item in items]
    assert keys == sorted(keys, reverse=sort.startswith("-"))


def test_what_comes_while_paging_disturbs_nothing(merchant: Merchant) -> None:
    method = merchant.save_card(merchant.customer()["id"]).json()["id"]
    old = [merchant.pay(method)["id"] for _ in range(4)][::-1]
    page = merchant.get(PATH, limit=2)
    new = merchant.pay(method)["id"]
    rest = merchant.get(PATH, limit=2, starting_after=page["next_cursor"])
    assert ids(page) + ids(rest) == old
    newer = merchant.get(PATH, ending_before=page["prev_cursor"])
    assert ids(newer) == [new]


def test_filters(paid: tuple[Merchant, list[str]]) -> None:
    merchant, newest_first = paid
    failed = merchant.get(PATH, status="failed")
    assert (ids(failed), failed["total_count"]) == (newest_first[:1], 1)
    euros = merchant.get(PATH, currency="eur")
    assert {item["currency"] for item in euros["data"]} == {"eur"}
    assert (len(euros["data"]), euros["total_count"]) == (3, None)
    moment = merchant.payment(newest_first[3])["created_at"]
    since, until = merchant.get(PATH, created_gte=moment), merchant.get(PATH, created_lte=moment)
    assert newest_first[3] in ids(since) and newest_first[3] in ids(until)
    assert set(ids(since)) | set(ids(until)) == set(newest_first)


def test_a_filter_takes_any_offset(paid: tuple[Merchant, list[str]]) -> None:
    merchant, newest_first = paid
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    future = (datetime.now(UTC) + timedelta(hours=1)).astimezone(elsewhere)
    assert merchant.get(PATH, created_gte=future.isoformat())["data"] == []
    assert ids(merchant.get(PATH, created_lte=future.isoformat())) == newest_first


def test_a_cursor_belongs_to_its_filters_and_its_order(paid: tuple[Merchant, list[str]]) -> None:
    merchant, _ = paid
    cursor = merchant.get(PATH, limit=2)["next_cursor"]
    for other in ({"status": "captured"}, {"sort": "amount"}, {"currency": "usd"}):
        answer = merchant.ask("GET", PATH, params={"starting_after": cursor, **other})
        assert error(answer) == (400, "invalid_cursor", "starting_after")
    elsewhere = merchant.ask("GET", "/v1/customers", params={"starting_after": cursor + "A"})
    assert error(elsewhere) == (400, "invalid_cursor", "starting_after")


def test_refunds_and_methods_page_too(merchant: Merchant) -> None:
    payment = merchant.pay()["id"]
    refunds = [merchant.refund(payment, amount=100)["id"] for _ in range(3)][::-1]
    path = f"{PATH}/{payment}/refunds"
    assert [each for page in forwards(merchant, path, limit=2) for each in ids(page)] == refunds
    other = merchant.pay()["id"]
    cursor = merchant.get(path, limit=2)["next_cursor"]
    foreign = merchant.ask("GET", f"{PATH}/{other}/refunds", params={"starting_after": cursor})
    assert error(foreign) == (400, "invalid_cursor", "starting_after")
    customer = merchant.customer()["id"]
    numbers = ("4242424242424242", "5555555555554444", "378282246310005")
    methods = [merchant.save_card(customer, number).json()["id"] for number in numbers][::-1]
    path = f"/v1/customers/{customer}/payment_methods"
    assert [each for page in forwards(merchant, path, limit=1) for each in ids(page)] == methods


def test_the_count_follows_every_status(merchant: Merchant) -> None:
    held = [merchant.pay(capture=False)["id"] for _ in range(3)]
    merchant.act(held[0], "capture")
    merchant.act(held[1], "cancel")
    counts = {
        status: merchant.get(PATH, status=status)["total_count"]
        for status in ("pending", "authorized", "captured", "failed", "cancelled", "refunded")
    }
    expected = {"authorized": 1, "captured": 1, "cancelled": 1}
    assert counts == {status: expected.get(status, 0) for status in counts}
