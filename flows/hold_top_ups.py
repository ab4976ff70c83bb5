"""Adding to a hold: the network is asked again, on the same card, for more.

The hold can be drawn on meanwhile; its ceiling grows with the answer.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from contract import relay
from domain import holds
from domain.callers import Asking
from domain.refusals import Declined, Missing, Unavailable
from flows.hold_asking import ask
from flows.hold_changes import (
    ACCEPTED,
    OK,
    Ended,
    hold_key,
    increment,
    missing,
    queue_top_up,
    record_top_up,
    use_up_if_empty,
)
from flows.house import House
from flows.replies import Reply, begin_once
from models.hold_top_ups import insert_top_up, lock_top_up, pending_top_up, withdraw_top_up
from models.holds import Named, find_named, free_key, key_of, lock_hold
from models.test_clocks import business_now
from runtime.database import Row, Transaction

RESUME_AFTER: Final = timedelta(seconds=10)
# What an active hold is told to be that another request is adding to.
ADDED_TO: Final = "being added to"


async def top_up_hold(house: House, asking: Asking, hold_id: str, amount: int) -> Reply:
    """Set `amount` more aside on an active hold.

    Raises 404, 422 `hold_unexpected_state` or `hold_exceeds_maximum`, 402 when the network
    declines, 503 when nothing was done.  202: the network's answer is still out.
    """
    begun: list[tuple[Row, Row]] = []

    async def begin(transaction: Transaction) -> Reply | None:
        hold = await _standing(house, asking, transaction, hold_id)
        holds.check_top_up(hold, amount)
        top_up = _new_top_up(house, asking, hold, amount)
        await insert_top_up(transaction, top_up)
        begun.append((hold, top_up))
        return None

    reply = await begin_once(house, asking, begin)
    if reply is not None:
        return reply
    return await ask(house, asking, _Addition(house, asking.request_id, *begun[-1]))


async def _standing(house: House, asking: Asking, transaction: Transaction, hold_id: str) -> Row:
    """The hold, locked, if it stands, its card is still saved and nothing else is added."""
    caller, key = asking.caller, hold_key(asking, hold_id)
    now = await business_now(transaction, caller.merchant_id, caller.livemode, house.clock.now())
    hold = await lock_hold(transaction, key)
    if hold is None:
        raise missing()
    named = Named(hold["payment_method_id"], hold["customer_id"])
    found = await find_named(transaction, caller.merchant_id, caller.livemode, named)
    if not found["method_found"]:
        raise Missing("resource_missing", "payment_method_id")
    holds.check_active(hold, now)
    if await pending_top_up(transaction, key) is not None:
        raise holds.unexpected(ADDED_TO)
    return hold


def _new_top_up(house: House, asking: Asking, hold: Row, amount: int) -> Row:
    now = house.clock.now()
    return {
        "id": house.new_id(),
        "merchant_id": hold["merchant_id"],
        "livemode": hold["livemode"],
        "hold_id": hold["id"],
        "amount": amount,
        "currency": hold["currency"],
        "status": "pending",
        "attempt_id": house.new_id(),
        "idempotency_key": None if asking.once is None else asking.once.key,
        "created_at": now,
        "resume_at": now + RESUME_AFTER,
    }


@dataclass(frozen=True, slots=True)
class _Addition:
    """A recorded top-up that the network is asked for."""

    house: House
    request_id: str
    hold: Row
    top_up: Row

    @property
    def message(self) -> relay.Authorise:
        return increment(self.request_id, self.hold, self.top_up)

    @property
    def waiting(self) -> Row:
        return self.hold

    async def record(self, decision: relay.Decision) -> tuple[int, Ended] | None:
        ended = await record_top_up(self.house, self.request_id, self.top_up, decision)
        return None if ended is None else (OK, ended)

    async def withdraw(self) -> bool:
        async with self.house.database.transaction() as transaction:
            locked = await lock_hold(transaction, key_of(self.hold))
            if locked is None or not await withdraw_top_up(transaction, self.top_up):
                return False
            await free_key(transaction, self.top_up)
            # It was drawn empty while this was on its way.
            await use_up_if_empty(self.house, transaction, self.request_id, locked)
        return True

    async def queue(self) -> Row | None:
        return await queue_top_up(self.house, self.top_up)

    async def found(self) -> Reply:
        async with self.house.database.transaction() as transaction:
            hold = await lock_hold(transaction, key_of(self.hold))
            row = await lock_top_up(transaction, self.top_up)
        if hold is None or row is None:
            raise Unavailable
        if row["status"] in ("pending", "succeeded"):
            status = ACCEPTED if row["status"] == "pending" else OK
            return Reply(status, holds.resource(hold))
        if hold["status"] != "active":
            raise holds.unexpected(hold["status"])
        # Why is told to the key that it was asked under, and to nobody else.
        raise Declined("processing_error")
