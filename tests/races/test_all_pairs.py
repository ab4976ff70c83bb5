"""All pairs of what may be asked of a payment, raced in seeded rounds from each of its states.

Whoever comes first, the two answers and the end are those of one order or of the other, the
network's journal says the same, and the books agree.
"""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from itertools import combinations_with_replacement
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from tests.books import agree
from tests.faults.evidence import Evidence
from tests.races.rush import Answered, Rush, rush, seeded, together
from tests.races.sequences import ACTS, AUTHORISED, Act, Payment, Served, outcomes
from tests.races.test_one_key import saved_card
from tests.serving import eventually
from tests.shop import Merchant, Shop

ROUNDS = 6
LARGEST_HEAD_START_SECONDS = 0.006
# A network that answers after 2.9 s: its payments are pending for so long.
SLOW = "4000009900000046"
PENDING_WITHIN_SECONDS = 2.5
BATCH = "/v1/payments/batch"
PAIRS = list(combinations_with_replacement(ACTS, 2))


def named(value: object) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


def key(chance: random.Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


@pytest.fixture(scope="module")
def till(shop: Shop) -> tuple[Merchant, str]:
    """A merchant and a saved card."""
    merchant = shop.open_account()
    return merchant, saved_card(merchant)


@pytest.fixture(scope="module", autouse=True)
def books_agree(shop: Shop, till: tuple[Merchant, str]) -> Any:
    """After all the races the merchant's books, the networks' and the totals agree."""
    yield
    evidence = Evidence(shop, till[0])
    evidence.nothing_stays_unfinished()
    evidence.counters_are_exact()
    evidence.every_transition_has_its_event()
    agree(shop)


class Race(NamedTuple):
    """One round: the payment and what its two requests were answered."""

    payment: str
    answers: list[Answered]

    @property
    def served(self) -> tuple[Served, ...]:
        return tuple(Served(each.status, each.code) for each in self.answers)


def purchase(method: str, *, capture: bool) -> dict[str, Any]:
    return {
        "amount": AUTHORISED,
        "currency": "usd",
        "payment_method_id": method,
        "capture": capture,
    }


async def later(chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0, LARGEST_HEAD_START_SECONDS))


def raced(merchant: Merchant, one_round: Callable[[Rush], Any], rounds: int = ROUNDS) -> list[Any]:
    async def all_rounds(asking: Rush) -> list[Any]:
        return await together([one_round(asking) for _ in range(rounds)])

    return rush(merchant, all_rounds)


@pytest.mark.parametrize("acts", PAIRS, ids=named)
@pytest.mark.parametrize("state", ["authorized", "captured"])
def test_a_pair_ends_as_one_after_the_other(
    shop: Shop, till: tuple[Merchant, str], state: str, acts: tuple[Act, Act]
) -> None:
    merchant, method = till
    chance = seeded(f"{state}-{named(acts)}")
    held = state == "authorized"
    begun = Payment(state) if held else Payment(state, AUTHORISED)

    async def one_round(asking: Rush) -> Race:
        body = purchase(method, capture=not held)
        paid = await asking.post("/v1/payments", body, key(chance))
        assert paid.status == 201, paid

        async def one(act: Act) -> Answered:
            await later(chance)
            return await asking.act(paid.body["id"], act.action, act.body)

        return Race(paid.body["id"], await together([one(act) for act in acts]))

    allowed = outcomes(begun, acts)
    for race in raced(merchant, one_round):
        assert (stored(merchant, race.payment), race.served) in allowed, race
        check_journal(shop, merchant, race.payment, held)


def stored(merchant: Merchant, payment: str) -> Payment:
    """The end of a race; a full refund that was settled meanwhile is still a capture here."""
    shown = merchant.payment(payment)
    status = "captured" if shown["status"] == "refunded" else shown["status"]
    return Payment(status, shown["amount_captured"], shown["amount_refunded"])


def check_journal(shop: Shop, merchant: Merchant, payment: str, held: bool) -> None:
    """The network did once what our state says, and nothing else."""
    did = [kind for kind, decision in shop.decisions(payment) if decision == "approved"]
    status = merchant.payment(payment)["status"]
    follow_up = {"captured": ["capture"], "refunded": ["capture"], "cancelled": ["reverse"]}
    expected = ["authorise", *follow_up.get(status, [])] if held else ["sale"]
    assert [kind for kind in did if kind != "refund"] == expected, did


def begun_under(merchant: Merchant, name: str) -> list[str]:
    """The payment that this key has begun."""
    page = merchant.get("/v1/payments", limit=100)["data"]
    return [each["id"] for each in page if each["idempotency_key"] == name]


PENDING_PAIRS = [pair for pair in PAIRS if "cancel" in {act.action for act in pair}]


