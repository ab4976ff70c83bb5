"""A day ends, and what has settled is paid out: the payout, its transactions, the balance."""

from datetime import timedelta
from typing import Any

from tests import books
from tests.business_clock import Frozen
from tests.journeys.accounts import approve, new_key, operate, using
from tests.journeys.test_balance import TRANSACTIONS, walked
from tests.serving import eventually
from tests.shop import Merchant, Shop, error, told

PAYOUTS = "/v1/payouts"
DAY = timedelta(days=1)
SECONDS = 40.0


def paid_out(merchant: Merchant, clock: Frozen) -> dict[str, Any]:
    """The next payout, a day later; it is in the bank within seconds."""
    before = merchant.get(PAYOUTS)["total_count"]
    clock.advance(DAY)
    assert eventually(lambda: merchant.get(PAYOUTS, status="paid")["total_count"] > before, SECONDS)
    newest: dict[str, Any] = merchant.get(PAYOUTS)["data"][0]
    return newest


def sums(merchant: Merchant) -> tuple[dict[str, int], dict[str, int]]:
    """(available, pending) by currency."""
    balance = merchant.get("/v1/balance")
    available, pending = (
        {part["currency"]: part["amount"] for part in balance[name]}
        for name in ("available", "pending")
    )
    return available, pending


def test_a_day_of_sales_is_paid_out_in_the_settlement_currency(
    shop: Shop, merchant: Merchant, rival: Merchant
) -> None:
    clock = Frozen(merchant)
    sold = merchant.pay()
    merchant.pay(currency="eur")
    merchant.refund(sold["id"], amount=2500)
    assert sums(merchant) == ({"eur": 0, "usd": 0}, {"eur": 9680, "usd": 7180})
    assert merchant.get(PAYOUTS)["data"] == []

    payout = paid_out(merchant, clock)
    assert (payout["object"], payout["status"], payout["currency"]) == ("payout", "paid", "usd")
    assert payout["parts"] == [
        {
            "currency": "eur",
            "amount": 9680,
            "exchange_rate": "1.1600000000",
            "converted_amount": 11229,
        },
        {"currency": "usd", "amount": 7180, "exchange_rate": "1", "converted_amount": 7180},
    ]
    assert (payout["amount"], payout["transaction_count"]) == (11229 + 7180, 3)
    assert payout["arrival_date"] == payout["business_day"] == clock.time.date().isoformat()
    assert payout["merchant_id"] == merchant.id and payout["livemode"] is False
    assert sums(merchant) == ({"eur": 0, "usd": 0}, {"eur": 0, "usd": 0})

    covered = walked(merchant, payout_id=payout["id"])
    taken = [each for each in covered if each["source"] == payout["id"]]
    assert {(each["type"], each["currency"], each["net"]) for each in taken} == {
        ("payout", "usd", -7180),
        ("payout_conversion", "eur", -9680),
    }
    assert len(covered) == payout["transaction_count"] + len(taken)
    assert sum(each["net"] for each in covered if each["currency"] == "usd") == 0
    assert {each["payout_id"] for each in covered} == {payout["id"]}
    assert {each["status"] for each in covered} == {"available"}
    assert covered == walked(merchant)
    for each in covered:
        assert merchant.get(f"{TRANSACTIONS}/{each['id']}") == each

    path = f"{PAYOUTS}/{payout['id']}"
    answer = merchant.ask("GET", path)
    assert told(answer, 200) == payout
    assert merchant.get(PAYOUTS)["data"] == [payout]
    seen = {"If-None-Match": answer.headers["etag"]}
    assert merchant.ask("GET", path, headers=seen).status_code == 304
    assert error(rival.ask("GET", path)) == (404, "resource_missing", "payout_id")
    assert rival.get(PAYOUTS)["total_count"] == 0
    assert walked(rival, payout_id=payout["id"]) == []
    assert error(merchant.ask("GET", f"{PAYOUTS}/pyt_1"))[:2] == (404, "resource_missing")
    books.agree(shop)


def test_payouts_are_listed_by_time_and_amount(merchant: Merchant) -> None:
    clock = Frozen(merchant)
    made = []
    for amount in (30000, 10000, 20000):
        merchant.pay(amount=amount)
        made.append(paid_out(merchant, clock))
    page = merchant.get(PAYOUTS, limit=2)
    assert (page["data"], page["total_count"]) == (made[:0:-1], 3)
    rest = merchant.get(PAYOUTS, limit=2, starting_after=page["next_cursor"])
    assert (rest["data"], rest["has_more"]) == (made[:1], False)
    by_amount = merchant.get(PAYOUTS, sort="amount")["data"]
    assert [each["amount"] for each in by_amount] == sorted(each["amount"] for each in made)
    assert merchant.get(PAYOUTS, status="pending")["total_count"] == 0
    assert merchant.get(PAYOUTS, fields="amount", limit=1)["data"] == [
        {name: made[-1][name] for name in ("object", "id", "amount")}
    ]


def test_a_suspended_account_keeps_its_money(shop: Shop, merchant: Merchant) -> None:
    clock = Frozen(merchant)
    merchant.pay()
    approve(shop, merchant)
    stopped = {"status": "suspended"}
    told(operate(shop, "PATCH", f"/v1/merchants/{merchant.id}", stopped), 200)
    clock.advance(DAY)
    assert eventually(lambda: sums(merchant)[0] == {"usd": 9680}, SECONDS)
    assert merchant.get(PAYOUTS)["data"] == []


def test_only_who_may_read_the_balance_sees_payouts(merchant: Merchant) -> None:
    reader = using(merchant, new_key(merchant, scopes=["balance:read"]))
    assert reader.get(PAYOUTS)["data"] == []
    stranger = using(merchant, new_key(merchant, scopes=["payments:read"]))
    for path in (PAYOUTS, f"{PAYOUTS}/pyt_1"):
        assert error(stranger.ask("GET", path))[:2] == (403, "insufficient_scope")
