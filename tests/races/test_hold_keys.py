"""One key for two requests at once, of which one is about a hold: one is done, and no other.

Pairs without a hold are raced in test_all_pairs.py.
"""

import random
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import pytest

from tests.books import settle
from tests.races.rush import Answered, Rush, rush, seeded, together
from tests.races.test_all_pairs import (
    BATCH,
    KEYED,
    ask_under,
    done_once,
    key,
    later,
    made_under,
    named,
    purchase,
)
from tests.races.test_holds import hold_of, payment_of
from tests.shop import Shop
from tests.shop_holds import Wallet

ROUNDS = 4
DRAWN, ADDED = 6_000, 5_000
# What may be asked under a key, with the path and the body that it makes of a hold.
OF_HOLD: dict[str, Callable[[str, Wallet], tuple[str, Any]]] = {
    "hold": lambda _, wallet: ("/v1/holds", hold_of(wallet)),
    "draw": lambda hold, wallet: ("/v1/payments", payment_of(wallet, hold, DRAWN)),
    "drawing item": lambda hold, wallet: (BATCH, payment_of(wallet, hold, DRAWN)),
    "top_up": lambda hold, _: (f"/v1/holds/{hold}/top_up", {"amount": ADDED}),
    "release": lambda hold, _: (f"/v1/holds/{hold}/release", None),
}
PAIRS = [
    pair
    for pair in combinations_with_replacement((*OF_HOLD, *KEYED), 2)
    if not set(pair) <= set(KEYED)
]


class Round(NamedTuple):
    """A hold, a payment, the key, and what its two requests were answered."""

    hold: dict[str, Any]
    payment: str
    name: str
    answers: list[Answered]


@pytest.fixture(scope="module")
def wallet(shop: Shop) -> Iterator[Wallet]:
    """After all the races the books and the networks' agree."""
    yield Wallet(shop.open_account())
    settle(shop)


async def one_round(
    asking: Rush, wallet: Wallet, names: tuple[str, str], chance: random.Random
) -> Round:
    held = await asking.post("/v1/holds", hold_of(wallet))
    # A refund is of what was captured, the rest of what is held.
    body = purchase(wallet.method, capture="refund" in names)
    paid = await asking.post("/v1/payments", body, key(chance))
    assert (held.status, paid.status) == (201, 201), (held, paid)
    hold, payment, name = str(held.body["id"]), str(paid.body["id"]), key(chance)

    async def one(kind: str) -> Answered:
        await later(chance)
        asked = (
            OF_HOLD[kind](hold, wallet) if kind in OF_HOLD else KEYED[kind](payment, wallet.method)
        )
        return await ask_under(asking, name, *asked)

    return Round(held.body, payment, name, await together([one(kind) for kind in names]))


@pytest.mark.parametrize("names", PAIRS, ids=named)
def test_a_pair_under_one_key_is_one_request(
    shop: Shop, wallet: Wallet, names: tuple[str, str]
) -> None:
    chance = seeded(f"hold-key-{named(names)}")

    async def all_rounds(asking: Rush) -> list[Round]:
        return await together([one_round(asking, wallet, names, chance) for _ in range(ROUNDS)])

    for each in rush(wallet.merchant, all_rounds):
        check(shop, wallet, each, done_once(names, each.answers))


def check(shop: Shop, wallet: Wallet, each: Round, done: str) -> None:
    """Of all that could have been done there is what was answered, and nothing else."""
    hold, payment = wallet.shown(each.hold["id"]), wallet.merchant.payment(each.payment)
    drawn = done in ("draw", "drawing item")
    assert hold["amount_drawn"] == DRAWN * drawn, each
    assert hold["amount"] == each.hold["amount"] + ADDED * (done == "top_up"), each
    assert (hold["status"] == "released") == (done == "release"), each
    assert (payment["amount_refunded"] == DRAWN) == (done == "refund"), each
    assert (payment["status"] == "cancelled") == (done == "cancel"), each
    made = made_under(wallet.merchant, each.name)
    assert len(made) == int(drawn or done in ("pay", "item")), each
    assert holds_under(shop, each.name) == int(done == "hold"), each


def holds_under(shop: Shop, name: str) -> int:
    with shop.database() as connection:
        counted = connection.execute(
            b"SELECT count(*)::int FROM holds WHERE idempotency_key = %s", (name,)
        ).fetchone()
    assert counted is not None
    return int(counted[0])
