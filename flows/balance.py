"""Reading the balance, and the movements that it comes from."""

from typing import Any, Final

from domain import balance, balance_transactions
from domain.callers import Asking
from domain.ids import object_uuid
from domain.refusals import Missing
from flows import pages
from flows.house import House
from models.balance import read_balance, read_transaction
from models.paging import read_page, read_searched_page
from models.tables import BALANCE_TRANSACTIONS

# No index carries the filters, so a page looks at so many transactions and answers what it has.
LOOKED_AT: Final = 10_000
_FILTERS = ("type", "currency")


async def retrieve_balance(house: House, asking: Asking) -> dict[str, Any]:
    """What the merchant's account holds in the caller's mode."""
    caller = asking.caller
    async with house.database.reading() as transaction:
        held = await read_balance(transaction, caller.merchant_id, caller.livemode)
    return balance.resource(held, caller.livemode)


async def list_balance_transactions(
    house: House, asking: Asking, query: dict[str, Any]
) -> dict[str, Any]:
    """A page of movements, newest first; they are not counted.

    Under a filter it may be short, or empty, while there is more.
    """
    payout_id = query.get("payout_id")
    filters = {name: query.get(name) for name in _FILTERS}
    filters["payout_id"] = None if payout_id is None else object_uuid(payout_id)
    asked = pages.ask(query, filters)
    scope = {"merchant_id": asking.caller.merchant_id, "livemode": asking.caller.livemode}
    async with house.database.reading() as transaction:
        if asked.page.filters:
            page = await read_searched_page(
                transaction, BALANCE_TRANSACTIONS, asked.page, LOOKED_AT, **scope
            )
        else:
            page = await read_page(transaction, BALANCE_TRANSACTIONS, asked.page, **scope)
    return pages.envelope(asked, page, balance_transactions.resource, None)


async def retrieve_balance_transaction(
    house: House, asking: Asking, transaction_id: str
) -> dict[str, Any]:
    """One movement, or 404."""
    caller, row = asking.caller, None
    if postings := balance_transactions.sources(transaction_id):
        async with house.database.reading() as transaction:
            row = await read_transaction(transaction, caller.merchant_id, caller.livemode, postings)
    if row is None:
        raise Missing("resource_missing", "balance_transaction_id")
    return balance_transactions.resource(row)
