"""Histories of holds, written by the functions that production writes them with."""

from datetime import timedelta

from domain import holds
from domain.holds import Change
from models.hold_draws import draw_heard, insert_drawn_payment, lose_draw
from models.hold_top_ups import end_top_up, insert_top_up
from models.holds import insert_hold, save_hold
from models.tables import HOLDS, PAYMENTS
from runtime.database import Row
from runtime.ids import uuid7
from tests.models.ledger_books import MOMENT, Books


class HoldBooks(Books):
    """The holds of one merchant in a database of its own."""

    async def asked(self, amount: int) -> Row:
        """A pending hold."""
        ids = ("id", "payment_method_id", "customer_id", "attempt_id", "reversal_attempt_id")
        hold = dict.fromkeys(column.name for column in HOLDS.c) | {
            **{name: uuid7() for name in ids},
            "merchant_id": self.merchant,
            "livemode": False,
            "amount": amount,
            "currency": "usd",
            "status": "pending",
            "amount_authorized": 0,
            "amount_drawn": 0,
            "amount_released": 0,
            "event_sequence": 0,
            "created_at": MOMENT,
            "expires_at": MOMENT + timedelta(days=7),
        }
        async with self.database.transaction() as transaction:
            await insert_hold(transaction, hold)
        return hold

    async def stepped(self, hold: Row, change: Change) -> Row:
        """A hold after a step, with nothing left to do."""
        after = {**change.hold, "resume_at": None}
        async with self.database.transaction() as transaction:
            await save_hold(transaction, hold, after)
        return after

    async def held(self, amount: int) -> Row:
        """A hold that payments can draw on."""
        hold = await self.asked(amount)
        return await self.stepped(hold, holds.approved(hold, "visa"))

    async def topped_up(self, hold: Row, amount: int) -> tuple[Row, Row]:
        """The hold with more, and the top-up."""
        top_up = {
            "id": uuid7(),
            "merchant_id": self.merchant,
            "livemode": False,
            "hold_id": hold["id"],
            "amount": amount,
            "currency": "usd",
            "status": "pending",
            "attempt_id": uuid7(),
            "idempotency_key": None,
            "created_at": MOMENT,
            "resume_at": MOMENT,
        }
        async with self.database.transaction() as transaction:
            await insert_top_up(transaction, top_up)
            await end_top_up(transaction, top_up, "succeeded")
        return await self.stepped(hold, holds.topped_up(hold, amount)), top_up

    async def drawn(self, hold: Row, amount: int, *, heard: bool = True) -> tuple[Row, Row]:
        """The hold after a draw that the network has heard of or not, and the payment."""
        payment = dict.fromkeys(column.name for column in PAYMENTS.c) | {
            **{name: uuid7() for name in ("id", "idempotency_key", "attempt_id")},
            "merchant_id": self.merchant,
            "livemode": False,
            "amount": amount,
            "currency": "usd",
            "status": "captured",
            "capture": True,
            "payment_method_id": hold["payment_method_id"],
            "is_token": False,
            "customer_id": hold["customer_id"],
            "hold_id": hold["id"],
            "metadata": "{}",
            "risk_signals": "{}",
            "amount_authorized": amount,
            "amount_captured": amount,
            "amount_refunded": 0,
            "amount_disputed": 0,
            "event_sequence": 1,
            "created_at": MOMENT,
            "captured_at": MOMENT,
        }
        shared = ("id", "merchant_id", "livemode", "hold_id", "amount", "currency", "attempt_id")
        draw = {name: payment[name] for name in shared}
        draw |= {"created_at": MOMENT, "present_at": MOMENT}
        async with self.database.transaction() as transaction:
            await insert_drawn_payment(transaction, payment, draw)
            if heard:
                await draw_heard(transaction, draw)
        return {**hold, "amount_drawn": hold["amount_drawn"] + amount}, payment

    async def ended(self, hold: Row, action: str) -> Row:
        """A hold that was released or has expired, and was given back."""
        return await self.stepped(hold, holds.ended(hold, action, MOMENT, MOMENT))

    async def lost(self, payment: Row) -> None:
        """The network has refused this payment's draw for good."""
        async with self.database.transaction() as transaction:
            assert await lose_draw(transaction, payment, MOMENT)

    async def used_up(self, hold: Row) -> Row:
        """A hold of which nothing is left."""
        return await self.stepped(hold, holds.used_up(hold, MOMENT))
