"""Reading payouts."""

from typing import Any

from domain import payouts
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows import pages
from flows.house import House
from models.paging import read_counted_page
from models.payouts import Account, read_payout
from models.tables import PAYOUTS
from runtime.database import Row, Transaction


async def list_payouts(house: House, asking: Asking, query: dict[str, Any]) -> dict[str, Any]:
    """A page of the merchant's payouts; the total is exact where a counter fits."""
    asked = pages.ask(query, {"status": query.get("status")})
    caller = asking.caller
    async with house.database.reading() as transaction:
        page, total = await read_counted_page(
            transaction, PAYOUTS, asked.page, caller.merchant_id, caller.livemode
        )
    return pages.envelope(asked, page, payouts.resource, total)


async def retrieve_payout(house: House, asking: Asking, payout_id: str) -> dict[str, Any]:
    """The payout, or 404 where this merchant has none of this id in this mode."""
    async with house.database.reading() as transaction:
        return payouts.resource(await _found(transaction, asking, payout_id))


async def _found(transaction: Transaction, asking: Asking, payout_id: str) -> Row:
    identifier, caller = from_text("pyt", payout_id), asking.caller
    payout = None
    if identifier is not None:
        account = Account(caller.merchant_id, caller.livemode)
        payout = await read_payout(transaction, account, identifier)
    if payout is None:
        raise Missing("resource_missing", "payout_id")
    return payout
