"""What holds and top-ups ask of the network, and what its answer changes.

Used by the request that asked and by the worker that resumes it; whoever is second finds
the other's word and changes nothing.  The hold's row is locked before all that hangs on it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from contract import relay
from domain import holds
from domain.callers import Asking
from domain.holds import Change, Decline
from domain.ids import from_text
from domain.payments import NETWORK_UNAVAILABLE
from domain.refusals import Declined, Missing, Refusal
from flows.house import House
from flows.replies import keep_refusal
from models import idempotency
from models.hold_top_ups import end_top_up, lock_top_up
from models.holds import HoldKey, key_of, lock_hold, save_hold
from models.idempotency import KeyName
from models.outbox import record_event
from runtime.database import Row, Transaction

OK: Final = 200
CREATED: Final = 201
ACCEPTED: Final = 202
_APPROVED: Final = "approved"


@dataclass(frozen=True, slots=True)
class Ended:
    """A hold as an answer left it, and what is refused because of it."""

    hold: Row
    refusal: Refusal | None


class PendingTopUp(NamedTuple):
    """A top-up whose answer is out, and its hold; both locked, the hold first."""

    hold: Row
    top_up: Row


def hold_key(asking: Asking, hold_id: str) -> HoldKey:
    """The key of a hold that a request names; 404 for what is no id of one."""
    identifier = from_text("hld", hold_id)
    if identifier is None:
        raise missing()
    return HoldKey(identifier, asking.caller.merchant_id, asking.caller.livemode)


def missing() -> Missing:
    """404: this merchant has no such hold in this mode."""
    return Missing("resource_missing", "hold_id")


def authorisation(request_id: str, hold: Row) -> relay.Authorise:
    """What is asked for a new hold."""
    return relay.Authorise(
        request_id=request_id,
        merchant_id=hold["merchant_id"],
        livemode=hold["livemode"],
        attempt_id=hold["attempt_id"],
        payment_id=hold["id"],
        instrument_id=hold["payment_method_id"],
        amount=hold["amount"],
        currency=hold["currency"],
        capture=False,
    )


def increment(request_id: str, hold: Row, top_up: Row) -> relay.Authorise:
    """What is asked for more of a hold."""
    return relay.Authorise(
        request_id=request_id,
        merchant_id=hold["merchant_id"],
        livemode=hold["livemode"],
        attempt_id=top_up["attempt_id"],
        payment_id=top_up["id"],
        instrument_id=hold["payment_method_id"],
        amount=top_up["amount"],
        currency=top_up["currency"],
        capture=False,
        hold_id=hold["id"],
    )


def refusal_of(hold: Row) -> Declined | None:
    """The 402 that a failed hold is answered with; None where it did not fail."""
    if hold["status"] != "failed":
        return None
    code = hold["failure_code"]
    shown = "processing_error" if code == NETWORK_UNAVAILABLE else code
    return Declined(shown, decline_code=hold["decline_code"], hold_id=hold["id"])


def _decline_of(decision: relay.Decision) -> Decline:
    # Where no network decided, it has no name.
    return Decline(decision.network or None, decision.code, decision.decline_code)


async def record_answer(
    house: House,
    request_id: str,
    hold: Row,
    decision: relay.Decision | None,
    *,
    undecided: bool = False,
) -> Ended | None:
    """Write what the network said of a new hold, or that it said nothing until its deadline.

    `undecided`: it may still say yes, and the hold stays with the worker that reverses it.
    None where the hold was no longer pending under this attempt.
    """
    async with house.database.transaction() as transaction:
        locked = await lock_hold(transaction, key_of(hold))
        if locked is None or locked["status"] != "pending":
            return None
        if locked["attempt_id"] != hold["attempt_id"]:
            return None
        change = _answered(house, locked, decision, undecided)
        await apply(house, transaction, request_id, locked, change)
        ended = Ended(change.hold, refusal_of(change.hold))
        await keep_reply(transaction, hold, ended, CREATED)
    return ended


def _answered(house: House, hold: Row, decision: relay.Decision | None, undecided: bool) -> Change:
    now = house.clock.now()
    if decision is None:
        return holds.given_up(hold, now, now if undecided else None)
    if decision.outcome == _APPROVED:
        return holds.approved(hold, decision.network)
    return holds.failed(hold, _decline_of(decision), now)


async def record_top_up(
    house: House, request_id: str, top_up: Row, decision: relay.Decision | None
) -> Ended | None:
    """Write what the network said of a top-up, or that it is given up.

    What it agreed to after the hold had ended is given back with the hold.  None where the
    top-up was no longer pending under this attempt.
    """
    async with house.database.transaction() as transaction:
        locked = await lock_pending_top_up(transaction, top_up)
        if locked is None or locked.top_up["attempt_id"] != top_up["attempt_id"]:
            return None
        ended = await _end_top_up(house, transaction, request_id, locked, decision)
        await keep_reply(transaction, locked.top_up, ended, OK)
    return ended


async def lock_pending_top_up(transaction: Transaction, top_up: Row) -> PendingTopUp | None:
    """A top-up and its hold as they stand, locked; None where it is not pending any more."""
    key = HoldKey(top_up["hold_id"], top_up["merchant_id"], top_up["livemode"])
    hold = await lock_hold(transaction, key)
    row = await lock_top_up(transaction, top_up)
    if hold is None or row is None or row["status"] != "pending":
        return None
    return PendingTopUp(hold, row)


async def _end_top_up(
    house: House,
    transaction: Transaction,
    request_id: str,
    locked: PendingTopUp,
    decision: relay.Decision | None,
) -> Ended:
    hold, top_up = locked
    active = hold["status"] == "active"
    if decision is not None and decision.outcome == _APPROVED:
        await end_top_up(transaction, top_up, "succeeded" if active else "returned")
        if not active:
            return Ended(hold, holds.unexpected(hold["status"]))
        change = holds.topped_up(hold, top_up["amount"])
        await apply(house, transaction, request_id, hold, change)
        return Ended(change.hold, None)
    await end_top_up(transaction, top_up, "failed")
    if not active:
        return Ended(hold, holds.unexpected(hold["status"]))
    change = holds.not_topped_up(hold)
    await apply(house, transaction, request_id, hold, change)
    after = await use_up_if_empty(house, transaction, request_id, change.hold)
    if decision is None:
        return Ended(after, Declined("processing_error"))
    decline = _decline_of(decision)
    return Ended(
        after, Declined(decline.code or "card_declined", decline_code=decline.decline_code)
    )


async def queue_hold(house: House, hold: Row, resume_at: datetime) -> Row | None:
    """Tell that a hold waits for its network: a worker asks from `resume_at` on.

    The hold as it waits; None where it is not pending any more.
    """
    async with house.database.transaction() as transaction:
        locked = await lock_hold(transaction, key_of(hold))
        if locked is None or locked["status"] != "pending":
            return None
        queued = holds.queued(locked, resume_at)
        await save_hold(transaction, locked, queued)
        await keep_reply(transaction, hold, Ended(queued, None), ACCEPTED)
    return queued


async def queue_top_up(house: House, top_up: Row) -> Row | None:
    """Tell that a top-up waits for its network: a worker asks.

    The hold as it stands; None where the top-up is not pending any more.
    """
    async with house.database.transaction() as transaction:
        locked = await lock_pending_top_up(transaction, top_up)
        if locked is None:
            return None
        await keep_reply(transaction, top_up, Ended(locked.hold, None), ACCEPTED)
    return locked.hold


async def use_up_if_empty(
    house: House, transaction: Transaction, request_id: str, hold: Row
) -> Row:
    """A standing hold of which nothing is left, and to which nothing comes, is used up."""
    if hold["status"] != "active" or holds.left_of(hold):
        return hold
    change = holds.used_up(hold, house.clock.now())
    await apply(house, transaction, request_id, hold, change)
    return change.hold


async def apply(
    house: House, transaction: Transaction, request_id: str, before: Row, change: Change
) -> None:
    """Save a locked hold's step, with its event."""
    after = change.hold
    await save_hold(transaction, before, after)
    await record_event(
        transaction,
        event_id=house.new_id(),
        merchant_id=after["merchant_id"],
        livemode=after["livemode"],
        event_type=change.event,
        object_id=after["id"],
        sequence=after["event_sequence"],
        object=orjson.dumps(holds.resource(after)).decode(),
        request_id=request_id,
        occurred_at=house.clock.now(),
    )


async def keep_reply(transaction: Transaction, asked: Row, ended: Ended, status: int) -> None:
    """Keep the outcome as the reply of the key that a hold or top-up was asked under."""
    key: UUID | None = asked["idempotency_key"]
    if key is None:
        return
    name = KeyName(key, asked["merchant_id"], asked["livemode"])
    if ended.refusal is None:
        shown = orjson.dumps(holds.resource(ended.hold)).decode()
        await idempotency.answer(transaction, name, status, shown)
    elif ended.refusal.status in (Declined.status, 422):
        await keep_refusal(transaction, name, ended.refusal)
