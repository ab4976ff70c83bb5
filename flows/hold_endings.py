"""Ending a hold: on request, or when its time is over.

Both are one commit: nothing is drawn from then on.  What is left is given back by a worker
(flows/hold_recovery.py), after the network has heard of every draw.
"""

from typing import Final

from domain import holds
from domain.callers import Asking
from domain.ids import to_text
from flows.hold_changes import OK, apply, hold_key, missing
from flows.house import House
from flows.replies import Reply, once
from models.holds import HoldKey, expired_holds, lock_hold
from models.test_clocks import business_now
from runtime.database import Transaction
from runtime.log import log

HOLDS_PER_ROUND: Final = 50


async def release_hold(house: House, asking: Asking, hold_id: str) -> Reply:
    """End an active hold; raises 404 or 422 `hold_unexpected_state`."""

    async def change(transaction: Transaction) -> Reply:
        caller, key, now = asking.caller, hold_key(asking, hold_id), house.clock.now()
        business = await business_now(transaction, caller.merchant_id, caller.livemode, now)
        hold = await lock_hold(transaction, key)
        if hold is None:
            raise missing()
        holds.check_active(hold, business)
        released = holds.ended(hold, "release", business, now)
        await apply(house, transaction, asking.request_id, hold, released)
        return Reply(OK, holds.resource(released.hold))

    return await once(house, asking, change)


async def end_expired_holds(house: House) -> int:
    """End the holds whose time is over; how many were ended."""
    async with house.database.reading() as transaction:
        due = await expired_holds(transaction, house.clock.now(), HOLDS_PER_ROUND)
    return sum([await _expire(house, key) for key in due])


async def _expire(house: House, key: HoldKey) -> bool:
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        business = await business_now(transaction, key.merchant_id, key.livemode, now)
        hold = await lock_hold(transaction, key)
        # Asked again under the lock: it may have ended, or its clock be gone, by now.
        if hold is None or hold["end_at"] is None or hold["end_at"] > business:
            return False
        expired = holds.ended(hold, "expire", business, now)
        await apply(house, transaction, to_text("req", key.id), hold, expired)
    log(
        "hold_expired",
        hold_id=to_text("hld", key.id),
        merchant_id=to_text("mch", key.merchant_id),
    )
    return True
