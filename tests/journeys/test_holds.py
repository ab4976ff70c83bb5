"""Holds for repeat customers: made once, drawn on often, topped up, released, expired."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests import books
from tests.midlife import put_clock
from tests.serving import eventually
from tests.shop import Merchant, Shop, error, told
from tests.shop_holds import GIVEN_BACK_WITHIN_SECONDS, WEEK, Wallet, journal_of, presented

DECLINES = "4000000000000341"
SILENT_AFTER = "4000009900000020"
DISPUTED = "4000000000000259"
REFUND_SLOW = "4000000000007726"


@pytest.fixture
def wallet(merchant: Merchant) -> Wallet:
    return Wallet(merchant)


def test_a_hold_is_made_once_and_drawn_on_without_the_network(shop: Shop, wallet: Wallet) -> None:
    hold = wallet.hold()
    assert hold["status"] == "active"
    assert hold["amount"] == hold["amount_remaining"] == 20_000
    assert (hold["amount_drawn"], hold["network"], hold["closed_at"]) == (0, "visa", None)
    lasts = datetime.fromisoformat(hold["expires_at"]) - datetime.fromisoformat(hold["created_at"])
    assert lasts == timedelta(days=7)
    first = wallet.draw(hold["id"], 5_000, description="Breakfast", metadata={"table": "4"})
    assert first["status"] == "captured"
    assert first["hold_id"] == hold["id"]
    assert first["amount_captured"] == 5_000
    assert (first["customer_id"], first["payment_method_id"]) == (wallet.customer, wallet.method)
    assert wallet.merchant.payment(first["id"]) == first
    second = wallet.draw(hold["id"], 7_000, customer_id=wallet.customer)
    shown = wallet.shown(hold["id"])
    assert (shown["amount_remaining"], shown["amount_drawn"]) == (8_000, 12_000)
    for payment in (first, second):
        presented(shop, payment["id"])
    # Presented side by side, in any order.
    assert sorted(journal_of(shop, hold["id"])) == [
        ("authorise", "approved", 20_000),
        ("draw", "approved", 5_000),
        ("draw", "approved", 7_000),
    ]
    drawn = wallet.merchant.get("/v1/payments", hold_id=hold["id"])["data"]
    assert [payment["id"] for payment in drawn] == [second["id"], first["id"]]
    told_of = [event["type"] for event in wallet.merchant.events()]
    assert told_of == ["payment.captured", "payment.captured", "hold.created"]


def test_what_is_not_left_is_not_drawn_and_the_last_of_it_ends_it(
    shop: Shop, wallet: Wallet
) -> None:
    hold = wallet.hold()["id"]
    refused = wallet.draw_answer(hold, 20_001)
    assert error(refused) == (422, "hold_insufficient", "amount")
    assert "(20001)" in refused.json()["error"]["message"]
    assert "(20000)" in refused.json()["error"]["message"]
    wallet.draw(hold, 20_000)
    shown = wallet.shown(hold)
    assert (shown["status"], shown["amount_remaining"]) == ("used_up", 0)
    assert shown["closed_at"] is not None
    refused = wallet.draw_answer(hold, 50)
    assert error(refused) == (422, "hold_unexpected_state", "hold_id")
    assert "used_up" in refused.json()["error"]["message"]
    assert error(wallet.top_up_answer(hold, 50))[1] == "hold_unexpected_state"
    assert error(wallet.act(hold, "release"))[1] == "hold_unexpected_state"
    # Two of them are of one moment, and stand in any order.
    assert sorted(event["type"] for event in wallet.merchant.events()) == [
        "hold.created",
        "hold.used_up",
        "payment.captured",
    ]
    books.settle(shop)


def test_more_is_added_and_the_rest_is_given_back(shop: Shop, wallet: Wallet) -> None:
    hold = wallet.hold()["id"]
    payment = wallet.draw(hold, 20_000 - 50)
    topped_up = told(wallet.top_up_answer(hold, 5_000), 200)
    assert (topped_up["amount"], topped_up["amount_remaining"]) == (25_000, 5_050)
    wallet.draw(hold, 5_000)
    released = wallet.release(hold)
    assert (released["status"], released["amount_remaining"]) == ("released", 0)
    assert released["amount_drawn"] == 24_950
    assert error(wallet.draw_answer(hold, 50))[1] == "hold_unexpected_state"
    eventually(
        lambda: journal_of(shop, hold)[-1] == ("reverse", "approved", 50),
        GIVEN_BACK_WITHIN_SECONDS,
    )
    assert wallet.merchant.payment(payment["id"])["status"] == "captured"
    assert [event["type"] for event in wallet.merchant.events(limit=3)] == [
        "hold.released",
        "payment.captured",
        "hold.topped_up",
    ]
    books.settle(shop)


def test_a_decline_is_402_and_the_failed_hold_is_kept(shop: Shop, merchant: Merchant) -> None:
    wallet = Wallet(merchant, DECLINES)
    key = str(uuid4())
    named = set()
    for replayed in (False, True):
        answer = wallet.hold_answer(key=key)
        assert error(answer)[:2] == (402, "card_declined")
        assert answer.json()["error"]["decline_code"] == "generic_decline"
        assert "payment_id" not in answer.json()["error"]
        named.add(answer.json()["error"]["hold_id"])
        assert ("idempotent-replayed" in answer.headers) is replayed
    (failed,) = merchant.get("/v1/holds", status="failed")["data"]
    assert named == {failed["id"]}
    assert (failed["failure_code"], failed["decline_code"]) == ("card_declined", "generic_decline")
    assert failed["closed_at"] is not None
    assert error(wallet.draw_answer(failed["id"], 50))[1] == "hold_unexpected_state"
    assert [event["type"] for event in merchant.events()] == ["hold.failed"]
    books.settle(shop)


def test_an_unknown_answer_is_202_and_is_found_out(shop: Shop, merchant: Merchant) -> None:
    wallet = Wallet(merchant, SILENT_AFTER)
    answer = wallet.hold_answer()
    if answer.status_code == 202:
        hold = answer.json()
        assert (hold["status"], hold["amount_remaining"]) == ("pending", 0)
        assert hold["pending_reason"] == "network_unavailable"
        assert error(wallet.draw_answer(hold["id"], 50))[1] == "hold_unexpected_state"
    else:
        hold = told(answer, 201)
    eventually(lambda: wallet.shown(hold["id"])["status"] == "active", 15.0)
    wallet.draw(hold["id"], 50)
    books.settle(shop)


def test_a_drawn_payment_is_refunded_and_disputed_and_never_captured_again(
    shop: Shop, merchant: Merchant
) -> None:
    wallet = Wallet(merchant, REFUND_SLOW)
    payment = wallet.draw(wallet.hold()["id"], 9_000)["id"]
    # At once: the network may not have heard of the draw yet.
    refund = merchant.refund(payment, amount=4_000)
    for action in ("capture", "cancel"):
        assert error(merchant.act(payment, action))[1] == "payment_unexpected_state"
    path = f"/v1/payments/{payment}/refunds/{refund['id']}"
    eventually(lambda: merchant.get(path)["status"] == "succeeded", 20.0)
    contested = Wallet(merchant, DISPUTED)
    disputed = contested.draw(contested.hold()["id"], 3_000)["id"]
    eventually(lambda: merchant.payment(disputed)["amount_disputed"] == 3_000, 20.0)
    books.settle(shop)


def test_one_key_is_one_hold_one_draw_and_one_release(shop: Shop, wallet: Wallet) -> None:
    key = str(uuid4())
    hold = wallet.hold(key=key)
    again = wallet.hold_answer(key=key)
    assert (again.json(), again.headers["idempotent-replayed"]) == (hold, "true")
    assert error(wallet.hold_answer(key=key, amount=60))[1] == "idempotency_key_reused"
    key = str(uuid4())
    payment = wallet.draw(hold["id"], 6_000, key=key)
    assert wallet.draw_answer(hold["id"], 6_000, key=key).json() == payment
    assert error(wallet.draw_answer(hold["id"], 6_001, key=key))[1] == "idempotency_key_reused"
    assert wallet.shown(hold["id"])["amount_drawn"] == 6_000
    key = str(uuid4())
    refused = wallet.draw_answer(hold["id"], 19_000, key=key)
    topped_up = told(wallet.top_up_answer(hold["id"], 6_000, key=key), 409)
    assert topped_up["error"]["code"] == "idempotency_key_reused"
    # A refusal is kept: the same request is refused in the same words.
    told(wallet.top_up_answer(hold["id"], 6_000), 200)
    repeated = wallet.draw_answer(hold["id"], 19_000, key=key)
    assert repeated.json()["error"]["message"] == refused.json()["error"]["message"]
    key = str(uuid4())
    released = told(wallet.act(hold["id"], "release", key=key), 200)
    assert told(wallet.act(hold["id"], "release", key=key), 200) == released
    assert wallet.merchant.get("/v1/holds")["total_count"] == 1


def test_what_does_not_belong_together_is_refused_in_order(wallet: Wallet) -> None:
    merchant, hold = wallet.merchant, wallet.hold()["id"]
    other = Wallet(merchant)
    unknown = f"hld_{'0' * 32}"
    for named in (unknown, "hld_1", "pay_1"):
        assert error(wallet.draw_answer(named, 50)) == (404, "resource_missing", "hold_id")
    refusals: dict[str, dict[str, Any]] = {
        "payment_method_mismatch": {"payment_method_id": other.method},
        "customer_mismatch": {"customer_id": other.customer},
        "capture_not_supported": {"capture": False},
        "currency_mismatch": {"currency": "eur"},
    }
    for code, fields in refusals.items():
        assert error(wallet.draw_answer(hold, 20_001, **fields))[:2] == (422, code)
    for field in ("payment_method_id", "customer_id"):
        answer = wallet.draw_answer(hold, 50, **{field: "cus_1"})
        assert error(answer) == (404, "resource_missing", field)
    token = merchant.tokenise()
    answer = wallet.draw_answer(hold, 50, payment_method_id=token)
    assert error(answer)[:2] == (422, "payment_method_mismatch")
    # The token was not used for it.
    merchant.pay(token)
    assert error(wallet.hold_answer(customer_id=other.customer))[1] == "customer_mismatch"
    assert error(wallet.hold_answer(payment_method_id=token))[1] == "resource_missing"
    assert wallet.hold_answer(amount=49).status_code == 400
    for seconds in (59, WEEK + 1):
        assert wallet.hold_answer(expires_in_seconds=seconds).status_code == 400
    largest = wallet.hold(amount=99_999_999)["id"]
    refused = wallet.top_up_answer(largest, 50)
    assert error(refused) == (422, "hold_exceeds_maximum", "amount")


def test_a_detached_card_pays_no_more_and_its_hold_can_be_released(wallet: Wallet) -> None:
    hold = wallet.hold()["id"]
    path = f"/v1/customers/{wallet.customer}/payment_methods/{wallet.method}"
    told(wallet.merchant.ask("DELETE", path), 200)
    for refused in (wallet.draw_answer(hold, 50), wallet.top_up_answer(hold, 50)):
        assert error(refused) == (404, "resource_missing", "payment_method_id")
    assert wallet.release(hold)["status"] == "released"


def test_a_batch_draws_too(shop: Shop, wallet: Wallet) -> None:
    hold = wallet.hold()["id"]
    items = [wallet.item(hold, amount) for amount in (15_000, 15_001)]
    answer = told(wallet.merchant.ask("POST", "/v1/payments/batch", {"payments": items}), 207)
    assert [result["status"] for result in answer["data"]] == [201, 422]
    assert wallet.shown(hold)["amount_drawn"] == 15_000
    books.settle(shop)


def test_the_items_of_a_batch_draw_on_a_hold_in_their_order(shop: Shop, wallet: Wallet) -> None:
    hold = wallet.hold(amount=50 * 60)["id"]
    items = [wallet.item(hold, 50) for _ in range(100)]
    answer = told(wallet.merchant.ask("POST", "/v1/payments/batch", {"payments": items}), 207)
    assert [result["status"] for result in answer["data"]] == [201] * 60 + [422] * 40
    assert wallet.shown(hold)["status"] == "used_up"
    books.settle(shop)


def test_batches_on_one_hold_take_connections_from_nobody(shop: Shop, wallet: Wallet) -> None:
    hold = wallet.hold(amount=50 * 400)["id"]

    def sent(_: int) -> list[int]:
        items = [wallet.item(hold, 50) for _ in range(100)]
        body = {"payments": items}
        answer = told(wallet.merchant.ask("POST", "/v1/payments/batch", body), 207)
        return [result["status"] for result in answer["data"]]

    with ThreadPoolExecutor(4) as senders:
        assert list(senders.map(sent, range(4))) == [[201] * 100] * 4
    assert wallet.shown(hold)["status"] == "used_up"
    books.settle(shop)


def test_a_hold_expires_by_the_merchants_own_clock(shop: Shop, wallet: Wallet) -> None:
    merchant = wallet.merchant
    hold = wallet.hold(expires_in_seconds=3600)
    payment = wallet.draw(hold["id"], 1_000)
    now = datetime.now(UTC)
    clock = told(
        merchant.ask("POST", "/v1/test_helpers/clocks", {"frozen_time": _text(now, minutes=1)}),
        201,
    )
    path = f"/v1/test_helpers/clocks/{clock['id']}/advance"
    told(merchant.ask("POST", path, {"frozen_time": _text(now, minutes=50)}), 200)
    wallet.draw(hold["id"], 500)
    told(merchant.ask("POST", path, {"frozen_time": _text(now, minutes=61)}), 200)
    refused = wallet.draw_answer(hold["id"], 500)
    assert error(refused)[1] == "hold_unexpected_state"
    assert "expired" in refused.json()["error"]["message"]
    eventually(lambda: wallet.shown(hold["id"])["status"] == "expired", 10.0)
    shown = wallet.shown(hold["id"])
    assert shown["expires_at"] == hold["expires_at"]
    assert shown["closed_at"] >= shown["expires_at"]
    assert merchant.payment(payment["id"])["status"] == "captured"
    assert merchant.events(limit=1)[0]["type"] == "hold.expired"
    eventually(
        lambda: journal_of(shop, hold["id"])[-1] == ("reverse", "approved", 18_500),
        GIVEN_BACK_WITHIN_SECONDS,
    )
    books.settle(shop)


def _text(moment: datetime, **later: float) -> str:
    return (moment + timedelta(**later)).isoformat()


def test_holds_are_listed_by_customer_status_and_currency(wallet: Wallet) -> None:
    merchant, other = wallet.merchant, Wallet(wallet.merchant)
    mine = [wallet.hold(amount=amount)["id"] for amount in (300, 100)]
    euros = other.hold(currency="eur", amount=200)["id"]
    wallet.release(mine[0])
    page = merchant.get("/v1/holds")
    assert ([hold["id"] for hold in page["data"]], page["total_count"]) == ([euros, *mine[::-1]], 3)
    for query, ids in (
        ({"customer_id": wallet.customer}, mine[::-1]),
        ({"status": "released"}, mine[:1]),
        ({"currency": "eur"}, [euros]),
        ({"sort": "amount"}, [mine[1], euros, mine[0]]),
    ):
        assert [hold["id"] for hold in merchant.get("/v1/holds", **query)["data"]] == ids
    assert merchant.get("/v1/holds", status="active")["total_count"] == 2
    first = merchant.get("/v1/holds", limit=1)
    second = merchant.get("/v1/holds", limit=1, starting_after=first["next_cursor"])
    assert second["data"][0]["id"] == mine[1]


def test_another_merchants_hold_is_not_there(shop: Shop, wallet: Wallet) -> None:
    hold = wallet.hold()["id"]
    stranger = Wallet(shop.open_account())
    for answer in (
        stranger.merchant.ask("GET", f"/v1/holds/{hold}"),
        stranger.top_up_answer(hold, 50),
        stranger.act(hold, "release"),
        stranger.draw_answer(hold, 50),
    ):
        assert error(answer) == (404, "resource_missing", "hold_id")
    assert stranger.merchant.get("/v1/holds")["data"] == []
    assert wallet.shown(hold)["amount_remaining"] == 20_000


def test_the_older_version_has_no_hold_id_on_payments(shop: Shop, wallet: Wallet) -> None:
    put_clock(shop, wallet.merchant)
    hold = wallet.hold()["id"]
    payment = wallet.draw(hold, 50)["id"]
    older = {"Paymint-Version": "2025-09-15"}
    shown = told(wallet.merchant.ask("GET", f"/v1/payments/{payment}", headers=older), 200)
    assert shown["data"]["status"] == "captured"
    assert "hold_id" not in shown["data"]
    enveloped = told(wallet.merchant.ask("GET", f"/v1/holds/{hold}", headers=older), 200)
    assert enveloped["data"]["amount_remaining"] == 19_950