def test_pairs_with_a_cancellation_while_the_network_is_asked(
    shop: Shop, till: tuple[Merchant, str]
) -> None:
    merchant, _ = till
    chance = seeded("pending")
    slow = merchant.save_card(merchant.customer()["id"], SLOW).json()["id"]

    async def one_round(asking: Rush, acts: tuple[Act, Act]) -> Race:
        name = key(chance)
        paying = asyncio.create_task(
            asking.post("/v1/payments", purchase(slow, capture=False), name)
        )
        found = await asyncio.to_thread(
            eventually, partial(begun_under, merchant, name), PENDING_WITHIN_SECONDS
        )
        [payment] = found

        async def one(act: Act) -> Answered:
            await later(chance)
            return await asking.act(payment, act.action, act.body)

        answers = await together([one(act) for act in acts])
        await paying
        return Race(payment, answers)

    async def all_rounds(asking: Rush) -> list[Race]:
        return await together([one_round(asking, acts) for acts in PENDING_PAIRS])

    for acts, race in zip(PENDING_PAIRS, rush(merchant, all_rounds), strict=True):
        allowed = outcomes(Payment("pending"), acts)
        assert (stored(merchant, race.payment), race.served) in allowed, (acts, race)


# What may be asked under a key, with the path and the body that it makes of a payment.
KEYED: dict[str, Callable[[str, str], tuple[str, Any]]] = {
    "pay": lambda _, method: ("/v1/payments", purchase(method, capture=True)),
    "item": lambda _, method: (BATCH, purchase(method, capture=True)),
    "capture": lambda payment, _: (f"/v1/payments/{payment}/capture", None),
    "cancel": lambda payment, _: (f"/v1/payments/{payment}/cancel", None),
    "refund": lambda payment, _: (f"/v1/payments/{payment}/refunds", {"amount": 6_000}),
}
KEYED_PAIRS = list(combinations_with_replacement(KEYED, 2))


async def ask_under(asking: Rush, name: str, path: str, body: Any) -> Answered:
    """Until the key is no longer in use; an item's result as if it had been asked alone."""
    if path != BATCH:
        return await asking.post_until_told(path, body, name)
    while True:
        whole = await asking.post(path, {"payments": [{**body, "idempotency_key": name}]})
        [result] = whole.body["data"]
        content = {"error": result["error"]} if "error" in result else result["payment"]
        answered = Answered(result["status"], content, False, b"")
        if answered.code != "idempotency_key_in_use":
            return answered


@pytest.mark.parametrize("names", KEYED_PAIRS, ids=named)
@pytest.mark.parametrize("state", ["authorized", "captured"])
def test_a_pair_under_one_key_is_one_request(
    shop: Shop, till: tuple[Merchant, str], state: str, names: tuple[str, str]
) -> None:
    merchant, method = till
    chance = seeded(f"key-{state}-{named(names)}")

    async def one_round(asking: Rush) -> tuple[str, str, list[Answered]]:
        body = purchase(method, capture=state == "captured")
        paid = await asking.post("/v1/payments", body, key(chance))
        payment, name = str(paid.body["id"]), key(chance)

        async def one(kind: str) -> Answered:
            await later(chance)
            return await ask_under(asking, name, *KEYED[kind](payment, method))

        return payment, name, await together([one(kind) for kind in names])

    for payment, name, answers in raced(merchant, one_round):
        check_one_request(merchant, payment, name, names, answers)
        check_journal(shop, merchant, payment, state == "authorized")


def check_one_request(
    merchant: Merchant, payment: str, name: str, names: tuple[str, str], answers: list[Answered]
) -> None:
    """What was done to the payment, and made under the key, is what one of the two says."""
    done = done_once(names, answers)
    shown = merchant.payment(payment)
    assert (shown["amount_refunded"] == 6_000) == (done == "refund"), answers
    assert (shown["status"] == "cancelled") == (done == "cancel"), answers
    assert len(made_under(merchant, name)) == int(done in ("pay", "item")), answers


def done_once(names: tuple[str, str], answers: list[Answered]) -> str:
    """Equal requests are answered alike; of two that differ the second is refused.

    The name of the one that was done, empty where the first was refused, too.
    """
    reused = [answer for answer in answers if answer.code == "idempotency_key_reused"]
    if names[0] == names[1]:
        assert not reused
        assert answers[0].status == answers[1].status
        assert answers[0].body.get("id") == answers[1].body.get("id")
    else:
        assert len(reused) == 1, answers
    [asked, *_] = [
        (kind, answer) for kind, answer in zip(names, answers, strict=True) if answer not in reused
    ]
    return asked[0] if asked[1].status in (200, 201) else ""


def made_under(merchant: Merchant, name: str) -> list[dict[str, Any]]:
    """The payments of the last rounds that carry this key."""
    payments = merchant.get("/v1/payments", limit=40)["data"]
    return [each for each in payments if each["idempotency_key"] == name]
