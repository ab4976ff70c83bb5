"""A rush of purchases: many buyers at a steady pace, each of whom insists until answered.

Every purchase has a key of its own and is repeated under it, as a careful client does, when
the connection breaks, when the answer is 503, and when its key is still in use.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from tests.shop import Merchant, bearer

PURCHASES_PER_SECOND = 60
RUSH_SECONDS = 3.0
FAULT_AFTER_SECONDS = 1.0
INSIST_SECONDS = 60.0
MIDDLE_SECONDS = 0.03  # the network takes longer than that to answer
PAUSE_SECONDS = 0.2
REQUEST_SECONDS = 8.0
# Every purchase has an amount of its own, so that a mixed-up approval shows.
FIRST_AMOUNT = 1000
CAPTURED_OF = 3  # two of three are sales, the third is held only


@dataclass
class Purchase:
    """One intention to pay, and every answer that it got: (status, body)."""

    number: int
    key: str = field(default_factory=lambda: str(uuid4()))
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def amount(self) -> int:
        return FIRST_AMOUNT + self.number

    @property
    def capture(self) -> bool:
        return self.number % CAPTURED_OF != 0

    @property
    def final(self) -> tuple[int, dict[str, Any]]:
        assert self.answers, f"purchase {self.number} was never answered: {self.broken}"
        return self.answers[-1]

    def body(self, instrument: str) -> dict[str, Any]:
        """What is asked for, the same at every repetition."""
        return {
            "amount": self.amount,
            "currency": "usd",
            "payment_method_id": instrument,
            "capture": self.capture,
        }


def may_be_repeated(status: int, body: dict[str, Any]) -> bool:
    """The two answers after which a client tries again under the same key."""
    code = body.get("error", {}).get("code")
    return status == 503 or (status, code) == (409, "idempotency_key_in_use")


class Buyers:
    """The buyers of one merchant; `instrument` is a saved card that all of them pay with."""

    def __init__(self, base_url: str, merchant: Merchant, instrument: str, *more: str) -> None:
        # Where no answer comes from one door, the next one is asked.
        self._doors = (base_url, *more)
        self._headers = bearer(merchant.secret_key)
        self._instrument = instrument
        self.purchases: list[Purchase] = []

    def run(self, fault: Callable[[], object], seconds: float = RUSH_SECONDS) -> list[Purchase]:
        """Buys for so long, lets `fault` happen after FAULT_AFTER_SECONDS, and waits for it."""
        asyncio.run(self._run(fault, seconds))
        return self.purchases

    def repeat(self, times: int, fault: Callable[[], object]) -> Purchase:
        """One purchase, asked for `times` times side by side; `fault` happens in the middle."""
        purchase = Purchase(1)
        self.purchases.append(purchase)
        asyncio.run(self._repeat(purchase, times, fault))
        return purchase

    def _session(self) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        return aiohttp.ClientSession(timeout=timeout, connector=connector)

    async def _run(self, fault: Callable[[], object], seconds: float) -> None:
        async def later() -> None:
            await asyncio.sleep(FAULT_AFTER_SECONDS)
            await asyncio.to_thread(fault)

        async with self._session() as session:
            await asyncio.gather(later(), self._buy_steadily(session, seconds))

    async def _repeat(self, purchase: Purchase, times: int, fault: Callable[[], object]) -> None:
        async with self._session() as session:
            early = [self._insist(session, purchase) for _ in range(times // 2)]
            running = asyncio.gather(*early)
            await asyncio.sleep(MIDDLE_SECONDS)
            fault()
            late = [self._insist(session, purchase) for _ in range(times - times // 2)]
            await asyncio.gather(running, *late)

    async def _buy_steadily(self, session: aiohttp.ClientSession, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        buyers: list[asyncio.Task[None]] = []
        for number in range(int(seconds * PURCHASES_PER_SECOND)):
            await asyncio.sleep(began + number / PURCHASES_PER_SECOND - loop.time())
            purchase = Purchase(number)
            self.purchases.append(purchase)
            buyers.append(asyncio.create_task(self._insist(session, purchase)))
        await asyncio.gather(*buyers)

    async def _insist(self, session: aiohttp.ClientSession, purchase: Purchase) -> None:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + INSIST_SECONDS
        while loop.time() < give_up_at:
            try:
                status, body = await self._ask(session, purchase)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                purchase.broken.append(repr(error))
            else:
                if not may_be_repeated(status, body):
                    purchase.answers.append((status, body))
                    return
                purchase.broken.append(f"{status} {body['error']['code']}")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _ask(
        self, session: aiohttp.ClientSession, purchase: Purchase
    ) -> tuple[int, dict[str, Any]]:
        headers = {**self._headers, "Idempotency-Key": purchase.key}
        body = purchase.body(self._instrument)
        door = self._doors[len(purchase.broken) % len(self._doors)]
        async with session.post(f"{door}/v1/payments", json=body, headers=headers) as answer:
            return answer.status, await answer.json()
