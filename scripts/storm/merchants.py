"""The merchants of a storm, their saved cards, and the receiver of their events."""

import asyncio
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from aiohttp import web

from scripts.storm.diary import Diary
from scripts.storm.doors import Doors

MERCHANTS: Final = 3
EXPIRES_IN_YEARS: Final = 3
# Traffic is not what the limits are for: a 429 here would be for an outage of our own.
NEGOTIATED: Final = 1000
# How often a card is used, by its number (docs: sandbox cards).
CARDS: Final = {
    "4242424242424242": 40,
    "5555555555554444": 16,
    "378282246310005": 10,
    # saves, then declines
    "4000000000000341": 4,
    # succeeds, then a dispute
    "4000000000000259": 2,
    # the refund is slow, the refund fails
    "4000000000007726": 6,
    "4000000000005126": 4,
    # the network: never decides, approves and is silent, approves and resets
    "4000009900000012": 1,
    "4000009900000020": 2,
    "4000009900000038": 2,
    # answers after 2.9 s, after 3.1 s, twice
    "4000009900000046": 1,
    "4000009900000053": 1,
    "4000009900000061": 2,
    # another amount, nonsense, a system error, every other call
    "4000009900000079": 1,
    "4000009900000087": 1,
    "4000009900000095": 1,
    "4000009900000103": 2,
}


@dataclass(slots=True)
class Merchant:
    """One merchant: its keys, its customer's cards, its latest payments and their states.

    `holds` are its latest holds: of which card and currency.
    """

    id: str
    secret_key: str
    publishable_key: str
    customer: str = ""
    cards: dict[str, str] = field(default_factory=dict)
    payments: dict[str, str] = field(default_factory=dict)
    holds: dict[str, tuple[str, str]] = field(default_factory=dict)


def card(number: str) -> dict[str, Any]:
    """The body of POST /v1/tokens."""
    cvc = "1234" if number.startswith("3") else "123"
    year = date.today().year + EXPIRES_IN_YEARS
    details = {"number": number, "exp_month": 12, "exp_year": year, "cvc": cvc}
    return {"type": "card", "card": details}


async def open_merchants(doors: Doors, platform_key: str, hook: str) -> list[Merchant]:
    """Merchants with a card of every kind and an endpoint for all events."""
    opening = [_open(doors, platform_key, hook) for _ in range(MERCHANTS)]
    return list(await asyncio.gather(*opening))


async def _open(doors: Doors, platform_key: str, hook: str) -> Merchant:
    account = {"email": "owner@storm.example", "business_name": "Storm", "country": "US"}
    opened = await doors.until_done("POST", "/v1/sandbox_accounts", "", account)
    merchant = Merchant(opened["merchant"]["id"], opened["secret_key"], opened["publishable_key"])
    limits = {"rate_limit_multiplier": NEGOTIATED}
    await doors.until_done("PATCH", f"/v1/merchants/{merchant.id}", platform_key, limits)
    secret = merchant.secret_key
    await doors.until_done("POST", "/v1/webhook_endpoints", secret, {"url": hook})
    customer = await doors.until_done("POST", "/v1/customers", secret, {"name": "Ada"})
    merchant.customer = customer["id"]
    path = f"/v1/customers/{merchant.customer}/payment_methods"
    for number in CARDS:
        token = await doors.until_done("POST", "/v1/tokens", merchant.publishable_key, card(number))
        body = {"type": "card", "token": token["id"]}
        merchant.cards[number] = (await doors.until_done("POST", path, secret, body))["id"]
    return merchant


async def receive(diary: Diary) -> tuple[web.AppRunner, str]:
    """A receiver on loopback that writes down which events came; its address."""

    async def take(request: web.Request) -> web.Response:
        diary.delivered.add((await request.json())["id"])
        return web.Response()

    application = web.Application()
    application.router.add_post("/hook", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    return runner, f"http://127.0.0.1:{port}/hook"
