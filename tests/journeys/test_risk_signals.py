"""What is noticed about a request stands with its payment and in its log, and nowhere else."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.ids import from_text
from tests.serving import eventually
from tests.shop import Merchant, Shop, told
from vault.operations.velocity import CARD_ATTEMPTS, MERCHANT_DECLINED_CARDS

# Luhn-valid, published by nobody, and used by no other test.
TRIED, OTHER = "4556737586899855", "4716190207394368"
DECLINED = "4000000000000002"
QUIET = {"ip_country": None, "velocity_flag": False}
FLAGGED = {"ip_country": None, "velocity_flag": True}
WRITTEN_SECONDS = 5.0


def recorded(shop: Shop, payment: str) -> Any:
    """The signals in the payment's row."""
    with shop.database() as connection:
        found = connection.execute(
            "SELECT risk_signals FROM payments WHERE id = %s", [from_text("pay", payment)]
        ).fetchone()
    assert found is not None
    return found[0]


def logged(merchant: Merchant, answer: httpx.Response) -> Any:
    """The signals in the log of a request, which is written behind its answer."""
    path = f"/v1/request_logs/{answer.headers['x-request-id']}"
    assert eventually(lambda: merchant.ask("GET", path).status_code == 200, WRITTEN_SECONDS)
    return merchant.get(path)["risk_signals"]


def signals(shop: Shop, merchant: Merchant, answer: httpx.Response) -> Any:
    """The signals of a payment, which are the same in its row and in its request's log."""
    body = answer.json()
    payment = body["id"] if answer.status_code == 201 else body["error"]["payment_id"]
    found = recorded(shop, payment)
    assert logged(merchant, answer) == found
    shown = merchant.payment(payment)
    assert not {"risk_signals", "velocity_flag", "ip_country"} & shown.keys()
    return found


@pytest.fixture(scope="module")
def busy(shop: Shop) -> Iterator[tuple[Merchant, Merchant]]:
    """Two merchants at whom one card was tried as often as is usual."""
    first, second = shop.open_account(), shop.open_account()
    for place in range(CARD_ATTEMPTS):
        merchant = (first, second)[place % 2]
        answer = merchant.pay_answer(merchant.tokenise(TRIED))
        assert signals(shop, merchant, answer) == QUIET
    yield first, second


def test_a_card_that_is_tried_too_often_is_flagged_at_every_merchant(
    shop: Shop, busy: tuple[Merchant, Merchant]
) -> None:
    for merchant in busy:
        answer = merchant.pay_answer(merchant.tokenise(TRIED))
        # It tells, and refuses nothing.
        assert answer.status_code == 201
        assert signals(shop, merchant, answer) == FLAGGED
        assert signals(shop, merchant, merchant.pay_answer(merchant.tokenise(OTHER))) == QUIET


def test_a_batch_tells_of_each_payment_and_of_itself(
    shop: Shop, busy: tuple[Merchant, Merchant]
) -> None:
    merchant = busy[0]
    items = [
        {
            "amount": 5000,
            "currency": "usd",
            "payment_method_id": merchant.tokenise(number),
            "idempotency_key": str(uuid4()),
        }
        for number in (TRIED, OTHER)
    ]
    answer = merchant.ask("POST", "/v1/payments/batch", {"payments": items})
    results = told(answer, 207)["data"]
    assert [recorded(shop, item["payment"]["id"]) for item in results] == [FLAGGED, QUIET]
    assert logged(merchant, answer) == FLAGGED


def test_a_merchant_at_whom_cards_are_tested_is_flagged(shop: Shop, merchant: Merchant) -> None:
    """The published cards that decline are few; a wallet that nobody can read declines, too."""
    for _ in range(MERCHANT_DECLINED_CARDS - 1):
        refused = merchant.pay_answer(declined_wallet(merchant))
        assert refused.status_code == 402
    assert signals(shop, merchant, refused) == QUIET
    refused = merchant.pay_answer(merchant.tokenise(DECLINED))
    assert refused.status_code == 402
    assert signals(shop, merchant, refused) == FLAGGED
    assert signals(shop, merchant, merchant.pay_answer()) == FLAGGED


def declined_wallet(merchant: Merchant) -> str:
    """A wallet that the network declines, different from every other."""
    wallet = {"provider": "apple_pay", "payload": f"unreadable_{uuid4().hex}"}
    made = merchant.token_answer({"type": "wallet", "wallet": wallet})
    return str(told(made, 201)["id"])


def test_the_sandboxs_cards_are_counted_for_each_merchant_alone(
    shop: Shop, merchant: Merchant, rival: Merchant
) -> None:
    """As docs/accounts.md says: eleven payments with the first of them show a flag."""
    for _ in range(CARD_ATTEMPTS):
        merchant.pay()
    assert signals(shop, merchant, merchant.pay_answer()) == FLAGGED
    assert signals(shop, rival, rival.pay_answer()) == QUIET


def test_every_request_has_signals_refused_or_not(merchant: Merchant) -> None:
    assert logged(merchant, merchant.ask("GET", "/v1/payments")) == QUIET
    assert logged(merchant, merchant.ask("GET", "/v1/payments/pay_1")) == QUIET
    assert logged(merchant, merchant.ask("POST", "/v1/customers", {"none": 1})) == QUIET


def test_a_replay_tells_of_itself(shop: Shop, busy: tuple[Merchant, Merchant]) -> None:
    """The card is not asked for again, so the repeated request notices nothing."""
    merchant, key = busy[1], str(uuid4())
    token = merchant.tokenise(TRIED)
    first = merchant.pay_answer(token, key=key)
    again = merchant.pay_answer(token, key=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert (signals(shop, merchant, first), logged(merchant, again)) == (FLAGGED, QUIET)
