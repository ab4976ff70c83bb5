"""Making a hold: record, ask the network once, record the answer; and reading holds.

As with payments, two commits around one network call, none of them open across it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from adapters.vault_door import NotBegun
from contract import relay
from domain import holds
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing, Unavailable, Unprocessable
from flows import pages
from flows.hold_changes import (
    ACCEPTED,
    CREATED,
    Ended,
    ask_network,
    authorisation,
    hold_key,
    is_away,
    keep_reply,
    missing,
    record_answer,
    refusal_of,
    rejection,
)
from flows.house import House
from flows.replies import Reply, begin_once, earlier_reply
from models.holds import (
    Named,
    find_named,
    insert_hold,
    key_of,
    lock_hold,
    read_hold,
    save_hold,
    withdraw_hold,
)
from models.paging import read_counted_page
from models.tables import HOLDS
from models.test_clocks import business_now
from runtime.database import DatabaseUnavailable, Row, Transaction

# A request is over long before; from then on a worker may take the hold up.
RESUME_AFTER: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """A validated request body; ids are still text, `seconds` is how long it stands."""

    payment_method_id: str
    customer_id: str
    amount: int
    currency: str
    seconds: int


async def create_hold(house: House, asking: Asking, request: HoldRequest) -> Reply:
    """Set money aside on a customer's saved card.

    Raises 404 and 422 for what is named, 402 when the network declines, 503 when nothing
    was done.  202: the network's answer is still out.
    """
    begun: list[Row] = []

    async def begin(transaction: Transaction) -> Reply | None:
        hold = await _new_hold(house, asking, transaction, request)
        await insert_hold(transaction, hold)
        begun.append(hold)
        return None

    reply = await begin_once(house, asking, begin)
    if reply is not None:
        return reply
    hold = begun[-1]
    try:
        return await _authorise(house, asking, hold)
    except DatabaseUnavailable:
        # It is recorded, and perhaps approved: a worker finds out once the database is
        # back, so 503, which promises that nothing was done, would be a lie.
        return Reply(ACCEPTED, holds.resource(holds.queued(hold, house.clock.now())))


async def retrieve_hold(house: House, asking: Asking, hold_id: str) -> dict[str, Any]:
    """The hold, or 404 where this merchant has none of this id in this mode."""
    async with house.database.reading() as transaction:
        hold = await read_hold(transaction, hold_key(asking, hold_id))
    if hold is None:
        raise missing()
    return holds.resource(hold)


async def list_holds(house: House, asking: Asking, query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of the merchant's holds; the total is exact where a counter fits."""
    customer = query.get("customer_id")
    named = None if customer is None else from_text("cus", customer)
    filters = {"status": query.get("status"), "currency": query.get("currency")}
    asked = pages.ask(query, {**filters, "customer_id": named})
    caller = asking.caller
    async with house.database.reading() as transaction:
        page, total = await read_counted_page(
            transaction, HOLDS, asked.page, caller.merchant_id, caller.livemode
        )
    return pages.envelope(asked, page, holds.resource, total)


async def _new_hold(
    house: House, asking: Asking, transaction: Transaction, request: HoldRequest
) -> Row:
    caller, now = asking.caller, house.clock.now()
    method_id, customer_id = await _checked(asking, transaction, request)
    business = await business_now(transaction, caller.merchant_id, caller.livemode, now)
    nothing_yet = ("network", "failure_code", "decline_code", "pending_reason")
    return {
        **dict.fromkeys(nothing_yet),
        "id": house.new_id(),
        "merchant_id": caller.merchant_id,
        "livemode": caller.livemode,
        "payment_method_id": method_id,
        "customer_id": customer_id,
        "amount": request.amount,
        "currency": request.currency,
        "status": "pending",
        "amount_authorized": 0,
        "amount_drawn": 0,
        "idempotency_key": None if asking.once is None else asking.once.key,
        "attempt_id": house.new_id(),
        "reversal_attempt_id": house.new_id(),
        "event_sequence": 0,
        "created_at": now,
        "expires_at": holds.expires_at(business, request.seconds),
        "closed_at": None,
        "end_at": None,
        "resume_at": now + RESUME_AFTER,
    }


async def _checked(
    asking: Asking, transaction: Transaction, request: HoldRequest
) -> tuple[UUID, UUID]:
    """The saved card and its customer; 404 for what is not there, then 422 for what is."""
    method_id = from_text("pm", request.payment_method_id)
    customer_id = from_text("cus", request.customer_id)
    if method_id is None:
        raise Missing("resource_missing", "payment_method_id")
    if customer_id is None:
        raise Missing("resource_missing", "customer_id")
    caller, named = asking.caller, Named(method_id, customer_id)
    found = await find_named(transaction, caller.merchant_id, caller.livemode, named)
    if not found["method_found"]:
        raise Missing("resource_missing", "payment_method_id")
    if not found["customer_found"]:
        raise Missing("resource_missing", "customer_id")
    if found["customer_id"] != customer_id:
        raise Unprocessable("customer_mismatch", "customer_id")
    if found["type"] != "card":
        raise Unprocessable("hold_not_supported", "payment_method_id")
    return method_id, customer_id


async def _authorise(house: House, asking: Asking, hold: Row) -> Reply:
    try:
        answer = await ask_network(house, authorisation(asking.request_id, hold))
    except NotBegun as silence:
        await _withdraw(house, hold)
        raise Unavailable from silence
    if answer is None or is_away(answer):
        return await _queue(house, asking, hold)
    if isinstance(answer, relay.Rejected):
        if not await _withdraw(house, hold):
            return await _overtaken(house, asking, hold)
        raise rejection(answer)
    if not isinstance(answer, relay.Decision):
        raise TypeError("the vault answers an authorisation with a decision")
    if answer.velocity_flag:
        asking.risk_signals["velocity_flag"] = True
    ended = await record_answer(house, asking.request_id, hold, answer)
    if ended is None:
        return await _overtaken(house, asking, hold)
    if ended.refusal is not None:
        raise ended.refusal
    return Reply(CREATED, holds.resource(ended.hold))


async def _withdraw(house: House, hold: Row) -> bool:
    async with house.database.transaction() as transaction:
        return await withdraw_hold(transaction, hold)


async def _queue(house: House, asking: Asking, hold: Row) -> Reply:
    """The answer is unknown: a worker goes on asking, from now on."""
    queued = None
    async with house.database.transaction() as transaction:
        locked = await lock_hold(transaction, key_of(hold))
        if locked is not None and locked["status"] == "pending":
            queued = holds.queued(locked, house.clock.now())
            await save_hold(transaction, locked, queued)
            await keep_reply(transaction, hold, Ended(queued, None), ACCEPTED)
    if queued is None:
        return await _overtaken(house, asking, hold)
    return Reply(ACCEPTED, holds.resource(queued))


async def _overtaken(house: House, asking: Asking, hold: Row) -> Reply:
    """A worker resumed it meanwhile: its word stands, and is the reply."""
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return replace(earlier, replayed=False)
    async with house.database.reading() as transaction:
        row = await read_hold(transaction, key_of(hold))
    if row is None:
        raise Unavailable
    refusal = refusal_of(row)
    if refusal is not None:
        raise refusal
    return Reply(ACCEPTED if row["status"] == "pending" else CREATED, holds.resource(row))
