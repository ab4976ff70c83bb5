"""Adding to a hold: the network is asked again, on the same card, for more.

The hold can be drawn on meanwhile; its ceiling grows with the answer.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from adapters.vault_door import NotBegun
from contract import relay
from domain import holds
from domain.callers import Asking
from domain.refusals import Missing, Unavailable
from flows.hold_changes import (
    ACCEPTED,
    OK,
    Ended,
    ask_network,
    hold_key,
    increment,
    is_away,
    keep_reply,
    missing,
    record_top_up,
    rejection,
    use_up_if_empty,
)
from flows.house import House
from flows.replies import Reply, begin_once, earlier_reply
from models.hold_top_ups import insert_top_up, lock_top_up, pending_top_up, withdraw_top_up
from models.holds import Named, find_named, free_key, key_of, lock_hold, read_hold
from models.test_clocks import business_now
from runtime.database import DatabaseUnavailable, Row, Transaction

RESUME_AFTER: Final = timedelta(seconds=10)


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
    hold, top_up = begun[-1]
    try:
        return await _ask_and_record(house, asking, hold, top_up)
    except DatabaseUnavailable:
        # Recorded, and perhaps approved: a worker finishes it (see flows/holds.py).
        return Reply(ACCEPTED, holds.resource(hold))


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
        raise holds.unexpected(hold["status"])
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


async def _ask_and_record(house: House, asking: Asking, hold: Row, top_up: Row) -> Reply:
    try:
        answer = await ask_network(house, increment(asking.request_id, hold, top_up))
    except NotBegun as silence:
        await _withdraw(house, asking, hold, top_up)
        raise Unavailable from silence
    if answer is None or is_away(answer):
        return await _queue(house, asking, hold, top_up)
    if isinstance(answer, relay.Rejected):
        if not await _withdraw(house, asking, hold, top_up):
            return await _overtaken(house, asking, hold)
        raise rejection(answer)
    if not isinstance(answer, relay.Decision):
        raise TypeError("the vault answers an authorisation with a decision")
    if answer.velocity_flag:
        asking.risk_signals["velocity_flag"] = True
    ended = await record_top_up(house, asking.request_id, top_up, answer)
    if ended is None:
        return await _overtaken(house, asking, hold)
    if ended.refusal is not None:
        raise ended.refusal
    return Reply(OK, holds.resource(ended.hold))


async def _withdraw(house: House, asking: Asking, hold: Row, top_up: Row) -> bool:
    """The network was certainly not asked: nothing was done, and the key is free again."""
    async with house.database.transaction() as transaction:
        locked = await lock_hold(transaction, key_of(hold))
        if locked is None or not await withdraw_top_up(transaction, top_up):
            return False
        await free_key(transaction, top_up)
        # It was drawn empty while this was on its way.
        await use_up_if_empty(house, transaction, asking.request_id, locked)
    return True


async def _queue(house: House, asking: Asking, hold: Row, top_up: Row) -> Reply:
    """The answer is unknown: a worker goes on asking."""
    async with house.database.transaction() as transaction:
        locked = await lock_hold(transaction, key_of(hold))
        row = await lock_top_up(transaction, top_up)
        waits = locked is not None and row is not None and row["status"] == "pending"
        if locked is not None and waits:
            await keep_reply(transaction, top_up, Ended(locked, None), ACCEPTED)
    if locked is None or not waits:
        return await _overtaken(house, asking, hold)
    return Reply(ACCEPTED, holds.resource(locked))


async def _overtaken(house: House, asking: Asking, hold: Row) -> Reply:
    """A worker took this request for lost and finished it: its word is the reply."""
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return replace(earlier, replayed=False)
    async with house.database.reading() as transaction:
        row = await read_hold(transaction, key_of(hold))
    return Reply(OK, holds.resource(row or hold))
