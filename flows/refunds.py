"""Refunding a captured payment.

The amount is reserved on the payment's row in the transaction that writes the refund, so
that refunds that race for the same money cannot both have it; the network is asked
afterwards by a worker (flows/refund_settlement.py).
"""

from typing import Any, Final, NamedTuple

import orjson

from domain import refunds
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing
from flows.house import House
from flows.replies import Reply, once_decided
from models.outbox import record_event
from models.payment_changes import lock_payment, save_payment
from models.payment_reads import PaymentKey
from models.refunds import insert_refund, read_refund
from models.test_clocks import due_at_once
from runtime.database import Row, Transaction

CREATED: Final = 201


class _Reservation(NamedTuple):
    """A locked payment that has enough left, and the refund that takes it."""

    payment: Row
    refund: Row


async def create_refund(
    house: House, asking: Asking, payment_id: str, amount: int | None, reason: str | None
) -> Reply:
    """Reserve `amount` (what is left, when None) and answer 201 with a pending refund.

    Raises 404, 422 `payment_unexpected_state` or `refund_exceeds_capture`.
    """

    async def decide(transaction: Transaction) -> _Reservation:
        payment = await _locked(transaction, asking, payment_id)
        refund = _new_refund(house, payment, refunds.refund_amount(payment, amount), reason)
        scope = (refund["merchant_id"], refund["livemode"])
        refund["settle_at"] = await due_at_once(transaction, *scope, refund["created_at"])
        return _Reservation(payment, refund)

    async def write(transaction: Transaction, reservation: _Reservation) -> Reply:
        payment, refund = reservation
        reserved = {**payment, "amount_refunded": payment["amount_refunded"] + refund["amount"]}
        await save_payment(transaction, payment, reserved)
        await insert_refund(transaction, refund)
        await _announce(house, asking, transaction, refund)
        return Reply(CREATED, refunds.resource(refund))

    return await once_decided(house, asking, decide, write)


async def retrieve_refund(house: House, payment: Row, refund_id: str) -> dict[str, Any]:
    """A refund of `payment`, or 404."""
    identifier = from_text("ref", refund_id)
    row = None
    if identifier is not None:
        async with house.database.transaction() as transaction:
            row = await read_refund(transaction, payment, identifier)
    if row is None:
        raise Missing("resource_missing", "refund_id")
    return refunds.resource(row)


async def _locked(transaction: Transaction, asking: Asking, payment_id: str) -> Row:
    identifier = from_text("pay", payment_id)
    payment = None
    if identifier is not None:
        key = PaymentKey(identifier, asking.caller.merchant_id, asking.caller.livemode)
        payment = await lock_payment(transaction, key)
    if payment is None:
        raise Missing("resource_missing", "payment_id")
    return payment


def _new_refund(house: House, payment: Row, amount: int, reason: str | None) -> Row:
    now = house.clock.now()
    return {
        "id": house.new_id(),
        "merchant_id": payment["merchant_id"],
        "livemode": payment["livemode"],
        "payment_id": payment["id"],
        "amount": amount,
        "currency": payment["currency"],
        "status": "pending",
        "reason": reason,
        "failure_code": None,
        "event_sequence": 1,
        "created_at": now,
    }


async def _announce(house: House, asking: Asking, transaction: Transaction, refund: Row) -> None:
    await record_event(
        transaction,
        event_id=house.new_id(),
        merchant_id=refund["merchant_id"],
        livemode=refund["livemode"],
        event_type="refund.created",
        object_id=refund["id"],
        sequence=refund["event_sequence"],
        object=orjson.dumps(refunds.resource(refund)).decode(),
        request_id=asking.request_id,
        occurred_at=refund["created_at"],
    )
