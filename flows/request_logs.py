"""Reading what was asked in a merchant's name."""

from typing import Any, Final

from domain import request_logs
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows import pages
from flows.house import House
from models.audit import read_entry
from models.paging import read_page, read_searched_page
from models.tables import AUDIT_ENTRIES

# Each is a query parameter and what audit_entries can be filtered by.
# No index carries them, so a page looks at so many entries and then answers what it has.
LOOKED_AT: Final = 10_000
_FILTERS = ("method", "status_code", "status_class", "path", "api_key_prefix", "resource_id")


async def list_request_logs(house: House, asking: Asking, query: dict[str, Any]) -> dict[str, Any]:
    """A page of the requests in the caller's mode, newest first; requests are not counted.

    Under a filter it may be short, or empty, while there is more.
    """
    asked = pages.ask(query, {name: query.get(name) for name in _FILTERS})
    scope = {"merchant_id": asking.caller.merchant_id, "livemode": asking.caller.livemode}
    async with house.database.reading() as transaction:
        if asked.page.filters:
            page = await read_searched_page(
                transaction, AUDIT_ENTRIES, asked.page, LOOKED_AT, **scope
            )
        else:
            page = await read_page(transaction, AUDIT_ENTRIES, asked.page, **scope)
    return pages.envelope(asked, page, request_logs.resource, None)


async def retrieve_request_log(house: House, asking: Asking, request_id: str) -> dict[str, Any]:
    """What was logged of one request, or 404."""
    identifier, caller, row = from_text("req", request_id), asking.caller, None
    if identifier is not None:
        async with house.database.reading() as transaction:
            row = await read_entry(transaction, caller.merchant_id, caller.livemode, identifier)
    if row is None:
        raise Missing("resource_missing", "request_id")
    return request_logs.resource(row)
