"""Reading payments and their refunds."""

from collections.abc import Mapping
from typing import Any

from domain import payments, refunds
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows import pages
from flows.house import House
from models.paging import read_counted_page, read_page
from models.payment_reads import PaymentKey
from models.refunds import count_refunds
from models.tables import PAYMENTS, REFUNDS
from runtime.database import Row

# What stands in a list's path narrows nothing.
_PARENT = frozenset({"payment_id"})


async def find_payment(house: House, asking: Asking, payment_id: str) -> Row:
    """The payment's row, or 404 where this merchant has none of this id in this mode."""
    identifier = from_text("pay", payment_id)
    row = None
    if identifier is not None:
        caller = asking.caller
        row = await house.payment.submit(
            PaymentKey(identifier, caller.merchant_id, caller.livemode)
        )
    if row is None:
        raise Missing("resource_missing", "payment_id")
    return row


async def shown_payment(house: House, asking: Asking, payment_id: str) -> Row:
    """The row to show of a payment, or 404: a remembered one where there is a memory.

    For showing only: whoever decides about money reads the database.
    """
    identifier = from_text("pay", payment_id)
    if house.remembered.on and identifier is not None:
        caller = asking.caller
        row = await house.remembered.read(
            "payment", caller.merchant_id, caller.livemode, identifier
        )
        if row is not None:
            return row
    return await find_payment(house, asking, payment_id)


async def list_payments(house: House, asking: Asking, query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of the merchant's payments; the total is exact where a counter fits."""
    hold = query.get("hold_id")
    filters = {"status": query.get("status"), "currency": query.get("currency")}
    named = None if hold is None else from_text("hld", hold)
    asked = pages.ask(query, {**filters, "hold_id": named})
    caller = asking.caller
    async with house.database.reading() as transaction:
        page, total = await read_counted_page(
            transaction, PAYMENTS, asked.page, caller.merchant_id, caller.livemode
        )
    return pages.envelope(asked, page, payments.resource, total)


async def list_refunds(
    house: House, asking: Asking, payment_id: str, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A page of a payment's refunds, with their number; 404 without the payment."""
    payment = await find_payment(house, asking, payment_id)
    asked = pages.ask(query, {"payment_id": payment["id"], "status": query.get("status")})
    total = None
    async with house.database.reading() as transaction:
        page = await read_page(
            transaction,
            REFUNDS,
            asked.page,
            merchant_id=payment["merchant_id"],
            livemode=payment["livemode"],
        )
        if asked.filtered_by <= _PARENT:
            total = await count_refunds(transaction, payment)
    return pages.envelope(asked, page, refunds.resource, total)
