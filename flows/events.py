"""Reading events and having them delivered again."""

from typing import Any, Final
from uuid import UUID

from domain import events
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows import pages
from flows.house import House
from flows.replies import Reply, once
from models.deliveries import replay_event
from models.events import read_event
from models.paging import read_page
from models.tables import EVENTS
from runtime.database import Row, Transaction

OK: Final = 200


async def list_events(house: House, asking: Asking, query: dict[str, Any]) -> dict[str, Any]:
    """A page of what happened in the caller's mode, newest first; events are not counted."""
    asked = pages.ask(query)
    caller = asking.caller
    async with house.database.transaction() as transaction:
        page = await read_page(
            transaction,
            EVENTS,
            asked.page,
            merchant_id=caller.merchant_id,
            livemode=caller.livemode,
        )
    return pages.envelope(asked, page, events.resource, None)


async def retrieve_event(house: House, asking: Asking, event_id: str) -> dict[str, Any]:
    """One event, or 404."""
    identifier = _identifier(event_id)
    async with house.database.transaction() as transaction:
        return events.resource(await _read(transaction, asking, identifier))


async def retry_event(house: House, asking: Asking, event_id: str) -> Reply:
    """Queue one more delivery, at once, to every enabled endpoint that wants the event."""
    identifier = _identifier(event_id)

    async def change(transaction: Transaction) -> Reply:
        event = await _read(transaction, asking, identifier)
        await replay_event(transaction, event, house.clock.now())
        return Reply(OK, events.resource(event))

    return await once(house, asking, change)


async def _read(transaction: Transaction, asking: Asking, identifier: UUID) -> Row:
    caller = asking.caller
    event = await read_event(transaction, caller.merchant_id, caller.livemode, identifier)
    if event is None:
        raise _missing()
    return event


def _identifier(event_id: str) -> UUID:
    identifier = from_text("evt", event_id)
    if identifier is None:
        raise _missing()
    return identifier


def _missing() -> Missing:
    return Missing("resource_missing", "event_id")
