"""Reading alerts."""

from typing import Any

from domain import alerts
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows import pages
from flows.house import House
from models.alerts import read_alert
from models.paging import read_page
from models.tables import ALERTS


async def list_alerts(house: House, asking: Asking, query: dict[str, Any]) -> dict[str, Any]:
    """A page of the alerts in the caller's mode, newest first; alerts are not counted."""
    filters = {"type": query.get("type"), "status": query.get("status")}
    asked = pages.ask(query, filters)
    caller = asking.caller
    async with house.database.reading() as transaction:
        page = await read_page(
            transaction,
            ALERTS,
            asked.page,
            merchant_id=caller.merchant_id,
            livemode=caller.livemode,
        )
    return pages.envelope(asked, page, alerts.resource, None)


async def retrieve_alert(house: House, asking: Asking, alert_id: str) -> dict[str, Any]:
    """One alert, or 404."""
    identifier, caller, row = from_text("alr", alert_id), asking.caller, None
    if identifier is not None:
        async with house.database.reading() as transaction:
            row = await read_alert(transaction, caller.merchant_id, caller.livemode, identifier)
    if row is None:
        raise Missing("resource_missing", "alert_id")
    return alerts.resource(row)
