"""Opening and closing a dispute under its payment's row lock, for workers and helpers alike.

Payment, dispute, counters and event change in one commit.  Told twice, a chargeback opens
one dispute and ends it once.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from contract import relay
from domain import disputes
from domain.callers import Asking
from domain.ids import from_text, to_text
from domain.refusals import Missing
from flows.house import House
from models.disputes import (
    DisputeKey,
    insert_dispute,
    key_of,
    lock_dispute,
    read_dispute,
    save_dispute,
)
from models.outbox import record_event
from models.payment_changes import lock_payment, save_payment
from models.payment_reads import PaymentKey
from models.refund_settlement import count_pending
from models.test_clocks import business_now
from runtime.database import Row, Transaction
from runtime.log import log

FIRST_EVENT: Final = 1
# Who refunds a little again and again must not keep a dispute away for ever.
WAITS_FOR_REFUNDS: Final = timedelta(days=1)


def dispute_key(asking: Asking, dispute_id: str) -> DisputeKey:
    """Whose dispute is asked for; raises 404 where the id is none."""
    identifier = from_text("dsp", dispute_id)
    if identifier is None:
        raise Missing("resource_missing", "dispute_id")
    return DisputeKey(identifier, asking.caller.merchant_id, asking.caller.livemode)


def key_of_chargeback(chargeback: relay.Chargeback) -> DisputeKey:
    """The dispute that a chargeback is, or will be."""
    identifier = disputes.dispute_id(chargeback.id, chargeback.opened_at_ms)
    return DisputeKey(identifier, chargeback.merchant_id, chargeback.livemode)


async def open_dispute(
    house: House,
    transaction: Transaction,
    request_id: str,
    payment: Row,
    chargeback: relay.Chargeback,
) -> Row | None:
    """The dispute of a chargeback of the locked `payment`, opened unless it is there.

    None when nothing is left of the payment to dispute: then no money is at stake.
    """
    key = key_of_chargeback(chargeback)
    now = await now_of(house, transaction, key)
    known = await lock_dispute(transaction, key)
    if known is not None:
        return known
    amount = min(chargeback.amount, disputes.left_to_dispute(payment))
    if amount <= 0:
        log(
            "chargeback_of_nothing",
            payment_id=to_text("pay", payment["id"]),
            merchant_id=to_text("mch", payment["merchant_id"]),
            request_id=request_id,
        )
        return None
    dispute = _new_dispute(key, payment, chargeback, amount, now)
    held = {**payment, "amount_disputed": payment["amount_disputed"] + amount}
    await save_payment(transaction, payment, held)
    await insert_dispute(transaction, dispute)
    await announce(house, transaction, request_id, dispute, "dispute.created")
    return dispute


async def waits_for_refunds(
    house: House, transaction: Transaction, payment: Row, chargeback: relay.Chargeback
) -> bool:
    """Whether how much is disputed depends on refunds that are on their way.

    Money that is set aside for a refund cannot be disputed; where the refund fails it can, and
    the network has taken it.  After a day what is left is disputed.
    """
    age = timedelta(milliseconds=house.clock.unix_ms() - chargeback.opened_at_ms)
    if chargeback.amount <= disputes.left_to_dispute(payment) or age > WAITS_FOR_REFUNDS:
        return False
    if not await count_pending(transaction, payment):
        return False
    return await read_dispute(transaction, key_of_chargeback(chargeback)) is None


async def end_dispute(
    house: House, transaction: Transaction, request_id: str, key: DisputeKey, action: str
) -> Row | None:
    """Write how a dispute ended: `action` is won, lost or expire.

    Its amount returns to the payment when it was won.  Answers the dispute as it is then:
    unchanged where it had ended before; None where there is none.
    """
    now = await now_of(house, transaction, key)
    payment = await _payment_of(transaction, key)
    dispute = await lock_dispute(transaction, key)
    if dispute is None or payment is None:
        return None
    if not disputes.may_close(dispute["status"], action):
        return dispute
    step = disputes.transition(dispute["status"], action)
    ended = {
        **dispute,
        "status": step.becomes,
        "closed_at": now,
        "work_at": None,
        "event_sequence": dispute["event_sequence"] + 1,
    }
    if step.becomes == "won":
        left = payment["amount_disputed"] - dispute["amount"]
        await save_payment(transaction, payment, {**payment, "amount_disputed": left})
    await save_dispute(transaction, dispute, ended)
    await announce(house, transaction, request_id, ended, step.event)
    return ended


async def announce(
    house: House, transaction: Transaction, request_id: str, dispute: Row, event_type: str
) -> None:
    """Write an event with the dispute as it stands; it is delivered at once."""
    await record_event(
        transaction,
        event_id=house.new_id(),
        merchant_id=dispute["merchant_id"],
        livemode=dispute["livemode"],
        event_type=event_type,
        object_id=dispute["id"],
        sequence=dispute["event_sequence"],
        object=orjson.dumps(disputes.resource(dispute)).decode(),
        request_id=request_id,
        occurred_at=min(house.clock.now(), await now_of(house, transaction, key_of(dispute))),
    )


async def now_of(house: House, transaction: Transaction, key: DisputeKey) -> datetime:
    """The business time of the dispute's merchant; asked before its row is locked."""
    wall = house.clock.now()
    return await business_now(transaction, key.merchant_id, key.livemode, wall)


async def _payment_of(transaction: Transaction, key: DisputeKey) -> Row | None:
    dispute = await read_dispute(transaction, key)
    if dispute is None:
        return None
    payment_key = PaymentKey(dispute["payment_id"], key.merchant_id, key.livemode)
    return await lock_payment(transaction, payment_key)


def _new_dispute(
    key: DisputeKey, payment: Row, chargeback: relay.Chargeback, amount: int, now: datetime
) -> Row:
    due_by = disputes.evidence_due_by(now.astimezone(UTC))
    return {
        "id": key.id,
        "merchant_id": key.merchant_id,
        "livemode": key.livemode,
        "payment_id": payment["id"],
        "chargeback_id": chargeback.id,
        "amount": amount,
        "currency": payment["currency"],
        "reason": chargeback.reason,
        "status": disputes.NEEDS_RESPONSE,
        "evidence_due_by": due_by,
        "evidence_text": None,
        "evidence_receipt_url": None,
        "evidence_shipping_tracking": None,
        "evidence_customer_communication": None,
        "evidence_submitted_at": None,
        "event_sequence": FIRST_EVENT,
        "created_at": now,
        "closed_at": None,
        "work_at": due_by,
        "leased_until": None,
    }
