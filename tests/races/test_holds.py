"""Requests that race for the same hold: its row decides, and what is drawn fits to the cent."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, permutations
from typing import NamedTuple
from uuid import UUID

import pytest

from tests import books
from tests.races.rush import Answered, Rush, rush, seeded, together
from tests.serving import eventually
from tests.shop import Merchant, Shop
from tests.shop_holds import CEILING, Wallet, hold_uuid

DRAWS = 48
ROUNDS, ROUNDS_AT_ONCE = 8, 8
# What is set aside, and a payment that was drawn before the race.
HELD, FIRST = 10_000, 1_000
LARGEST_HEAD_START_SECONDS = 0.008
ENDED_WITHIN_SECONDS = 10.0
REFUSED = (422, "hold_unexpected_state")


BATCH = "/v1/payments/batch"


@dataclass(frozen=True)
class Hold:
    """What of a hold, and of the payment that was drawn first, their requests change."""

    status: str = "active"
    amount: int = HELD
    drawn: int = FIRST
    refunded: int = 0


class Made(NamedTuple):
    """A hold, and the payment that was drawn first."""

    hold: str
    payment: str


class Act(NamedTuple):
    """What is done to a hold, or to the payment; `expire` is what the hold's time does."""

    action: str
    amount: int = 0

    def __str__(self) -> str:
        return f"{self.action}-{self.amount}" if self.amount else self.action


Served = tuple[int, str]
DRAW, DRAW_ALL, ITEM = Act("draw", 6_000), Act("draw", HELD - FIRST), Act("item", 6_000)
TOP_UP, RELEASE, EXPIRE = Act("top_up", 5_000), Act("release"), Act("expire")
REFUND, CAPTURE, CANCEL = Act("refunds", 700), Act("capture"), Act("cancel")
OF_PAYMENT = (REFUND, CAPTURE, CANCEL)
# Two requests for a payment alone are raced in test_all_pairs.py.
PAIRS = [
    pair
    for pair in combinations_with_replacement(
        (DRAW, DRAW_ALL, ITEM, TOP_UP, RELEASE, EXPIRE, *OF_PAYMENT), 2
    )
    if pair != (EXPIRE, EXPIRE) and not set(pair) <= set(OF_PAYMENT)
]


@pytest.fixture(scope="module")
def wallet(shop: Shop) -> Wallet:
    return Wallet(shop.open_account())


def serve(hold: Hold, act: Act) -> tuple[Hold, Served]:
    """One act alone; time has no answer."""
    if act == EXPIRE:
        return (replace(hold, status="expired") if hold.status == "active" else hold), (0, "")
    if act == REFUND:
        # The payment is its merchant's, whatever becomes of the hold.
        return replace(hold, refunded=hold.refunded + act.amount), (201, "")
    if act in OF_PAYMENT:
        return hold, (422, "payment_unexpected_state")
    if hold.status != "active":
        return hold, REFUSED
    if act == RELEASE:
        return replace(hold, status="released"), (200, "")
    if act.action == "top_up":
        return replace(hold, amount=hold.amount + act.amount), (200, "")
    if act.amount > hold.amount - hold.drawn:
        return hold, (422, "hold_insufficient")
    drawn = hold.drawn + act.amount
    return replace(hold, drawn=drawn, status="used_up" if drawn == hold.amount else "active"), (
        201,
        "",
    )


def outcomes(acts: Sequence[Act]) -> set[tuple[Hold, tuple[Served, ...]]]:
    """Every end and all answers, in the order of `acts`, over all orders of being served."""
    found = set()
    for order in permutations(range(len(acts))):
        hold, served = Hold(), dict[int, Served]()
        for number in order:
            hold, served[number] = serve(hold, acts[number])
        found.add((hold, tuple(served[number] for number in range(len(acts)))))
    if acts == (TOP_UP, TOP_UP):
        # The second may find the first still on its way to the network.
        once = replace(Hold(), amount=HELD + TOP_UP.amount)
        found |= {(once, ((200, ""), REFUSED)), (once, (REFUSED, (200, "")))}
    return found


def test_draws_beyond_the_hold(shop: Shop, wallet: Wallet) -> None:
    randomness = seeded("draws")
    hold = wallet.hold()["id"]
    amounts = [randomness.randrange(50, 3_000) for _ in range(DRAWS)]
    assert sum(amounts) > CEILING

    async def all_at_once(asking: Rush) -> list[Answered]:
        return await together(
            [draw(asking, wallet, hold, amount, randomness) for amount in amounts]
        )

    answers = rush(wallet.merchant, all_at_once)
    won = [answer.body["amount"] for answer in answers if answer.status == 201]
    lost = {(answer.status, answer.code) for answer in answers if answer.status != 201}
    assert lost <= {(422, "hold_insufficient"), REFUSED}
    shown = wallet.shown(hold)
    assert sum(won) == shown["amount_drawn"] <= CEILING
    refused = [a for a, answer in zip(amounts, answers, strict=True) if answer.status != 201]
    # What was refused did not fit any more: less was left than the least of it.
    assert min(refused) > CEILING - sum(won)
    drawn = wallet.merchant.get("/v1/payments", hold_id=hold, limit=100)["data"]
    assert sorted(payment["amount"] for payment in drawn) == sorted(won)
    books.settle(shop)


