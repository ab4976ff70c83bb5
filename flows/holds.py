"""Making a hold: record, ask the network once, record the answer; and reading holds.

As with payments, two commits around one network call, none of them open across it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from contract import relay
from domain import holds
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing, Unavailable, Unprocessable
from flows import pages
from flows.hold_asking import ask
from flows.hold_changes import (
    ACCEPTED,
    CREATED,
    Ended,
    authorisation,
    hold_key,
    missing,
    queue_hold,
    record_answer,
    refusal_of,
)
from flows.house import House
from flows.replies import Reply, begin_once
from models.holds import (
    Named,
    find_named,
    insert_hold,
    key_of,
    read_hold,
    withdraw_hold,
)
from models.paging import read_counted_page
from models.tables import HOLDS
from models.test_clocks import business_now
from runtime.database import Row, Transaction

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
    return await ask(house, asking, _NewHold(house, asking.request_id, begun[-1]))


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
        "amount_released": 0,
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


@dataclass(frozen=True, slots=True)
class _NewHold:
    """A recorded hold that the network is asked for."""

    house: House
    request_id: str
    hold: Row

    @property
    def message(self) -> relay.Authorise:
        return authorisation(self.request_id, self.hold)

    @property
    def waiting(self) -> Row:
        return holds.queued(self.hold, self.house.clock.now())

    async def record(self, decision: relay.Decision) -> tuple[int, Ended] | None:
        ended = await record_answer(self.house, self.request_id, self.hold, decision)
        return None if ended is None else (CREATED, ended)

    async def withdraw(self) -> bool:
        async with self.house.database.transaction() as transaction:
            return await withdraw_hold(transaction, self.hold)

    async def queue(self) -> Row | None:
        return await queue_hold(self.house, self.hold, self.house.clock.now())

    async def found(self) -> Reply:
        async with self.house.database.reading() as transaction:
            hold = await read_hold(transaction, key_of(self.hold))
        if hold is None:
            raise Unavailable
        refusal = refusal_of(hold)
        if refusal is not None:
            raise refusal
        status = ACCEPTED if hold["status"] == "pending" else CREATED
        return Reply(status, holds.resource(hold))
