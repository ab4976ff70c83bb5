"""The two commits of a capture or cancellation that goes as planned, shared by all who wait.

Each is one coalesced statement that changes nothing where anything is different: then the
payment's row is locked and asked what it is (flows/payment_operations.py).
"""

from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from domain import ledger, moments, payments
from domain.callers import Asking
from domain.ids import from_text
from domain.payments import Transition
from domain.remembering import payment_decided
from flows.house import House
from flows.operation_outcomes import ended
from models.operation_begin import NewOperation
from models.operation_end import EndedOperation
from runtime.database import Row

RESUME_AFTER: Final = timedelta(seconds=10)
OK: Final = 200
# Only what is authorised has anything to ask a network for.
_WAS: Final = "authorized"


class Wanted(NamedTuple):
    """What a request asks for; `amount` in minor units, None for all there is.

    It is begun under `attempt_id`, however often that is tried.
    """

    payment_id: str
    operation: str
    attempt_id: UUID
    amount: int | None = None


async def begin_at_once(house: House, asking: Asking, wanted: Wanted) -> Row | None:
    """Claim the key and record the operation; the payment as it then stands.

    None where nothing was begun: there is no such payment, it is in another state or in
    another operation, less was authorised, or the key was used before.
    """
    identifier = from_text("pay", wanted.payment_id)
    once, caller = asking.once, asking.caller
    if identifier is None or (once is not None and once.seen_before):
        return None
    now = house.clock.now()
    operation = NewOperation(
        id=identifier,
        merchant_id=caller.merchant_id,
        livemode=caller.livemode,
        was=_WAS,
        operation=wanted.operation,
        amount=wanted.amount,
        attempt_id=wanted.attempt_id,
        key=None if once is None else once.key,
        digest=None if once is None else once.digest.hex(),
        created_at=moments.to_text(now),
        resume_at=moments.to_text(now + RESUME_AFTER),
    )
    return await house.begin.submit(operation)


async def end_at_once(house: House, asking: Asking, payment: Row) -> Row | None:
    """Record the network's yes to the operation of `payment`; the row as it then stands.

    None where the payment carries this attempt no more.
    """
    after, step = ended(house, payment)
    seen_at = house.remembered.moment()
    if not await house.end.submit(_end_of(house, asking, payment, after, step)):
        return None
    if house.remembered.on:
        house.remembered.write(payment_decided(after), seen_at)
    return after


def _end_of(
    house: House, asking: Asking, before: Row, after: Row, step: Transition
) -> EndedOperation:
    if step.event is None:
        raise LookupError("a capture and a cancellation have their events")
    captured_at = after["captured_at"]
    return EndedOperation(
        id=after["id"],
        merchant_id=after["merchant_id"],
        attempt_id=before["operation_attempt_id"],
        was=before["status"],
        status=after["status"],
        amount_captured=after["amount_captured"],
        captured_at=None if captured_at is None else moments.to_text(captured_at),
        movements=[each._asdict() for each in ledger.of_payment(before, after)],
        key=before["operation_key"],
        reply_status=OK,
        event_id=house.new_id(),
        event_type=step.event,
        object=payments.resource(after),
        request_id=asking.request_id,
        occurred_at=moments.to_text(house.clock.now()),
    )
