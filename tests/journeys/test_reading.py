"""Reading over HTTP: chosen fields, tags and conditions, codings, orders, lost updates."""

import gzip
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import httpx
import pytest

from contract.operations import compile_operations
from generated.operations import OPERATIONS, OperationRow
from tests.document import DOCUMENT
from tests.house.tree import ROOT
from tests.oauth.partner import register
from tests.people import invite
from tests.shop import Merchant, Shop, bearer, error, told

ITEMS = 3
WRITERS = 8
PASTE_SECONDS = 60.0
PAYMENTS = "/v1/payments"
OPERATORS_ALONE = (("platform:admin",),)
COMPILED = compile_operations(DOCUMENT, "gateway")
SORTED = [
    row
    for row in OPERATIONS
    if row.operation_id.startswith("list_")
    and "sort" in COMPILED[row.operation_id].parameters.query
]


@pytest.fixture(scope="module")
def owner(shop: Shop) -> Merchant:
    return shop.open_account()


@pytest.fixture(scope="module")
def stock(shop: Shop, owner: Merchant) -> dict[str, str]:
    """Some of everything that can be listed; the ids by which paths name it."""
    customers = [owner.customer(name=f"Customer {n}")["id"] for n in range(ITEMS)]
    numbers = ("4242424242424242", "5555555555554444", "378282246310005")
    methods = [told(owner.save_card(customers[0], number), 201)["id"] for number in numbers]
    payments = [owner.pay(method, amount=3000 - n)["id"] for n, method in enumerate(methods)]
    for part in range(ITEMS):
        owner.refund(payments[0], amount=900 - part)
        owner.endpoint(f"https://shop.example.com/hook/{part}")
        register(shop)
    users = [invite(shop, owner)[0] for _ in range(ITEMS)]
    event = owner.events()[0]["id"]
    return {
        "customer_id": customers[0],
        "payment_id": payments[0],
        "merchant_id": owner.id,
        "event_id": event,
        "user_id": users[0],
    }


def ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["data"]]


@pytest.mark.parametrize("row", SORTED, ids=lambda row: row.operation_id)
def test_every_list_is_ordered_and_bounded(
    shop: Shop, owner: Merchant, stock: dict[str, str], row: OperationRow
) -> None:
    operators = row.scopes == OPERATORS_ALONE
    asker = replace(owner, secret_key=shop.platform_key) if operators else owner
    missing = set(re.findall(r"{(\w+)}", row.path)) - stock.keys()
    assert not missing, f"this test needs an id for {missing}"
    path = row.path.format(**stock)
    made = {item["id"]: item["created_at"] for item in asker.get(path, limit=50)["data"]}
    times = list(made.values())
    assert times == sorted(times, reverse=True)

    def known(**query: str) -> list[str]:
        """What is answered, without what came since, or stood beyond the first page.

        Refunds settle and tell by events, and each of these requests is logged.
        """
        bounds = {"created_gte": times[-1], "created_lte": times[0]} if times else {}
        page = asker.get(path, limit=100, **{**bounds, **query})
        assert page["total_count"] in (None, len(page["data"]))
        return [each for each in ids(page) if each in made]

    assert known(sort="created_at") == list(made)[::-1]
    for moment in times:
        assert known(created_gte=moment) == [each for each in made if made[each] >= moment]
        assert known(created_lte=moment) == [each for each in made if made[each] <= moment]


def test_the_stock_gives_most_lists_something_to_order(
    owner: Merchant, stock: dict[str, str]
) -> None:
    for path in (
        "/v1/customers",
        f"/v1/customers/{stock['customer_id']}/payment_methods",
        f"{PAYMENTS}/{stock['payment_id']}/refunds",
        "/v1/webhook_endpoints",
        "/v1/events",
        "/v1/users",
        PAYMENTS,
    ):
        assert len(owner.get(path)["data"]) >= ITEMS


def test_refunds_in_order_of_their_amount(owner: Merchant, stock: dict[str, str]) -> None:
    path = f"{PAYMENTS}/{stock['payment_id']}/refunds"
    amounts = [item["amount"] for item in owner.get(path, sort="amount")["data"]]
    assert amounts == [898, 899, 900]
    first = owner.get(path, sort="-amount", limit=2)
    rest = owner.get(path, sort="-amount", limit=2, starting_after=first["next_cursor"])
    assert [item["amount"] for item in (*first["data"], *rest["data"])] == [900, 899, 898]
    other = owner.ask("GET", path, params={"starting_after": first["next_cursor"]})
    assert error(other) == (400, "invalid_cursor", "starting_after")


def test_a_cursor_is_good_for_other_fields(owner: Merchant, stock: dict[str, str]) -> None:
    page = owner.get(PAYMENTS, limit=1)
    after = {"limit": 1, "starting_after": page["next_cursor"]}
    short = owner.get(PAYMENTS, fields="amount", **after)
    assert short["data"] == [
        {name: item[name] for name in ("object", "id", "amount")}
        for item in owner.get(PAYMENTS, **after)["data"]
    ]


