"""Writing the event of a payment that was changed under its row lock."""

import orjson

from domain import payments
from flows.house import House
from models.outbox import record_event
from models.payment_changes import event_fields
from runtime.database import Row, Transaction


async def record_payment_event(
    house: House,
    transaction: Transaction,
    request_id: str,
    payment: Row,
    event_type: str | None,
) -> None:
    """Write `event_type` with the payment as it stands; None: the step has no event."""
    if event_type is None:
        return
    shown = orjson.dumps(payments.resource(payment)).decode()
    await record_event(
        transaction,
        event_id=house.new_id(),
        event_type=event_type,
        request_id=request_id,
        occurred_at=house.clock.now(),
        **event_fields(payment, shown),
    )
