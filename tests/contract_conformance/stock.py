"""Accounts with one of everything, so that generated requests find something.

One account would not do: a frozen clock moves the business time of all that a merchant does, a
revoked key or a changed merchant ends the run of everything else, and live keys are given to an
approved merchant only.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.journeys.accounts import approve, new_key, operate
from tests.oauth.partner import Partner, register
from tests.people import invite, sign_in
from tests.serving import eventually
from tests.shop import Merchant, Shop, told

# Captures, cancellations, detachments and saved tokens use things up; so there are several.
OF_EACH = 12
ENDPOINTS = 8  # of 16 at most
DISPUTES = 40
SESSIONS = 12
TOKENS = 500
HELD_PAYMENTS = 40
HOLDS = 40
LARGEST_AMOUNT = 99_999_999
PAYOUT_SECONDS = 20.0
# Requests wait for commits and not for each other; few enough for a sandbox's rate.
MADE_AT_ONCE = 4


@dataclass(frozen=True)
class Accounts:
    """Who asks: `trading` takes payments, `settings` changes itself and its keys, `clocks` moves
    its business time, `approved` may take its live keys, `paid` was paid out."""

    trading: Merchant
    settings: Merchant
    clocks: Merchant
    approved: Merchant
    paid: Merchant

    @classmethod
    def open(cls, shop: Shop) -> "Accounts":
        opened = cls(*(shop.open_account() for _ in range(5)))
        approve(shop, opened.approved)
        return opened


def lay_in(shop: Shop, accounts: Accounts) -> dict[str, list[str]]:
    """Ids by the name of their dictionary in schemathesis.toml."""
    traded = trade(accounts.trading) | reconcile(accounts.paid)
    return traded | people(shop, accounts.trading) | settle(shop, accounts)


def people(shop: Shop, merchant: Merchant) -> dict[str, list[str]]:
    """The first user is there to be used, the others to be deleted; sessions are ended."""
    person = sign_in(shop, merchant)
    for _ in range(SESSIONS):
        assert person.second().sign_in().status_code == 303
    sessions = merchant.get(f"/v1/users/{person.user}/sessions")["data"]
    partner = Partner(shop, person, register(shop))
    for _ in range(OF_EACH):
        partner.grant()
    return {
        "oauth_clients": [register(shop)["id"] for _ in range(OF_EACH)],
        "oauth_grants": [each["id"] for each in merchant.get("/v1/oauth_grants")["data"]],
        "users": [person.user],
        "spare_users": [invite(shop, merchant)[0] for _ in range(OF_EACH)],
        "sessions": [session["id"] for session in sessions],
        "invitations": [invite(shop, merchant)[1].rpartition("/")[2] for _ in range(2)],
    }


def settle(shop: Shop, accounts: Accounts) -> dict[str, list[str]]:
    """What belongs to the accounts beside the trading one."""
    merchant = accounts.settings
    keys = [str(new_key(merchant)["id"]) for _ in range(OF_EACH)]
    # A key that is replaced while it is still good is a matter for an alert.
    told(merchant.ask("POST", f"/v1/api_keys/{keys[0]}/roll", {"overlap_seconds": 3600}), 201)
    suspended = [str(new_key(merchant)["id"]) for _ in range(OF_EACH)]
    for key in suspended:
        told(operate(shop, "POST", f"/v1/api_keys/{key}/suspend"), 200)
    # The moment of the stack, which need not be the machine's.
    now = merchant.get(f"/v1/merchants/{merchant.id}")["created_at"]
    ahead = {"frozen_time": (datetime.fromisoformat(now) + timedelta(days=1)).isoformat()}
    clock = told(accounts.clocks.ask("POST", "/v1/test_helpers/clocks", ahead), 201)
    return {
        "clocks": [clock["id"]],
        "clock_times": [clock["frozen_time"]],
        "api_keys": keys[1:],
        "suspended_keys": suspended,
        "alerts": [alert["id"] for alert in merchant.get("/v1/alerts")["data"]],
        "merchants": [merchant.id],
        "approved_merchants": [accounts.approved.id],
    }


def reconcile(merchant: Merchant) -> dict[str, list[str]]:
    """A payout, and the transactions of a balance that is not paid out yet."""
    merchant.pay(currency="eur")
    # Money moves by the machine's time, which the stack's may be behind.
    ahead = {"frozen_time": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    told(merchant.ask("POST", "/v1/test_helpers/clocks", ahead), 201)
    assert eventually(lambda: merchant.get("/v1/payouts")["data"], PAYOUT_SECONDS)
    merchant.refund(merchant.pay(description="Order 1")["id"], amount=100)
    transactions = merchant.get("/v1/balance_transactions", limit=5)["data"]
    return {
        "payouts": [each["id"] for each in merchant.get("/v1/payouts")["data"]],
        "balance_transactions": [each["id"] for each in transactions],
    }


def trade(merchant: Merchant) -> dict[str, list[str]]:
    """What a merchant has who takes payments."""
    # The first customer is there to be used, the others to be deleted.
    customers = several(
        OF_EACH, lambda _: merchant.customer(email="ada@example.com", name="Ada")["id"]
    )
    methods = several(OF_EACH, lambda n: told(merchant.save_card(customers[0], luhn(n)), 201)["id"])
    held = several(HELD_PAYMENTS, lambda _: pay(merchant, methods[0], capture=False))
    taken = several(OF_EACH, lambda _: pay(merchant, methods[0], capture=True))
    contested = several(3 * DISPUTES, lambda _: pay(merchant, methods[0], capture=True))
    disputes = several(2 * DISPUTES, lambda n: dispute(merchant, contested[DISPUTES + n]))
    endpoints = several(
        ENDPOINTS, lambda n: str(merchant.endpoint(f"https://shop.example.com/{n}")["id"])
    )
    requests = [merchant.ask("GET", "/v1/payments").headers["x-request-id"] for _ in range(2)]

    def small_hold(_: int) -> str:
        return hold(merchant, customers[0], methods[0], 50)

    return {
        "customers": customers[:1],
        "spare_customers": customers[1:],
        "payment_methods": methods[1:],
        "lasting_methods": methods[:1],
        "payments": held + taken,
        "held_payments": held,
        "taken_payments": taken,
        "refunded_payments": taken[:1],
        "holds": [hold(merchant, customers[0], methods[0], LARGEST_AMOUNT)],
        "growing_holds": several(HOLDS, small_hold),
        "spare_holds": several(HOLDS, small_hold),
        "refunds": [merchant.refund(taken[0], amount=1)["id"]],
        "disputable_payments": contested[:DISPUTES],
        "disputes": disputes[:DISPUTES],
        "closing_disputes": several(DISPUTES, lambda n: answered(merchant, disputes[DISPUTES + n])),
        "webhook_endpoints": endpoints[:2],
        "spare_endpoints": endpoints[2:],
        "events": [event["id"] for event in merchant.events(limit=5)],
        "requests": requests,
        "tokens": several(TOKENS, lambda n: merchant.tokenise(luhn(OF_EACH + n))),
    }


def several(count: int, make: Callable[[int], str]) -> list[str]:
    """What `make` gives for 0, 1, 2 and so on, a few at a time."""
    with ThreadPoolExecutor(MADE_AT_ONCE) as threads:
        return list(threads.map(make, range(count)))


def answered(merchant: Merchant, dispute: str) -> str:
    """The dispute, under review for as long as nobody decides it."""
    evidence = {"text": "It was delivered."}
    told(merchant.ask("POST", f"/v1/disputes/{dispute}/evidence", evidence), 200)
    return dispute


def dispute(merchant: Merchant, payment: str) -> str:
    body = {"payment_id": payment, "amount": 100}
    return str(told(merchant.ask("POST", "/v1/test_helpers/disputes", body), 201)["id"])


def pay(merchant: Merchant, method: str, *, capture: bool) -> str:
    """A payment of the largest amount, so that captures and refunds of most amounts fit."""
    return str(merchant.pay(method, amount=LARGEST_AMOUNT, capture=capture)["id"])


def hold(merchant: Merchant, customer: str, method: str, amount: int) -> str:
    """A hold for as long as one can be."""
    named = {"customer_id": customer, "payment_method_id": method}
    body = {**named, "amount": amount, "currency": "usd", "expires_in_seconds": 604_800}
    return str(told(merchant.ask("POST", "/v1/holds", body), 201)["id"])


def write_dictionaries(stock: dict[str, list[str]], directory: Path) -> None:
    """One file of quoted values for each dictionary."""
    for name, values in stock.items():
        lines = [f'"{value}"\n' for value in values]
        (directory / f"{name}.dict").write_text("".join(lines))


def luhn(number: int) -> str:
    """The number-th Visa card of a range that always succeeds."""
    digits = f"41111111{number:07d}"
    total = sum(
        sum(divmod(int(digit) * 2, 10)) if place % 2 == 0 else int(digit)
        for place, digit in enumerate(reversed(digits))
    )
    return digits + str(-total % 10)
