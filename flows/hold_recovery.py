"""Finishing what holds left unfinished: unknown outcomes, lost processes, money to give back.

A row is due when its `resume_at` has passed.  The vault is asked first what became of an
attempt; asking fences it, so that one that never began never will.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from adapters.vault_door import NoAnswer
from contract import relay
from domain.ids import to_text
from domain.payments import NETWORK_UNAVAILABLE
from flows.hold_changes import (
    authorisation,
    increment,
    lock_pending_top_up,
    queue_hold,
    queue_top_up,
    record_answer,
    record_top_up,
)
from flows.house import House
from models.hold_draws import has_unheard_draws
from models.hold_leases import lease_holds, lease_top_ups
from models.hold_top_ups import ask_again, pending_top_up
from models.holds import key_of, lock_hold, save_hold
from models.leases import HOLD_LEASE, TOP_UP_LEASE, give_back
from runtime.database import Row
from runtime.log import log
from runtime.shared_metrics import REVERSALS_DECLINED

LEASE: Final = timedelta(seconds=5)
DEADLINE_LIVE: Final = timedelta(minutes=15)
DEADLINE_SANDBOX: Final = timedelta(seconds=30)
_NOT_NOW: Final = (NETWORK_UNAVAILABLE, "attempt_fenced")


async def lease_due_holds(house: House, free: int) -> list[Row]:
    """Up to `free` holds that are due now, for this worker to look after."""
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        return await lease_holds(transaction, now, now + LEASE, free)


async def give_back_holds(house: House, leased: Sequence[Row]) -> None:
    """Let other workers look after leased holds at once."""
    async with house.database.transaction() as transaction:
        await give_back(transaction, HOLD_LEASE, leased, house.clock.now())


async def lease_due_top_ups(house: House, free: int) -> list[Row]:
    """Up to `free` top-ups that are due now."""
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        return await lease_top_ups(transaction, now, now + LEASE, free)


async def give_back_top_ups(house: House, leased: Sequence[Row]) -> None:
    """Let other workers look after leased top-ups at once."""
    async with house.database.transaction() as transaction:
        await give_back(transaction, TOP_UP_LEASE, leased, house.clock.now())


async def resume_hold(house: House, hold: Row) -> None:
    """Look after one leased hold: what is pending is asked about, what has ended given back."""
    try:
        if hold["status"] == "pending":
            await _resume(house, hold)
        else:
            await _give_back(house, hold)
    except NoAnswer as silence:
        log("hold_postponed", hold_id=to_text("hld", hold["id"]), reason=silence.reason)


async def resume_top_up(house: House, top_up: Row) -> None:
    """Look after one leased top-up."""
    try:
        await _resume_top_up(house, top_up)
    except NoAnswer as silence:
        log("top_up_postponed", hold_id=to_text("hld", top_up["hold_id"]), reason=silence.reason)


def _request_id(row: Row) -> str:
    """Recovery answers no request: its lines and events carry the row's own id."""
    return to_text("req", row["id"])


async def _resolve(
    house: House, row: Row, attempt_id: UUID, *, give_up: bool = False
) -> relay.Resolution:
    answer = await house.vault.call(
        relay.Resolve(
            request_id=_request_id(row),
            merchant_id=row["merchant_id"],
            livemode=row["livemode"],
            attempt_id=attempt_id,
            give_up=give_up,
        )
    )
    if not isinstance(answer, relay.Resolution):
        raise TypeError("the vault answers resolve with a resolution")
    log("attempt_resolved", hold_or_top_up=row["id"], state=answer.state)
    return answer


def _is_late(house: House, row: Row) -> bool:
    deadline = DEADLINE_LIVE if row["livemode"] else DEADLINE_SANDBOX
    return bool(house.clock.now() - row["created_at"] > deadline)


async def _resume(house: House, hold: Row) -> None:
    resolution = await _resolve(house, hold, hold["attempt_id"])
    if resolution.decision is not None:
        await record_answer(house, _request_id(hold), hold, resolution.decision)
    elif _is_late(house, hold):
        # What may still be approved is given back by this same recovery.
        undecided = resolution.state == "undecided"
        await record_answer(house, _request_id(hold), hold, None, undecided=undecided)
    elif resolution.state == "never_begun":
        await _authorise_again(house, hold)
    else:
        await _queue(house, hold)


