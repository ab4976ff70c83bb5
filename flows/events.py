"""Reading events and having them delivered again."""

from typing import Any, Final
from uuid import UUID

from domain import event_deliveries, events, webhook_endpoints
from domain.callers import Asking
from domain.ids import from_text, object_uuid
from domain.refusals import Missing
from flows import pages
from flows.house import House
from flows.replies import Reply, once
from models.deliveries import Replay, replay_event
from models.event_deliveries import attempts_of, latest_attempts
from models.events import read_event
from models.paging import Page, read_page
from models.tables import EVENTS, WEBHOOK_DELIVERIES
from models.test_clocks import due_at_once
from models.webhook_endpoints import read_endpoint
from runtime.database import Row, Transaction

OK: Final = 200


async def list_events(house: House, asking: Asking, query: dict[str, Any]) -> dict[str, Any]:
    """A page of what happened in the caller's mode, newest first; they are not counted."""
    object_id = query.get("object_id")
    filters = {
        "type": query.get("type"),
        "object_id": None if object_id is None else object_uuid(object_id),
    }
    asked = pages.ask(query, filters)
    caller = asking.caller
    async with house.database.transaction() as transaction:
        page = await read_page(
            transaction,
            EVENTS,
            asked.page,
            merchant_id=caller.merchant_id,
            livemode=caller.livemode,
        )
    if object_id is not None and any(row["object"]["id"] != object_id for row in page.rows):
        # The digits are those of another kind of object.
        page = Page([], more=False)
    return pages.envelope(asked, page, events.resource, None)


async def list_event_deliveries(
    house: House, asking: Asking, event_id: str, query: dict[str, Any]
) -> dict[str, Any]:
    """A page of where an event went or will go, newest first; or 404."""
    identifier, caller = _identifier(event_id), asking.caller
    asked = pages.ask(query, {"event_id": identifier})
    async with house.database.transaction() as transaction:
        await _read(transaction, asking, identifier)
        page = await read_page(
            transaction,
            WEBHOOK_DELIVERIES,
            asked.page,
            merchant_id=caller.merchant_id,
            livemode=caller.livemode,
        )
        attempts = await latest_attempts(transaction, page.rows)

    def show(delivery: Row) -> dict[str, Any]:
        mine = attempts_of(attempts, delivery["endpoint_id"])
        return event_deliveries.resource(delivery, mine)

    named = [{**row, "id": row["endpoint_id"]} for row in page.rows]
    return pages.envelope(asked, Page(named, page.more), show, None)


async def retrieve_event(house: House, asking: Asking, event_id: str) -> dict[str, Any]:
    """One event, or 404."""
    identifier = _identifier(event_id)
    async with house.database.transaction() as transaction:
        return events.resource(await _read(transaction, asking, identifier))


async def retry_event(
    house: House, asking: Asking, event_id: str, body: dict[str, Any] | None = None
) -> Reply:
    """Queue one more delivery, at once, to every enabled endpoint that wants the event.

    `body` may name one endpoint, which then gets the event whatever types it asks for.
    Raises 404, and 422 `webhook_endpoint_disabled` for the endpoint named.
    """
    identifier, caller = _identifier(event_id), asking.caller
    named = (body or {}).get("webhook_endpoint_id")

    async def change(transaction: Transaction) -> Reply:
        event = await _read(transaction, asking, identifier)
        only = None if named is None else await _endpoint(transaction, asking, named)
        now = house.clock.now()
        due = await due_at_once(transaction, caller.merchant_id, caller.livemode, now)
        replay = Replay(identifier, caller.merchant_id, only, now, due)
        await replay_event(transaction, replay)
        return Reply(OK, events.resource(event))

    return await once(house, asking, change)


async def _endpoint(transaction: Transaction, asking: Asking, named: str) -> UUID:
    """The enabled endpoint under an id from the body."""
    caller, identifier = asking.caller, from_text("whe", named)
    row = None
    if identifier is not None:
        row = await read_endpoint(transaction, caller.merchant_id, caller.livemode, identifier)
    if identifier is None or row is None:
        raise Missing("resource_missing", "webhook_endpoint_id")
    webhook_endpoints.check_enabled(row)
    return identifier


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
