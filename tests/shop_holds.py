"""What tests ask of holds: a saved card, money set aside on it, payments drawn."""

from typing import Any
from uuid import UUID, uuid4

import httpx

from domain.ids import from_text
from tests.serving import eventually
from tests.shop import VISA, Merchant, Shop, told

CEILING = 20_000
WEEK = 7 * 24 * 3600
# A lease of 5 s may stand in the way of giving back.
GIVEN_BACK_WITHIN_SECONDS = 15.0


class Wallet:
    """A customer of a merchant with a saved card."""

    def __init__(self, merchant: Merchant, number: str = VISA) -> None:
        self.merchant = merchant
        self.customer = str(merchant.customer()["id"])
        self.method = str(told(merchant.save_card(self.customer, number), 201)["id"])

    def hold_answer(self, *, key: str | None = None, **fields: Any) -> httpx.Response:
        """The answer to POST /v1/holds: 20000 usd for a week, if not said otherwise."""
        body = {
            "payment_method_id": self.method,
            "customer_id": self.customer,
            "amount": CEILING,
            "currency": "usd",
            "expires_in_seconds": WEEK,
            **fields,
        }
        return self.merchant.ask("POST", "/v1/holds", body, key=key)

    def hold(self, **fields: Any) -> dict[str, Any]:
        """A hold that was approved."""
        return told(self.hold_answer(**fields), 201)

    def draw_answer(
        self, hold: str, amount: int, *, key: str | None = None, **fields: Any
    ) -> httpx.Response:
        body = {"amount": amount, "hold_id": hold, **fields}
        return self.merchant.pay_answer(self.method, key=key or str(uuid4()), **body)

    def item(self, hold: str, amount: int) -> dict[str, Any]:
        """An item of a batch that draws."""
        return {
            "amount": amount,
            "currency": "usd",
            "payment_method_id": self.method,
            "idempotency_key": str(uuid4()),
            "hold_id": hold,
        }

    def draw(self, hold: str, amount: int, **fields: Any) -> dict[str, Any]:
        """A payment that was drawn."""
        return told(self.draw_answer(hold, amount, **fields), 201)

    def act(self, hold: str, action: str, body: Any = None, **options: Any) -> httpx.Response:
        """top_up or release of a hold."""
        return self.merchant.ask("POST", f"/v1/holds/{hold}/{action}", body, **options)

    def top_up_answer(self, hold: str, amount: int, **options: Any) -> httpx.Response:
        return self.act(hold, "top_up", {"amount": amount}, **options)

    def release(self, hold: str) -> dict[str, Any]:
        return told(self.act(hold, "release"), 200)

    def shown(self, hold: str) -> dict[str, Any]:
        return self.merchant.get(f"/v1/holds/{hold}")


def journal_of(shop: Shop, hold: str) -> list[tuple[str, str, int]]:
    """(kind, decision, amount) of what the networks decided about a hold."""
    digits = hold.removeprefix("hld_")
    return [
        (line["kind"], line["decision"], line["amount"])
        for line in shop.journal()
        if digits in (line["payment"], line.get("hold"))
    ]


def presented(shop: Shop, payment: str) -> None:
    """Wait until the network has heard of a draw."""
    eventually(lambda: shop.decisions(payment) == [("draw", "approved")], 10.0)


def hold_uuid(hold: str) -> UUID:
    identifier = from_text("hld", hold)
    assert identifier is not None
    return identifier