async def _queue(house: House, hold: Row) -> None:
    """Tell the merchant that it waits for its network, where its own request did not."""
    if hold["pending_reason"] is None:
        await queue_hold(house, hold, hold["resume_at"])


async def _authorise_again(house: House, hold: Row) -> None:
    """A new attempt: committed before it is asked for, like the first."""
    async with house.database.transaction() as transaction:
        locked = await lock_hold(transaction, key_of(hold))
        if locked is None or locked["status"] != "pending":
            return
        if locked["attempt_id"] != hold["attempt_id"]:
            return
        again = {**locked, "attempt_id": house.new_id()}
        await save_hold(transaction, locked, again)
    answer = await house.vault.call(authorisation(_request_id(hold), again))
    decision = _decision_of(answer)
    if decision is not None:
        await record_answer(house, _request_id(hold), again, decision)
    else:
        await _queue(house, again)


def _decision_of(answer: relay.Answer) -> relay.Decision | None:
    """None where nobody decided: the network is away, or another worker was faster."""
    if isinstance(answer, relay.Decision):
        return answer
    if isinstance(answer, relay.Rejected) and answer.code in _NOT_NOW:
        return None
    # The card is gone.
    return relay.Decision(outcome="declined", network="", code="processing_error")


async def _resume_top_up(house: House, top_up: Row) -> None:
    # Past the deadline nothing is waited for: the vault gives back what is approved yet.
    give_up = _is_late(house, top_up)
    resolution = await _resolve(house, top_up, top_up["attempt_id"], give_up=give_up)
    if resolution.decision is not None:
        await record_top_up(house, _request_id(top_up), top_up, resolution.decision)
    elif resolution.state == "never_begun":
        await _add_again(house, top_up)
    else:
        await queue_top_up(house, top_up)


async def _add_again(house: House, top_up: Row) -> None:
    """Under a new attempt, unless the hold has ended or the deadline has passed."""
    async with house.database.transaction() as transaction:
        locked = await lock_pending_top_up(transaction, top_up)
        if locked is None or locked.top_up["attempt_id"] != top_up["attempt_id"]:
            return
        hold, row = locked
        over = hold["status"] != "active" or _is_late(house, row)
        again = {**row, "attempt_id": house.new_id()}
        if not over:
            await ask_again(transaction, row, again["attempt_id"])
    if over:
        await record_top_up(house, _request_id(top_up), top_up, None)
        return
    answer = await house.vault.call(increment(_request_id(top_up), hold, again))
    decision = _decision_of(answer)
    if decision is not None:
        await record_top_up(house, _request_id(top_up), again, decision)
    else:
        await queue_top_up(house, again)


async def _give_back(house: House, hold: Row) -> None:
    """Reverse what is left of an ended hold, once nothing more can come to it or out of it."""
    key = key_of(hold)
    async with house.database.reading() as transaction:
        waits = await pending_top_up(transaction, key) or await has_unheard_draws(transaction, key)
    if waits:
        return
    if hold["status"] == "failed":
        resolution = await _resolve(house, hold, hold["attempt_id"])
        if resolution.state == "undecided":
            return
        if resolution.decision is None or resolution.decision.outcome != "approved":
            await _given_back(house, hold, "never_approved")
            return
    answer = await house.vault.call(_reversal(hold))
    if isinstance(answer, relay.Rejected) and answer.code in _NOT_NOW:
        return
    outcome = answer.outcome if isinstance(answer, relay.Decision) else "unknown_to_the_network"
    if outcome == "declined":
        REVERSALS_DECLINED.labels("hold").inc()
    await _given_back(house, hold, outcome)


def _reversal(hold: Row) -> relay.Reverse:
    """Under the hold's own attempt, as often as it takes: the network does it once."""
    return relay.Reverse(
        request_id=_request_id(hold),
        merchant_id=hold["merchant_id"],
        livemode=hold["livemode"],
        attempt_id=hold["reversal_attempt_id"],
        payment_id=hold["id"],
    )


async def _given_back(house: House, hold: Row, outcome: str) -> None:
    log("hold_given_back", hold_id=to_text("hld", hold["id"]), outcome=outcome)
    async with house.database.transaction() as transaction:
        locked = await lock_hold(transaction, key_of(hold))
        if locked is not None:
            await save_hold(transaction, locked, {**locked, "resume_at": None})
