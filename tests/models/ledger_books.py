"""Histories of payments, written by the functions that production writes them with."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

from models.disputes import insert_dispute, save_dispute
from models.payment_changes import save_payment
from models.refund_settlement import settle_refund
from models.refunds import insert_refund
from models.tables import DISPUTES
from runtime.database import Database, Row, Statement
from runtime.ids import uuid7

MOMENT = datetime(2026, 11, 22, tzinfo=UTC)
_PENDING = Statement(
    "INSERT INTO payments (id, merchant_id, livemode, amount, currency, status, capture,"
    " payment_method_id, is_token, metadata, idempotency_key, attempt_id, created_at)"
    " VALUES (%(id)s, %(merchant)s, false, %(amount)s, %(currency)s, 'pending', true, %(id)s,"
    " false, '{}', %(id)s, %(id)s, now()) RETURNING *"
)


class Books:
    """The payments of one merchant in a database of its own."""

    def __init__(self, url: str) -> None:
        self.merchant = uuid7()
        self.database = Database(url)

    async def played(self, history: Callable[["Books"], Awaitable[None]]) -> None:
        """Play a history and close the connections."""
        await self.database.open()
        try:
            await history(self)
        finally:
            await self.database.close()

    async def payment(self, amount: int, currency: str = "usd") -> Row:
        """A pending payment."""
        async with self.database.transaction() as transaction:
            return await transaction.one(
                _PENDING, id=uuid7(), merchant=self.merchant, amount=amount, currency=currency
            )

    async def changed(self, payment: Row, **values: Any) -> Row:
        """A payment after a change of its columns."""
        after = {**payment, **values}
        async with self.database.transaction() as transaction:
            await save_payment(transaction, payment, after)
        return after

    async def authorised(self, amount: int, currency: str = "usd") -> Row:
        """A payment whose money is held."""
        payment = await self.payment(amount, currency)
        return await self.changed(payment, status="authorized", amount_authorized=amount)

    async def captured(self, amount: int, currency: str = "usd") -> Row:
        """A sale."""
        payment = await self.payment(amount, currency)
        taken = {"amount_authorized": amount, "amount_captured": amount}
        return await self.changed(payment, status="captured", **taken)

    async def refunded(self, payment: Row, amount: int) -> tuple[Row, Row]:
        """The payment with a pending refund, and the refund."""
        refund = {
            "id": uuid7(),
            "merchant_id": payment["merchant_id"],
            "livemode": False,
            "payment_id": payment["id"],
            "amount": amount,
            "currency": payment["currency"],
            "status": "pending",
            "reason": None,
            "failure_code": None,
            "event_sequence": 1,
            "created_at": MOMENT,
            "settle_at": MOMENT,
        }
        after = {**payment, "amount_refunded": payment["amount_refunded"] + amount}
        async with self.database.transaction() as transaction:
            await save_payment(transaction, payment, after)
            await insert_refund(transaction, refund)
        return after, refund

    async def settled(self, payment: Row, refund: Row, status: str) -> Row:
        """The payment after its refund ended."""
        back = refund["amount"] if status == "failed" else 0
        after = {**payment, "amount_refunded": payment["amount_refunded"] - back}
        async with self.database.transaction() as transaction:
            await save_payment(transaction, payment, after)
            await settle_refund(transaction, refund, status, None)
        return after

    async def disputed(self, payment: Row, amount: int) -> tuple[Row, Row]:
        """The payment with an open dispute, and the dispute."""
        dispute = dict.fromkeys(column.name for column in DISPUTES.c) | {
            "id": uuid7(),
            "merchant_id": payment["merchant_id"],
            "livemode": False,
            "payment_id": payment["id"],
            "chargeback_id": uuid5(payment["id"], str(payment["amount_disputed"])),
            "amount": amount,
            "currency": payment["currency"],
            "reason": "fraudulent",
            "status": "needs_response",
            "evidence_due_by": MOMENT,
            "event_sequence": 1,
            "created_at": MOMENT,
        }
        after = {**payment, "amount_disputed": payment["amount_disputed"] + amount}
        async with self.database.transaction() as transaction:
            await save_payment(transaction, payment, after)
            await insert_dispute(transaction, dispute)
        return after, dispute

    async def closed(self, payment: Row, dispute: Row, status: str) -> Row:
        """The payment after its dispute was won or lost."""
        back = dispute["amount"] if status == "won" else 0
        after = {**payment, "amount_disputed": payment["amount_disputed"] - back}
        async with self.database.transaction() as transaction:
            await save_payment(transaction, payment, after)
            await save_dispute(
                transaction, dispute, {**dispute, "status": status, "closed_at": MOMENT}
            )
        return after

    async def balances(self) -> dict[tuple[str, str], int]:
        """What each (currency, account) of the merchant holds, zeros left out."""
        asked = Statement(
            "SELECT currency, account, sum(balance)::bigint AS balance FROM ledger_balances"
            " WHERE merchant_id = %(merchant)s GROUP BY 1, 2"
        )
        async with self.database.reading() as transaction:
            rows = await transaction.all(asked, merchant=self.merchant)
        return {(row["currency"], row["account"]): row["balance"] for row in rows if row["balance"]}
