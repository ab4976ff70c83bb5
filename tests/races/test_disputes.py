"""Refunds and disputes that race for the same money, and answers to one dispute that race."""

import asyncio
from random import Random
from typing import Any

import pytest

from domain.ids import from_text
from tests.races.rush import Answered, Rush, rush, seeded, together
from tests.races.test_one_payment import paid
from tests.serving import eventually
from tests.shop import Merchant, Shop

CAPTURED = 10_000
PART = 6_000
REST = CAPTURED - PART
ROUNDS_AT_ONCE = 8
ROUNDS = 80
NETWORK_ROUNDS = 24
LARGEST_HEAD_START_SECONDS = 0.02
# The network charges a dispute card back 2 s after the capture; vault and worker look each
# half second and second.
EARLIEST_REFUND_SECONDS, LATEST_REFUND_SECONDS = 1.8, 3.8
SETTLED_SECONDS = 12.0
CARD = "4242424242424242"
DISPUTE_CARD = "4000000000000259"
NOT_DISPUTABLE = {(422, "payment_disputed"), (422, "payment_unexpected_state")}

_MONEY = """SELECT p.amount_captured, p.amount_refunded, p.amount_disputed,
    coalesce((SELECT sum(amount) FROM refunds r WHERE r.payment_id = p.id
        AND r.merchant_id = p.merchant_id AND r.status <> 'failed'), 0)::int,
    coalesce((SELECT sum(amount) FROM disputes d WHERE d.payment_id = p.id
        AND d.merchant_id = p.merchant_id AND d.status <> 'won'), 0)::int
    FROM payments p WHERE p.id = ANY(%s)"""
_UNTOLD = "SELECT 1 FROM chargebacks WHERE acknowledged IS DISTINCT FROM state"


@pytest.fixture(scope="module")
def till(shop: Shop) -> tuple[Merchant, str, str]:
    """A merchant, a saved card, and a saved card whose payments are disputed."""
    merchant = shop.open_account()
    customer = merchant.customer()["id"]
    cards = [merchant.save_card(customer, number).json()["id"] for number in (CARD, DISPUTE_CARD)]
    return merchant, cards[0], cards[1]


def check_money(shop: Shop, payments: list[str]) -> None:
    """What payments say is what refunds and disputes add up to, and never more than captured."""
    with shop.database() as connection:
        found = connection.execute(_MONEY, [[from_text("pay", each) for each in payments]])
        rows = found.fetchall()
    assert len(rows) == len(payments)
    for captured, refunded, disputed, of_refunds, of_disputes in rows:
        assert (refunded, disputed) == (of_refunds, of_disputes)
        assert refunded + disputed <= captured


def everything_is_told(shop: Shop) -> None:
    def untold() -> bool:
        with shop.database("paymint-vault") as connection:
            return bool(connection.execute(_UNTOLD).fetchall())

    assert eventually(lambda: not untold(), SETTLED_SECONDS)


async def after(seconds: float, asking: Any) -> Answered:
    await asyncio.sleep(seconds)
    answered: Answered = await asking
    return answered


def head_start(randomness: Random) -> float:
    return randomness.uniform(0, LARGEST_HEAD_START_SECONDS)


async def refund_against_dispute(
    asking: Rush, method: str, randomness: Random, amount: int
) -> tuple[str, Answered, Answered]:
    payment = await paid(asking, method, randomness, capture=True)
    body = {"payment_id": payment, "amount": amount}
    refund, dispute = await together(
        [
            after(head_start(randomness), asking.act(payment, "refunds", {"amount": amount})),
            after(head_start(randomness), asking.post("/v1/test_helpers/disputes", body)),
        ]
    )
    return payment, refund, dispute


@pytest.mark.parametrize("amount", [CAPTURED, PART])
def test_a_refund_and_a_dispute_never_take_the_same_money(
    shop: Shop, till: tuple[Merchant, str, str], amount: int
) -> None:
    merchant, method, _ = till
    randomness = seeded(f"refund-dispute-{amount}")

    async def all_rounds(asking: Rush) -> list[tuple[str, Answered, Answered]]:
        done = []
        for _ in range(ROUNDS // ROUNDS_AT_ONCE):
            once = refund_against_dispute
            rounds = [once(asking, method, randomness, amount) for _ in range(ROUNDS_AT_ONCE)]
            done += await together(rounds)
        return done

    rounds = rush(merchant, all_rounds)
    for payment, refund, dispute in rounds:
        taken = 0 if dispute.status != 201 else dispute.body["amount"]
        if refund.status == 201:
            # The dispute came second: what is left, or nothing.
            assert taken in (0, CAPTURED - amount), payment
        else:
            assert ((refund.status, refund.code), taken) == ((422, "payment_disputed"), amount)
        assert dispute.status == 201 or (dispute.status, dispute.code) in NOT_DISPUTABLE, dispute
    check_money(shop, [payment for payment, _, _ in rounds])
    everything_is_told(shop)
    check_money(shop, [payment for payment, _, _ in rounds])


def test_a_refund_and_the_networks_dispute(shop: Shop, till: tuple[Merchant, str, str]) -> None:
    merchant, _, method = till
    randomness = seeded("refund-chargeback")

    async def one_round(asking: Rush) -> tuple[str, Answered]:
        payment = await paid(asking, method, randomness, capture=True)
        seconds = randomness.uniform(EARLIEST_REFUND_SECONDS, LATEST_REFUND_SECONDS)
        return payment, await after(seconds, asking.act(payment, "refunds"))

    async def all_rounds(asking: Rush) -> list[tuple[str, Answered]]:
        return await together([one_round(asking) for _ in range(NETWORK_ROUNDS)])

    rounds = rush(merchant, all_rounds)
    everything_is_told(shop)
    for payment, refund in rounds:
        disputes = merchant.get("/v1/disputes", payment_id=payment)["data"]
        amounts = [dispute["amount"] for dispute in disputes]
        if refund.status == 201:
            assert amounts == [], payment
        else:
            assert (refund.status, refund.code) == (422, "payment_disputed")
            assert amounts == [CAPTURED], payment
    check_money(shop, [payment for payment, _ in rounds])


def test_evidence_is_taken_once(shop: Shop, till: tuple[Merchant, str, str]) -> None:
    merchant, method, _ = till
    randomness = seeded("evidence")

    async def one_round(asking: Rush) -> list[Answered]:
        payment = await paid(asking, method, randomness, capture=True)
        opened = await asking.post("/v1/test_helpers/disputes", {"payment_id": payment})
        path = f"/v1/disputes/{opened.body['id']}/evidence"
        texts = ["winning_evidence", "losing_evidence", "neither"]
        return await together(
            [after(head_start(randomness), asking.post(path, {"text": text})) for text in texts]
        )

    async def all_rounds(asking: Rush) -> list[list[Answered]]:
        return await together([one_round(asking) for _ in range(ROUNDS_AT_ONCE)])

    for answers in rush(merchant, all_rounds):
        assert sorted(answer.status for answer in answers) == [200, 422, 422]
        codes = {answer.code for answer in answers if answer.status == 422}
        assert codes == {"dispute_unexpected_state"}
    everything_is_told(shop)
