"""The traffic: customers of the same merchants who want different things of the same payments."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from scripts.storm.diary import OF_HOLDS, RANK, Diary, Intention, Kind
from scripts.storm.doors import BATCH, Doors, item
from scripts.storm.merchants import CARDS, Merchant, card

LONGEST_THOUGHT_SECONDS: Final = 0.15
# Intentions go for these payments of a merchant: few enough that customers meet.
REMEMBERED: Final = 40
REMEMBERED_HOLDS: Final = 6
HOLD_SECONDS: Final = 3600
SMALLEST_AMOUNT: Final = 50
LARGEST_AMOUNT: Final = 20_000
CURRENCIES: Final = ("usd", "eur")
LARGEST_BATCH: Final = 12
AT_ONCE: Final = (2, 3, 4)
# One in so many gives up where no answer came and never asks again, or asks with a token.
IMPATIENCE: Final = 5
TOKENS: Final = 6


class Customer:
    """One of many who ask side by side; what it wants depends on the seed alone."""

    def __init__(
        self, seed: int, number: int, doors: Doors, diary: Diary, merchants: list[Merchant]
    ) -> None:
        self._chance = random.Random(f"customer:{seed}:{number}")  # nosec B311  # to be repeated
        self._doors = doors
        self._diary = diary
        self._merchants = merchants
        self._told: list[Intention] = []
        self._wants: tuple[tuple[int, Callable[[Merchant], Awaitable[None]]], ...] = (
            (30, self._pay),
            (14, self._capture),
            (7, self._cancel),
            (16, self._refund),
            (3, self._batch),
            (8, self._repeat),
            (4, self._reuse_key),
            (6, self._pay_at_once),
            (6, self._rush),
            (10, self._look),
            (5, self._hold),
            (14, self._draw),
            (3, self._draw_at_once),
            (2, self._top_up),
            (2, self._release),
        )

    async def run(self, until: float) -> None:
        """One wish after the other until the loop's clock shows `until`."""
        loop = asyncio.get_running_loop()
        weights = [weight for weight, _ in self._wants]
        while loop.time() < until:
            [(_, want)] = self._chance.choices(self._wants, weights)
            await want(self._chance.choice(self._merchants))
            await asyncio.sleep(self._chance.uniform(0, LONGEST_THOUGHT_SECONDS))

    def _key(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def _intend(
        self, kind: Kind, merchant: Merchant, path: str, body: Any, payment: str = ""
    ) -> Intention:
        self._diary.operations += 1
        intention = Intention(
            kind, merchant.id, merchant.secret_key, self._key(), path, body, payment
        )
        return self._diary.begin(intention)

    def _purchase(self, instrument: str) -> dict[str, Any]:
        return {
            "amount": self._chance.randint(SMALLEST_AMOUNT, LARGEST_AMOUNT),
            "currency": self._chance.choice(CURRENCIES),
            "payment_method_id": instrument,
            "capture": self._chance.random() < 0.5,
        }

    def _card(self) -> str:
        [number] = self._chance.choices(list(CARDS), list(CARDS.values()))
        return str(number)

    async def _finish(self, merchant: Merchant, intention: Intention) -> None:
        """Insist as most do, or walk away after the first failure as some do."""
        impatient = self._chance.randrange(IMPATIENCE) == 0
        if impatient:
            await self._doors.attempt(intention)
        else:
            await self._doors.insist(intention)
        self._remember(merchant, intention)

    def _remember(self, merchant: Merchant, intention: Intention) -> None:
        if intention.success is None:
            return
        self._told.append(intention)
        if intention.kind == "hold":
            asked = intention.body or {}
            merchant.holds[intention.success.id] = (asked["payment_method_id"], asked["currency"])
            while len(merchant.holds) > REMEMBERED_HOLDS:
                del merchant.holds[next(iter(merchant.holds))]
        if intention.kind == "refund" or intention.kind in OF_HOLDS:
            return
        merchant.payments[intention.success.id] = intention.success.state
        while len(merchant.payments) > REMEMBERED:
            del merchant.payments[next(iter(merchant.payments))]

    async def _pay(self, merchant: Merchant) -> None:
        number = self._card()
        instrument = merchant.cards[number]
        if self._chance.randrange(TOKENS) == 0:
            door = ("POST", "/v1/tokens", merchant.publishable_key)
            answer = await self._doors.ask(*door, card(number))
            if answer is None or answer.status != 201:
                return
            instrument = answer.body["id"]
        body = self._purchase(instrument)
        await self._finish(merchant, self._intend("pay", merchant, "/v1/payments", body))

    async def _pay_at_once(self, merchant: Merchant) -> None:
        """The same request several times side by side, as a double click or two queues."""
        body = self._purchase(merchant.cards[self._card()])
        intention = self._intend("pay", merchant, "/v1/payments", body)
        times = self._chance.choice(AT_ONCE)
        await asyncio.gather(*(self._doors.attempt(intention) for _ in range(times)))
        await self._finish(merchant, intention)

    def _some_payment(self, merchant: Merchant, *states: str) -> str | None:
        fitting = [each for each, state in merchant.payments.items() if state in states]
        return self._chance.choice(fitting) if fitting else None

    def _intend_on(self, kind: Kind, merchant: Merchant, payment: str) -> Intention:
        """A capture, cancellation or refund; of an amount that may be too much."""
        action = {"refund": "refunds"}.get(kind, kind)
        body = None
        if kind != "cancel" and self._chance.random() < 0.7:
            body = {"amount": self._chance.randint(SMALLEST_AMOUNT, LARGEST_AMOUNT // 2)}
        return self._intend(kind, merchant, f"/v1/payments/{payment}/{action}", body, payment)

    async def _act(self, kind: Kind, merchant: Merchant, *states: str) -> None:
        payment = self._some_payment(merchant, *states)
        if payment is not None:
            await self._finish(merchant, self._intend_on(kind, merchant, payment))

    async def _capture(self, merchant: Merchant) -> None:
        await self._act("capture", merchant, "authorized", "pending")

    async def _cancel(self, merchant: Merchant) -> None:
        await self._act("cancel", merchant, "authorized", "pending")

    async def _refund(self, merchant: Merchant) -> None:
        await self._act("refund", merchant, "captured")

    async def _rush(self, merchant: Merchant) -> None:
        """Several intentions at the same moment for one payment."""
        payment = self._some_payment(merchant, "authorized", "captured")
        if payment is None:
            return
        held = merchant.payments[payment] == "authorized"
        kinds: tuple[Kind, ...] = ("capture", "cancel") if held else ("refund",)
        intentions = [
            self._intend_on(self._chance.choice(kinds), merchant, payment)
            for _ in range(self._chance.choice(AT_ONCE))
        ]
        await asyncio.gather(*(self._finish(merchant, each) for each in intentions))

    async def _batch(self, merchant: Merchant) -> None:
        """Several payments in one request, which is sent again while any of them is open."""
        size = self._chance.randint(2, LARGEST_BATCH)
        items = [
            self._intend("pay", merchant, BATCH, self._purchase(merchant.cards[self._card()]))
            for _ in range(size)
        ]
        body = {"payments": [item(each) for each in items]}
        answer = await self._doors.ask("POST", BATCH, merchant.secret_key, body)
        self._doors.heard_batch(items, answer)
        still_open = [each for each in items if not each.certain]
        await asyncio.gather(*(self._finish(merchant, each) for each in still_open))

    async def _hold(self, merchant: Merchant) -> None:
        body = {
            "payment_method_id": merchant.cards[self._card()],
            "customer_id": merchant.customer,
            "amount": LARGEST_AMOUNT,
            "currency": self._chance.choice(CURRENCIES),
            "expires_in_seconds": HOLD_SECONDS,
        }
        await self._finish(merchant, self._intend("hold", merchant, "/v1/holds", body))

    def _intend_draw(self, merchant: Merchant, hold: str) -> Intention:
        """A sale of money that a hold has set aside, if it has still enough of it."""
        card_id, currency = merchant.holds[hold]
        body = {
            **self._purchase(card_id),
            "amount": self._chance.randint(SMALLEST_AMOUNT, LARGEST_AMOUNT // 2),
            "currency": currency,
            "capture": True,
            "hold_id": hold,
        }
        return self._intend("pay", merchant, "/v1/payments", body)

    async def _draw(self, merchant: Merchant) -> None:
        if merchant.holds:
            hold = self._chance.choice(list(merchant.holds))
            await self._finish(merchant, self._intend_draw(merchant, hold))

    async def _draw_at_once(self, merchant: Merchant) -> None:
        """Several draws of one hold, which has not enough for all of them."""
        if merchant.holds:
            hold = self._chance.choice(list(merchant.holds))
            times = self._chance.choice(AT_ONCE)
            intentions = [self._intend_draw(merchant, hold) for _ in range(times)]
            await asyncio.gather(*(self._finish(merchant, each) for each in intentions))

    async def _on_hold(self, kind: Kind, merchant: Merchant, body: Any) -> None:
        if merchant.holds:
            hold = self._chance.choice(list(merchant.holds))
            path = f"/v1/holds/{hold}/{kind}"
            await self._finish(merchant, self._intend(kind, merchant, path, body, hold))

    async def _top_up(self, merchant: Merchant) -> None:
        body = {"amount": self._chance.randint(SMALLEST_AMOUNT, LARGEST_AMOUNT)}
        await self._on_hold("top_up", merchant, body)

    async def _release(self, merchant: Merchant) -> None:
        await self._on_hold("release", merchant, None)

    async def _repeat(self, merchant: Merchant) -> None:
        """The same key and body again, long after: the same thing is meant."""
        if self._told:
            await self._doors.attempt(self._chance.choice(self._told))

    async def _reuse_key(self, merchant: Merchant) -> None:
        """Another request under a used key, of a batch's item too: refused, nothing is done."""
        paid = [each for each in self._told[-REMEMBERED:] if each.kind == "pay"]
        if not paid:
            return
        intention = self._chance.choice(paid)
        body = {**(intention.body or {}), "amount": LARGEST_AMOUNT + 1}
        door = ("POST", "/v1/payments", intention.secret_key)
        answer = await self._doors.ask(*door, body, intention.key)
        if answer is not None and not answer.undecided and answer.code != "idempotency_key_reused":
            self._diary.wrong.append(
                f"{intention} with another body: {answer.status} {answer.body}"
            )

    async def _look(self, merchant: Merchant) -> None:
        """A payment reads as it was answered, or later."""
        if not merchant.payments:
            return
        payment = self._chance.choice(list(merchant.payments))
        known = merchant.payments[payment]
        answer = await self._doors.ask("GET", f"/v1/payments/{payment}", merchant.secret_key)
        if answer is None or answer.status == 503:
            return
        if answer.status != 200 or RANK[answer.body["status"]] < RANK[known]:
            self._diary.wrong.append(f"{payment} was {known}, reads {answer.status} {answer.body}")
        elif payment in merchant.payments:
            merchant.payments[payment] = answer.body["status"]
