"""Telling the network of draws: a capture of the drawn amount against the hold's approval.

Asked under the draw's attempt until it is answered, across restarts: the vault puts it to the
network again, and the network does it once.

A network may refuse what it has approved.  The merchant was told that the payment is captured,
and keeps its money; nothing more is promised on that hold, and what a day of asking does not
get is Paymint's loss (docs/decisions/0045-refused-draws.md).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from adapters.vault_door import NoAnswer
from contract import relay
from domain import asking_again, holds
from domain.ids import to_text
from domain.payments import NETWORK_UNAVAILABLE
from flows.hold_changes import apply
from flows.house import House
from models.hold_draws import draw_heard, lose_draw, present_again
from models.hold_leases import lease_draws
from models.holds import HoldKey, lock_hold, save_hold
from models.leases import DRAW_LEASE, give_back
from models.test_clocks import business_now
from runtime.database import Row
from runtime.log import log

# Longer than a call to the vault.
LEASE: Final = timedelta(seconds=10)
ASK_AGAIN: Final = timedelta(seconds=1)
# Under a new attempt each time, until so long after the draw.
ASK_AGAIN_AFTER_A_REFUSAL: Final = timedelta(minutes=1)
ASKED_FOR: Final = timedelta(days=1)


async def lease_due_draws(house: House, free: int) -> list[Row]:
    """Up to `free` draws that the network is to hear of now."""
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        return await lease_draws(transaction, now, now + LEASE, free)


async def give_back_draws(house: House, leased: Sequence[Row]) -> None:
    """Let other workers present leased draws at once."""
    async with house.database.transaction() as transaction:
        await give_back(transaction, DRAW_LEASE, leased, house.clock.now())


async def present(house: House, draw: Row) -> None:
    """Tell the network of one leased draw; what it does not answer is asked again."""
    payment_id = to_text("pay", draw["id"])
    try:
        answer = await house.vault.call(_capture(draw))
    except NoAnswer as silence:
        log("draw_postponed", payment_id=payment_id, reason=silence.reason)
        await _again(house, draw, draw["attempt_id"], _pause(house, draw))
        return
    if isinstance(answer, relay.Decision) and answer.outcome == "approved":
        async with house.database.transaction() as transaction:
            await draw_heard(transaction, draw)
    elif isinstance(answer, relay.Rejected) and answer.code == NETWORK_UNAVAILABLE:
        await _again(house, draw, draw["attempt_id"], _pause(house, draw))
    else:
        await _refused(house, draw)


def _capture(draw: Row) -> relay.Capture:
    return relay.Capture(
        request_id=to_text("req", draw["id"]),
        merchant_id=draw["merchant_id"],
        livemode=draw["livemode"],
        attempt_id=draw["attempt_id"],
        payment_id=draw["id"],
        amount=draw["amount"],
        currency=draw["currency"],
        hold_id=draw["hold_id"],
    )


def _pause(house: House, draw: Row) -> timedelta:
    return asking_again.pause(house.clock.now() - draw["created_at"], ASK_AGAIN)


async def _again(house: House, draw: Row, attempt_id: UUID, pause: timedelta) -> None:
    async with house.database.transaction() as transaction:
        await present_again(transaction, draw, attempt_id, house.clock.now() + pause)


async def _refused(house: House, draw: Row) -> None:
    """Ask for it again, or give it up; either way the hold is drawn on no more."""
    now = house.clock.now()
    key = HoldKey(draw["hold_id"], draw["merchant_id"], draw["livemode"])
    async with house.database.transaction() as transaction:
        business = await business_now(transaction, key.merchant_id, key.livemode, now)
        hold = await lock_hold(transaction, key)
        if hold is None:
            raise LookupError("a draw without its hold")
        lost = now - draw["created_at"] > ASKED_FOR and await lose_draw(transaction, draw, now)
        if not lost:
            # What was decided stays decided under its attempt.
            again = now + ASK_AGAIN_AFTER_A_REFUSAL
            await present_again(transaction, draw, house.new_id(), again)
        if hold["status"] == "active":
            released = holds.ended(hold, "release", business, now)
            await apply(house, transaction, to_text("req", draw["id"]), hold, released)
        elif lost and hold["status"] == "used_up":
            # The network holds what it refused to give: it is given back to the payer.
            await save_hold(transaction, hold, {**hold, "resume_at": now})
    log(
        "draw_lost" if lost else "draw_refused",
        payment_id=to_text("pay", draw["id"]),
        hold_id=to_text("hld", draw["hold_id"]),
        merchant_id=to_text("mch", draw["merchant_id"]),
        amount=draw["amount"],
        currency=draw["currency"],
    )
