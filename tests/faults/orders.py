"""Orders of a busy shop that must come to their end, whatever breaks meanwhile.

An order is a sale, a capture or a cancellation of an authorisation.  Every step has a key of
its own; a step that got no certain answer is asked again with the same key, as a good client
does, until it is told.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID, uuid4

import aiohttp
import httpx

from tests.races.rush import Answered, Rush
from tests.shop import Merchant

Kind = Literal["sale", "capture", "cancel"]
KINDS: tuple[Kind, ...] = ("sale", "sale", "capture", "cancel")
ENDS: dict[Kind, str] = {"sale": "captured", "capture": "captured", "cancel": "cancelled"}
CLERKS = 12
PAUSE_SECONDS = 0.12
AGAIN_SECONDS = 0.2
# Recovery takes up what was left after 10 s and must be through 30 s after that.
PATIENCE_SECONDS = 90.0
AMOUNT = 10_000
FEWEST_ORDERS = 60


@dataclass
class Order:
    """One order: what was answered to its steps, and its payment once that is known."""

    kind: Kind
    method: str
    keys: dict[str, str] = field(default_factory=dict)
    answers: list[Answered] = field(default_factory=list)
    payment: str | None = None
    status: str = ""
    seconds: list[float] = field(default_factory=list)
    lost: int = 0

    def step(self) -> tuple[str, dict[str, Any] | None]:
        """The next request: path and body."""
        if self.payment is None:
            body = {"amount": AMOUNT, "currency": "usd", "payment_method_id": self.method}
            return "/v1/payments", {**body, "capture": self.kind == "sale"}
        return f"/v1/payments/{self.payment}/{self.kind}", None

    @property
    def done(self) -> bool:
        return self.status == ENDS[self.kind]

    def summary(self) -> str:
        """What a failure must tell."""
        told = [(answer.status, answer.code or answer.body["status"]) for answer in self.answers]
        return f"{self.kind} {self.payment} {self.status}: {told}, {self.lost} unanswered"

    def key(self, path: str) -> str:
        return self.keys.setdefault(path, str(uuid4()))


async def ask(asking: Rush, order: Order) -> Answered | None:
    """The next step once; None when no answer came."""
    path, body = order.step()
    began = time.monotonic()
    try:
        answered = await asking.post(path, body, order.key(path))
    except (aiohttp.ClientError, TimeoutError, ValueError):
        order.lost += 1
        return None
    order.seconds.append(time.monotonic() - began)
    order.answers.append(answered)
    if answered.status in (200, 201, 202):
        order.payment, order.status = answered.body["id"], answered.body["status"]
    return answered


async def clerk(asking: Rush, method: str, number: int, until: float, orders: list[Order]) -> None:
    """Takes order after order until the moment; an unanswered one is left for later."""
    while time.monotonic() < until or len(orders) < FEWEST_ORDERS:
        order = Order(KINDS[number % len(KINDS)], method)
        number += 1
        orders.append(order)
        while not order.done:
            answered = await ask(asking, order)
            if answered is None or answered.status not in (200, 201):
                break
        await asyncio.sleep(PAUSE_SECONDS)


async def busy(asking: Rush, method: str, seconds: float) -> list[Order]:
    """The orders of `seconds`, about 80 requests each second; on a slow machine of some more."""
    orders: list[Order] = []
    until = time.monotonic() + seconds
    clerks = [clerk(asking, method, number, until, orders) for number in range(CLERKS)]
    await asyncio.gather(*clerks)
    return orders


async def finish(asking: Rush, merchant: Merchant, order: Order) -> None:
    """Asks for what is open, each step with its own key, until the order is at its end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not order.done:
        if time.monotonic() > deadline:
            raise AssertionError(f"the order does not end: {order.summary()}")
        if order.payment is None or order.status == "authorized":
            await ask(asking, order)
        if order.payment is not None and not order.done:
            await asyncio.sleep(AGAIN_SECONDS)
            await asyncio.to_thread(look, merchant, order)
        elif not order.done:
            await asyncio.sleep(AGAIN_SECONDS)


def look(merchant: Merchant, order: Order) -> None:
    """What became of a payment whose outcome was not known; without an answer, look again."""
    assert order.payment is not None
    try:
        order.status = merchant.payment(order.payment)["status"]
    except httpx.TransportError:
        order.lost += 1


def identifier(text: str) -> UUID:
    """The id in the database of an id in an answer."""
    return UUID(hex=text.partition("_")[2])
