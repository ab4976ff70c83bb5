"""What a capture or cancellation asks of the network, and what its answer changes.

Used by the request that began the operation and by the worker that resumes it.
"""

from contract import relay
from domain import payments
from domain.refusals import Unprocessable
from flows.house import House
from flows.payment_events import record_payment_event
from models.payment_changes import save_payment
from runtime.database import Row, Transaction

_NOT_NOW = (payments.NETWORK_UNAVAILABLE, "attempt_fenced")
_NO_OPERATION = {
    "operation": None,
    "operation_amount": None,
    "operation_attempt_id": None,
    "operation_key": None,
    "resume_at": None,
}


def put_back(payment: Row) -> Row:
    """The payment as it was before its operation began."""
    return {**payment, **_NO_OPERATION}


async def ask_network(house: House, request_id: str, payment: Row) -> relay.Decision | None:
    """Ask for the payment's operation; raises the door's NotBegun or Unknown.

    None: it cannot be done now.  The network is away, or a worker has taken the request for
    lost and asks in its place.
    """
    message: relay.Request
    if payment["operation"] == "capture":
        message = relay.Capture(
            request_id=request_id,
            merchant_id=payment["merchant_id"],
            livemode=payment["livemode"],
            attempt_id=payment["operation_attempt_id"],
            payment_id=payment["id"],
            amount=payment["operation_amount"],
            currency=payment["currency"],
        )
    else:
        message = relay.Reverse(
            request_id=request_id,
            merchant_id=payment["merchant_id"],
            livemode=payment["livemode"],
            attempt_id=payment["operation_attempt_id"],
            payment_id=payment["id"],
        )
    with house.room.waiting(request_id):
        answer = await house.vault.call(message)
    if isinstance(answer, relay.Decision):
        return answer
    if isinstance(answer, relay.Rejected) and answer.code in _NOT_NOW:
        return None
    # The vault knows no such authorisation: it can neither be captured nor held.
    return relay.Decision(outcome="declined", network=payment["network"] or "")


def refusal_of_operation(decision: relay.Decision, after: Row) -> Unprocessable | None:
    """The 422 of an operation that the network declined; None where it did not."""
    if decision.outcome == "approved":
        return None
    return Unprocessable("payment_unexpected_state", status=after["status"])


async def finish_operation(
    house: House,
    transaction: Transaction,
    request_id: str,
    payment: Row,
    decision: relay.Decision,
) -> Row:
    """Save what the answer makes of a locked payment; the row as it then stands."""
    if decision.outcome == "approved":
        after, step = ended(house, payment)
    else:
        after, step = _declined(payment)
    async with transaction.together():
        await save_payment(transaction, payment, after)
        await record_payment_event(house, transaction, request_id, after, step.event)
    return after


def _declined(payment: Row) -> tuple[Row, payments.Transition]:
    """A payment whose capture or cancellation was declined: as it was, and told of."""
    step = payments.transition(payment["status"], f"fail_{payment['operation']}")
    after = put_back(payment)
    after["event_sequence"] = payment["event_sequence"] + 1
    return after, step


def ended(house: House, payment: Row) -> tuple[Row, payments.Transition]:
    """What an approved capture or cancellation makes of its payment, and by which step."""
    step = payments.transition(payment["status"], payment["operation"])
    after = put_back(payment)
    after["status"] = step.becomes
    after["expires_at"] = None
    after["event_sequence"] = payment["event_sequence"] + 1
    if payment["operation"] == "capture":
        after["amount_captured"] = payment["operation_amount"]
        after["captured_at"] = house.clock.now()
    return after, step