def test_one_key_is_one_draw(wallet: Wallet) -> None:
    hold = wallet.hold()["id"]
    key = "0f8fad5b-d9cb-469f-a165-70867728950e"
    body = payment_of(wallet, hold, 1_000)

    async def all_at_once(asking: Rush) -> list[Answered]:
        return await together(
            [asking.post_until_told("/v1/payments", body, key) for _ in range(20)]
        )

    answers = rush(wallet.merchant, all_at_once)
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["id"] for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    assert wallet.shown(hold)["amount_drawn"] == 1_000


@pytest.mark.parametrize("acts", PAIRS, ids=lambda acts: f"{acts[0]} {acts[1]}")
def test_all_pairs(shop: Shop, wallet: Wallet, acts: tuple[Act, Act]) -> None:
    randomness = seeded(f"{acts[0]} {acts[1]}")
    allowed = outcomes(acts)

    async def one_round(asking: Rush) -> tuple[Made, tuple[Served, ...]]:
        held = await asking.post("/v1/holds", hold_of(wallet))
        assert held.status == 201, held
        hold = str(held.body["id"])
        drawn = await draw(asking, wallet, hold, FIRST, randomness)
        assert drawn.status == 201, drawn
        made = Made(hold, str(drawn.body["id"]))
        served = await together(
            [perform(shop, asking, wallet, made, act, randomness) for act in acts]
        )
        return made, tuple(served)

    async def all_rounds(asking: Rush) -> list[tuple[Made, tuple[Served, ...]]]:
        done = []
        for _ in range(ROUNDS // ROUNDS_AT_ONCE):
            done += await together([one_round(asking) for _ in range(ROUNDS_AT_ONCE)])
        return done

    for made, served in rush(wallet.merchant, all_rounds):
        if EXPIRE in acts:
            over = eventually(lambda: over_now(wallet, made.hold), ENDED_WITHIN_SECONDS)  # noqa: B023
            assert over, made
        shown = wallet.shown(made.hold)
        refunded = wallet.merchant.payment(made.payment)["amount_refunded"]
        end = Hold(shown["status"], shown["amount"], shown["amount_drawn"], refunded)
        assert (end, served) in allowed, (made, end, served, allowed)
    books.settle(shop)


def over_now(wallet: Wallet, hold: str) -> bool:
    return bool(wallet.shown(hold)["status"] != "active")


def hold_of(wallet: Wallet) -> dict[str, object]:
    return {
        "payment_method_id": wallet.method,
        "customer_id": wallet.customer,
        "amount": HELD,
        "currency": "usd",
        "expires_in_seconds": 3600,
    }


def payment_of(wallet: Wallet, hold: str, amount: int) -> dict[str, object]:
    named = {"payment_method_id": wallet.method, "hold_id": hold}
    return {**named, "amount": amount, "currency": "usd"}


async def draw(
    asking: Rush, wallet: Wallet, hold: str, amount: int, randomness: random.Random
) -> Answered:
    key = str(UUID(int=randomness.getrandbits(128)))
    return await asking.post("/v1/payments", payment_of(wallet, hold, amount), key)


async def draw_in_batch(
    asking: Rush, wallet: Wallet, hold: str, amount: int, randomness: random.Random
) -> Served:
    """What a batch answers for its one item."""
    key = str(UUID(int=randomness.getrandbits(128)))
    item = {**payment_of(wallet, hold, amount), "idempotency_key": key}
    whole = await asking.post(BATCH, {"payments": [item]})
    [result] = whole.body["data"]
    return result["status"], str(result.get("error", {}).get("code", ""))


async def perform(
    shop: Shop, asking: Rush, wallet: Wallet, made: Made, act: Act, randomness: random.Random
) -> Served:
    """One act after its head start; a hold's time is over when its row says so."""
    await asyncio.sleep(randomness.uniform(0, LARGEST_HEAD_START_SECONDS))
    if act == EXPIRE:
        with shop.database() as connection:
            connection.execute(
                "UPDATE holds SET end_at = now() WHERE id = %s AND end_at IS NOT NULL",
                (hold_uuid(made.hold),),
            )
        return 0, ""
    if act == ITEM:
        return await draw_in_batch(asking, wallet, made.hold, act.amount, randomness)
    body = {"amount": act.amount} if act.amount else None
    if act.action == "draw":
        answer = await draw(asking, wallet, made.hold, act.amount, randomness)
    elif act in OF_PAYMENT:
        answer = await asking.act(made.payment, act.action, body)
    else:
        answer = await asking.post(f"/v1/holds/{made.hold}/{act.action}", body)
    return answer.status, answer.code


def test_the_database_refuses_what_the_code_would_let_pass(shop: Shop, merchant: Merchant) -> None:
    wallet = Wallet(merchant)
    hold = wallet.hold()["id"]
    wallet.draw(hold, CEILING - 100)
    refused = (
        "amount_drawn = amount_drawn + 101",
        "amount_drawn = -1",
        "amount_authorized = 100",
        "amount = 100000000, amount_authorized = 100000000",
        "status = 'used_up', closed_at = now(), end_at = NULL",
        "status = 'released', closed_at = now()",
        "status = 'released', end_at = NULL",
        "status = 'failed', closed_at = now(), end_at = NULL",
    )
    with shop.owned_database() as connection:
        for change in refused:
            with pytest.raises(Exception, match="violates check constraint"):
                connection.execute(
                    f"UPDATE holds SET {change} WHERE id = %s".encode(), (hold_uuid(hold),)
                )
    assert wallet.shown(hold)["amount_remaining"] == 100
