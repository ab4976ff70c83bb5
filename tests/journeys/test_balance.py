"""What payments have brought: the balance, and the movements that it is the sum of."""

from collections import Counter
from typing import Any

from tests.journeys.accounts import new_key, using
from tests.serving import eventually
from tests.shop import Merchant, error, told

TRANSACTIONS = "/v1/balance_transactions"
NOT_RECEIVED = "4000000000002685"
SECONDS = 40.0


def walked(merchant: Merchant, **query: Any) -> list[dict[str, Any]]:
    """Every transaction, two a page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = merchant.get(TRANSACTIONS, limit=2, **query, **cursor)
        found += page["data"]
        assert page["total_count"] is None
        if not page["has_more"]:
            return found
        cursor = {"starting_after": page["next_cursor"]}


def held(merchant: Merchant) -> dict[str, int]:
    """The whole balance by currency."""
    balance = merchant.get("/v1/balance")
    assert balance.keys() == {"object", "available", "pending", "livemode"}
    assert (balance["object"], balance["livemode"]) == ("balance", False)
    sums: Counter[str] = Counter()
    for part in balance["available"] + balance["pending"]:
        sums[part["currency"]] += part["amount"]
    return dict(sums)


def summed(transactions: list[dict[str, Any]]) -> dict[str, int]:
    """The nets by currency."""
    sums: Counter[str] = Counter()
    for each in transactions:
        assert each["net"] == each["gross"] - each["fee"]
        sums[each["currency"]] += each["net"]
    return dict(sums)


def test_every_movement_is_listed_and_they_are_the_balance(merchant: Merchant) -> None:
    assert held(merchant) == {} and walked(merchant) == []
    paid = merchant.pay()
    merchant.pay(amount=5000, currency="jpy")
    merchant.pay(capture=False)
    refund = merchant.refund(paid["id"], amount=2500)
    contested = merchant.pay(merchant.tokenise(NOT_RECEIVED))
    eventually(lambda: len(walked(merchant)) == 5, SECONDS)
    listed = walked(merchant)
    assert {each["object"] for each in listed} == {"balance_transaction"}
    dispute = merchant.get("/v1/disputes")["data"][0]
    assert dispute["payment_id"] == contested["id"]
    told_of = {
        (each["type"], each["source"]): (each["gross"], each["fee"], each["net"], each["currency"])
        for each in listed
    }
    assert told_of.pop(("capture", paid["id"])) == (10000, 320, 9680, "usd")
    assert told_of.pop(("capture", contested["id"])) == (10000, 320, 9680, "usd")
    assert told_of.pop(("refund", refund["id"])) == (-2500, 0, -2500, "usd")
    assert told_of.pop(("dispute", dispute["id"])) == (-10000, 1500, -11500, "usd")
    ((kind, _), sold) = told_of.popitem()
    assert (kind, sold, told_of) == ("capture", (5000, 175, 4825, "jpy"), {})
    assert held(merchant) == summed(listed) == {"usd": 2 * 9680 - 2500 - 11500, "jpy": 4825}


def test_the_list_goes_both_ways_and_is_filtered(merchant: Merchant) -> None:
    payments = [merchant.pay(currency=currency) for currency in ("usd", "eur", "usd", "eur")]
    merchant.refund(payments[0]["id"], amount=100)
    newest_first = walked(merchant)
    assert [each["created_at"] for each in newest_first] == sorted(
        (each["created_at"] for each in newest_first), reverse=True
    )
    assert walked(merchant, sort="created_at") == newest_first[::-1]
    for query in ({"type": "refund"}, {"currency": "eur"}, {"type": "capture", "currency": "usd"}):
        wanted = [each for each in newest_first if all(each[name] == query[name] for name in query)]
        assert len(wanted) in (1, 2) and walked(merchant, **query) == wanted
    since = newest_first[2]["created_at"]
    recent = [each for each in newest_first if each["created_at"] >= since]
    assert walked(merchant, created_gte=since) == recent
    second = merchant.get(TRANSACTIONS, limit=2, starting_after=cursor_after(merchant))
    before = merchant.get(TRANSACTIONS, limit=2, ending_before=second["prev_cursor"])
    assert before["data"] == newest_first[:2]
    elsewhere = merchant.ask(
        "GET", TRANSACTIONS, params={"currency": "usd", "starting_after": cursor_after(merchant)}
    )
    assert error(elsewhere) == (400, "invalid_cursor", "starting_after")
    short = merchant.get(TRANSACTIONS, fields="net", limit=1)["data"]
    assert short == [{name: newest_first[0][name] for name in ("object", "id", "net")}]


def cursor_after(merchant: Merchant) -> str:
    return str(merchant.get(TRANSACTIONS, limit=2)["next_cursor"])


def test_one_is_read_by_its_id_and_nobody_elses(merchant: Merchant, rival: Merchant) -> None:
    paid = merchant.pay()
    merchant.refund(paid["id"], amount=100)
    for each in walked(merchant):
        path = f"{TRANSACTIONS}/{each['id']}"
        answer = merchant.ask("GET", path)
        assert told(answer, 200) == each
        seen = {"If-None-Match": answer.headers["etag"]}
        assert merchant.ask("GET", path, headers=seen).status_code == 304
        missing = (404, "resource_missing", "balance_transaction_id")
        assert error(rival.ask("GET", path)) == missing
        # The id of what moved it is none, and neither is that of another kind.
        for none in (each["id"].replace("btx", "pay"), "btx_" + each["source"][4:], "btx_1"):
            assert error(merchant.ask("GET", f"{TRANSACTIONS}/{none}")) == missing
    assert walked(rival) == [] and held(rival) == {}


def test_only_who_may_read_the_balance_does(merchant: Merchant) -> None:
    merchant.pay()
    reader = using(merchant, new_key(merchant, scopes=["balance:read"]))
    assert held(reader) == {"usd": 9680}
    assert error(reader.ask("GET", "/v1/payments"))[:2] == (403, "insufficient_scope")
    stranger = using(merchant, new_key(merchant, scopes=["payments:read"]))
    for path in ("/v1/balance", TRANSACTIONS, f"{TRANSACTIONS}/btx_1"):
        assert error(stranger.ask("GET", path))[:2] == (403, "insufficient_scope")