def test_nothing_is_sent_twice(owner: Merchant, stock: dict[str, str]) -> None:
    payment = owner.pay()["id"]
    path = f"{PAYMENTS}/{payment}"
    first = owner.ask("GET", path)
    again = owner.ask("GET", path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "private, no-cache"
    owner.refund(payment, amount=1)
    changed = owner.ask("GET", path, headers={"If-None-Match": first.headers["etag"]})
    assert told(changed, 200)["amount_refunded"] == 1
    assert changed.headers["etag"] != first.headers["etag"]


def test_another_merchants_tag_says_nothing(
    owner: Merchant, rival: Merchant, stock: dict[str, str]
) -> None:
    nothing = {"created_lte": "2020-01-01T00:00:00Z"}
    tags = [
        each.ask("GET", PAYMENTS, params=nothing).headers["etag"] for each in (owner, owner, rival)
    ]
    assert tags[0] == tags[1] != tags[2]
    path = f"{PAYMENTS}/{stock['payment_id']}"
    missing = rival.ask("GET", path, headers={"If-None-Match": "*"})
    assert error(missing) == (404, "resource_missing", "payment_id")


def raw(merchant: Merchant, method: str, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """An answer and the very bytes of its body."""
    sent = bearer(merchant.secret_key) | headers
    with merchant.http.stream(method, path, headers=sent) as answer:
        return answer, b"".join(answer.iter_raw())


def test_long_answers_are_coded_on_the_wire(owner: Merchant, stock: dict[str, str]) -> None:
    plain, body = raw(owner, "GET", PAYMENTS, **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and len(body) > 1024
    for coding, read in (("br", brotli.decompress), ("gzip", gzip.decompress)):
        answer, coded = raw(owner, "GET", PAYMENTS, **{"Accept-Encoding": coding})
        assert answer.headers["content-encoding"] == coding
        assert int(answer.headers["content-length"]) == len(coded) < len(body)
        assert read(coded) == body
        assert answer.headers["etag"] == plain.headers["etag"][:-1] + f'-{coding}"'
        head, nothing = raw(owner, "HEAD", PAYMENTS, **{"Accept-Encoding": coding})
        assert (head.status_code, nothing) == (200, b"")
        for name in ("etag", "content-encoding", "content-length", "vary"):
            assert head.headers[name] == answer.headers[name]


def test_refunds_are_never_coded_or_kept(owner: Merchant, stock: dict[str, str]) -> None:
    path = f"{PAYMENTS}/{stock['payment_id']}/refunds"
    answer, _ = raw(owner, "GET", path, **{"Accept-Encoding": "br"})
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers and "content-encoding" not in answer.headers


def rename(merchant: Merchant, name: str, tag: str) -> httpx.Response:
    body = {"business_name": name}
    return merchant.ask("PATCH", f"/v1/merchants/{merchant.id}", body, headers={"If-Match": tag})


def test_a_change_to_what_was_changed_meanwhile_is_refused(merchant: Merchant) -> None:
    path = f"/v1/merchants/{merchant.id}"
    coded = merchant.ask("GET", path, params={"fields": "business_name"})
    tag = coded.headers["etag"]
    first = told(rename(merchant, "First", tag), 200)
    assert error(rename(merchant, "Second", tag)) == (412, "precondition_failed", "If-Match")
    assert merchant.get(path)["business_name"] == "First"
    for never in ('"' + "0" * 32 + '"', '"r999-ab"'):
        assert rename(merchant, "Third", never).status_code == 412
    told(rename(merchant, "Fourth", f'"r999-ab", "r{first["revision"]}"'), 200)
    told(rename(merchant, "Fifth", "*"), 200)
    assert error(rename(merchant, "Sixth", "r3")) == (400, "header_invalid", "If-Match")
    assert merchant.get(path)["business_name"] == "Fifth"


def test_of_writers_who_saw_the_same_one_wins(merchant: Merchant) -> None:
    path = f"/v1/merchants/{merchant.id}"
    tag = merchant.ask("GET", path).headers["etag"]
    with ThreadPoolExecutor(WRITERS) as hands:
        names = [f"Writer {number}" for number in range(WRITERS)]
        answers = list(hands.map(lambda name: rename(merchant, name, tag), names))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * (WRITERS - 1)
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert merchant.get(path) == winner


def test_the_lines_of_the_page_on_reading_work(
    owner: Merchant, stock: dict[str, str], tmp_path: Path
) -> None:
    text = (ROOT / "docs" / "reading.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    assert len(blocks) > 4
    given = {"API": str(owner.http.base_url).rstrip("/"), "SECRET": owner.secret_key}
    given["PAYMENT"] = stock["payment_id"]
    head = "".join(f"{name}='{value}'\n" for name, value in given.items())
    ended = subprocess.run(
        ["sh", "-eu"],
        input=head + "\n".join(blocks),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PASTE_SECONDS,
    )
    assert ended.returncode == 0, ended.stderr
    for line in re.findall(r"^# prints (.+)$", text, re.M):
        assert line in ended.stdout, f"{line} in {ended.stdout}"
