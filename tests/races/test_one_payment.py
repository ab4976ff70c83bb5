"""Requests that race for the same money: the payment's row decides, and once."""

import asyncio
import random

import psycopg
import pytest

from domain.ids import from_text
from tests.races.rush import Answered, Rush, rush, seeded, together
from tests.shop import Merchant, Shop

REFUND_ROUNDS = 200
ROUNDS_AT_ONCE = 8
RACE_ROUNDS = 50
CAPTURED, REFUND = 10_000, 6_000
LARGEST_HEAD_START_SECONDS = 0.004


@pytest.fixture(scope="module")
def till(shop: Shop) -> tuple[Merchant, str]:
    """A merchant and a saved card."""
    merchant = shop.open_account()
    return merchant, merchant.save_card(merchant.customer()["id"]).json()["id"]


async def paid(asking: Rush, method: str, randomness: random.Random, *, capture: bool) -> str:
    """A new payment of 10000."""
    body = {"amount": CAPTURED, "currency": "usd", "payment_method_id": method, "capture": capture}
    key = f"{randomness.getrandbits(128):032x}"
    dashed = "-".join((key[:8], key[8:12], key[12:16], key[16:20], key[20:]))
    answered = await asking.post("/v1/payments", body, dashed)
    assert answered.status == 201, answered
    return str(answered.body["id"])


async def race(
    asking: Rush, payment: str, starts: list[tuple[str, float]], body: object = None
) -> list[Answered]:
    """Each action after its head start in seconds."""

    async def one(action: str, seconds: float) -> Answered:
        await asyncio.sleep(seconds)
        return await asking.act(payment, action, body)

    return await together([one(*start) for start in starts])


def head_starts(randomness: random.Random, actions: tuple[str, ...]) -> list[tuple[str, float]]:
    return [(each, randomness.uniform(0, LARGEST_HEAD_START_SECONDS)) for each in actions]


def test_parallel_refunds_beyond_the_capture(shop: Shop, till: tuple[Merchant, str]) -> None:
    merchant, method = till
    randomness = seeded("refunds")

    async def one_round(asking: Rush) -> tuple[str, list[Answered]]:
        payment = await paid(asking, method, randomness, capture=True)
        actions = ("refunds",) * randomness.choice((2, 2, 3))
        starts = head_starts(randomness, actions)
        return payment, await race(asking, payment, starts, {"amount": REFUND})

    async def all_rounds(asking: Rush) -> list[tuple[str, list[Answered]]]:
        done = []
        for _ in range(REFUND_ROUNDS // ROUNDS_AT_ONCE):
            done += await together([one_round(asking) for _ in range(ROUNDS_AT_ONCE)])
        return done

    rounds = rush(merchant, all_rounds)
    assert len(rounds) == REFUND_ROUNDS
    for payment, answers in rounds:
        won = [answer for answer in answers if answer.status == 201]
        lost = {(answer.status, answer.code) for answer in answers if answer.status != 201}
        assert (len(won), lost) == (1, {(422, "refund_exceeds_capture")}), payment
    check_reserved(shop, [payment for payment, _ in rounds])


def check_reserved(shop: Shop, payments: list[str]) -> None:
    """The database has one refund of 6000 for each payment, and reserved as much."""
    identifiers = [from_text("pay", payment) for payment in payments]
    with shop.database() as connection:
        found = connection.execute(
            "SELECT p.amount_refunded, count(r.id), sum(r.amount) FROM payments p"
            " JOIN refunds r ON (r.payment_id, r.merchant_id) = (p.id, p.merchant_id)"
            " WHERE p.id = ANY(%s) GROUP BY p.id, p.amount_refunded",
            (identifiers,),
        ).fetchall()
    assert len(found) == len(payments)
    assert set(found) == {(REFUND, 1, REFUND)}


@pytest.mark.parametrize(
    "actions", [("capture", "capture"), ("capture", "cancel"), ("cancel", "cancel", "capture")]
)
def test_exactly_one_of_capture_and_cancel_wins(
    shop: Shop, till: tuple[Merchant, str], actions: tuple[str, ...]
) -> None:
    merchant, method = till
    randomness = seeded("-".join(actions))

    async def one_round(asking: Rush) -> tuple[str, list[Answered]]:
        payment = await paid(asking, method, randomness, capture=False)
        return payment, await race(asking, payment, head_starts(randomness, actions))

    async def all_rounds(asking: Rush) -> list[tuple[str, list[Answered]]]:
        done = []
        for _ in range(RACE_ROUNDS // ROUNDS_AT_ONCE + 1):
            done += await together([one_round(asking) for _ in range(ROUNDS_AT_ONCE)])
        return done

    for payment, answers in rush(merchant, all_rounds):
        check_one_winner(shop, merchant, payment, answers)


def check_one_winner(shop: Shop, merchant: Merchant, payment: str, answers: list[Answered]) -> None:
    """One success, the others 422; our state and the network's books say the same."""
    won = [answer for answer in answers if answer.status == 200]
    lost = {(answer.status, answer.code) for answer in answers if answer.status != 200}
    assert (len(won), lost) == (1, {(422, "payment_unexpected_state")}), answers
    status = merchant.payment(payment)["status"]
    assert status == won[0].body["status"]
    follow_up = {"captured": "capture", "cancelled": "reverse"}[status]
    assert shop.decisions(payment) == [("authorise", "approved"), (follow_up, "approved")]


MONEY_THAT_DOES_NOT_ADD_UP = [
    "amount_refunded = amount_captured + 1",
    "amount_refunded = amount_captured, amount_disputed = 1",
    "amount_captured = amount_authorized + 1",
    "amount_authorized = amount + 1",
    "amount_refunded = -1",
    "amount_disputed = -1",
    "amount = 49",
    "status = 'paid'",
]


@pytest.mark.parametrize("change", MONEY_THAT_DOES_NOT_ADD_UP)
def test_the_database_refuses_by_itself(
    shop: Shop, till: tuple[Merchant, str], change: str
) -> None:
    merchant, method = till
    identifier = from_text("pay", merchant.pay(method)["id"])
    statement = f"UPDATE payments SET {change} WHERE id = %s"
    with shop.database() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(statement.encode(), (identifier,))
