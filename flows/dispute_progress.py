"""Moving disputes on when they are due: evidence goes to the network, deadlines pass.

A dispute holds its due moment in business time and its lease in wall time, so that a test
clock that stands still keeps no worker's lease alive.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from adapters.vault_door import NoAnswer
from contract import relay
from domain import disputes
from domain.ids import to_text
from flows.dispute_changes import end_dispute, now_of
from flows.house import House
from models.disputes import (
    evidence_handed_over,
    key_of,
    lease_disputes,
    lock_dispute,
    postpone_dispute,
    save_dispute,
)
from models.leases import DISPUTE_LEASE, give_back
from runtime.database import Row
from runtime.log import log

# Longer than a call to the vault (3 s) and what is written after it.
LEASE: Final = timedelta(seconds=15)
ASK_AGAIN: Final = timedelta(seconds=1)


async def lease_due_disputes(house: House, limit: int) -> list[Row]:
    """Up to `limit` disputes that are due now, for this worker to move on."""
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        return await lease_disputes(transaction, now, now + LEASE, limit)


async def give_back_disputes(house: House, leased: Sequence[Row]) -> None:
    """Let other workers move leased disputes on at once."""
    async with house.database.transaction() as transaction:
        await give_back(transaction, DISPUTE_LEASE, leased, house.clock.now())


async def move_on(house: House, dispute: Row) -> None:
    """Do what a leased dispute is due for."""
    request_id = to_text("req", house.new_id())
    if dispute["status"] == disputes.UNDER_REVIEW:
        await _hand_over(house, request_id, dispute)
    else:
        await _expire(house, request_id, dispute)


async def _hand_over(house: House, request_id: str, dispute: Row) -> None:
    """Evidence to the network, which takes it once however often it is handed over."""
    try:
        answer = await house.vault.call(_representment(request_id, dispute))
    except NoAnswer as silence:
        reason = silence.reason
    else:
        if isinstance(answer, relay.Done):
            async with house.database.transaction() as transaction:
                await evidence_handed_over(transaction, dispute)
            _log("evidence_handed_over", request_id, dispute)
            return
        reason = answer.code if isinstance(answer, relay.Rejected) else "not understood"
    async with house.database.transaction() as transaction:
        await postpone_dispute(transaction, dispute, house.clock.now() + ASK_AGAIN)
    _log("evidence_postponed", request_id, dispute, reason=reason)


async def _expire(house: House, request_id: str, dispute: Row) -> None:
    """Lost, unless it was answered meanwhile or the merchant's clock says there is time."""
    key = key_of(dispute)
    async with house.database.transaction() as transaction:
        if disputes.overdue(dispute, await now_of(house, transaction, key)):
            await end_dispute(house, transaction, request_id, key, "expire")
            _log("evidence_overdue", request_id, dispute)
            return
        locked = await lock_dispute(transaction, key)
        if locked is not None and locked["status"] == disputes.NEEDS_RESPONSE:
            waiting = {**locked, "work_at": locked["evidence_due_by"]}
            await save_dispute(transaction, locked, waiting)


def _representment(request_id: str, dispute: Row) -> relay.Represent:
    return relay.Represent(
        request_id=request_id,
        merchant_id=dispute["merchant_id"],
        livemode=dispute["livemode"],
        chargeback_id=dispute["chargeback_id"],
        text=dispute["evidence_text"],
        receipt_url=dispute["evidence_receipt_url"],
        shipping_tracking=dispute["evidence_shipping_tracking"],
        customer_communication=dispute["evidence_customer_communication"],
    )


def _log(event: str, request_id: str, dispute: Row, **fields: str) -> None:
    log(
        event,
        dispute_id=to_text("dsp", dispute["id"]),
        merchant_id=to_text("mch", dispute["merchant_id"]),
        request_id=request_id,
        **fields,
    )
