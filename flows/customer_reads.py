"""Reading customers and what belongs to them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from domain import customers, payment_methods
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from domain.remembering import customer_read
from flows import pages
from flows.house import House
from flows.sealed_customers import opened
from models.customer_reads import CustomerKey
from models.customers import Whose, count_methods
from models.paging import read_counted_page, read_page
from models.sealed import CUSTOMER_EMAIL
from models.tables import CUSTOMERS, PAYMENT_METHODS
from runtime.database import Row

_COUNTED_METHODS: Final = frozenset({"customer_id", "type"})


async def list_customers(house: House, asking: Asking, query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of the merchant's customers; the total is exact unless they are filtered."""
    caller, email = asking.caller, query.get("email")
    index = None
    if email is not None:
        index = await house.seals.index(caller.merchant_id, CUSTOMER_EMAIL, email)
    asked = pages.ask(query, {"email_index": index})
    async with house.database.reading() as transaction:
        page, total = await read_counted_page(
            transaction, CUSTOMERS, asked.page, caller.merchant_id, caller.livemode
        )
    shown = replace(page, rows=[await opened(house, row) for row in page.rows])
    return pages.envelope(asked, shown, customers.resource, total)


async def list_payment_methods(
    house: House, asking: Asking, customer_id: str, query: Mapping[str, Any]
) -> dict[str, Any]:
    """A page of a customer's attached methods, with their number; 404 without the customer."""
    customer = await find_customer(house, asking, customer_id)
    kind = query.get("type")
    asked = pages.ask(query, {"customer_id": customer["id"], "type": kind})
    whose = Whose(asking.caller.merchant_id, asking.caller.livemode)
    total = None
    async with house.database.reading() as transaction:
        page = await read_page(
            transaction,
            PAYMENT_METHODS,
            asked.page,
            merchant_id=customer["merchant_id"],
            livemode=customer["livemode"],
        )
        if asked.filtered_by <= _COUNTED_METHODS:
            total = await count_methods(transaction, whose, customer["id"], kind)
    return pages.envelope(asked, page, payment_methods.resource, total)


async def shown_customer(house: House, asking: Asking, customer_id: str) -> Row:
    """The row to show of a customer, or 404: a remembered one where there is a memory."""
    identifier = from_text("cus", customer_id)
    if not house.remembered.on or identifier is None:
        return await opened(house, await find_customer(house, asking, customer_id))
    caller, seen_at = asking.caller, house.remembered.moment()
    row = await house.remembered.read("customer", caller.merchant_id, caller.livemode, identifier)
    if row is None:
        row = await find_customer(house, asking, customer_id)
        house.remembered.write(customer_read(row), seen_at)
    return await opened(house, row)


async def find_customer(
    house: House, asking: Asking, customer_id: str, param: str = "customer_id"
) -> Row:
    """The customer's row, or 404 where this merchant has none of this id in this mode."""
    identifier = from_text("cus", customer_id)
    row = None
    if identifier is not None:
        caller = asking.caller
        row = await house.customer.submit(
            CustomerKey(identifier, caller.merchant_id, caller.livemode)
        )
    if row is None:
        raise Missing("resource_missing", param)
    return row
