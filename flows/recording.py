"""Recording what the network said about a pending payment, for requests and workers alike."""

from contract import relay
from domain import authorisations, payments
from domain.authorisations import Outcome
from domain.fees import capture_fee
from domain.refusals import Declined
from domain.remembering import payment_decided
from flows.house import House
from flows.replies import kept_refusal
from models.payment_decide import DecidedPayment
from runtime.database import Row

CREATED = 201
ACCEPTED = 202


def outcome_of(house: House, payment: Row, decision: relay.Decision) -> Outcome:
    """What a certain answer makes of the payment."""
    if decision.velocity_flag:
        payment = authorisations.flagged(payment)
    if decision.outcome == "approved":
        return authorisations.approved(payment, decision.network, house.clock.now())
    return authorisations.declined(payment, decision.network, decision.code, decision.decline_code)


def refusal_of(outcome: Outcome) -> Declined | None:
    """The 402 that a failed payment is answered with; None where it did not fail."""
    payment = outcome.payment
    if payment["status"] != "failed":
        return None
    return Declined(
        _decline_code_for_merchants(payment["failure_code"]),
        decline_code=payment["decline_code"],
        payment_id=payment["id"],
    )


def _decline_code_for_merchants(failure_code: str) -> str:
    # A payment that was given up has no card to blame; its reply is the catalogue's
    # nearest card error, and the payment itself says network_unavailable.
    return "processing_error" if failure_code == payments.NETWORK_UNAVAILABLE else failure_code


async def record_outcome(house: House, request_id: str, outcome: Outcome) -> Row | None:
    """Write the outcome with its event and the reply of its key, in one commit.

    The payment as its event shows it; None when it was no longer pending under this attempt.
    """
    payment = outcome.payment
    resource = payments.resource(payment)
    refusal = refusal_of(outcome)
    status = CREATED if refusal is None else refusal.status
    if payment["status"] == "pending":
        status = ACCEPTED
    seen_at = house.remembered.moment()
    decided = DecidedPayment(
        id=payment["id"],
        merchant_id=payment["merchant_id"],
        livemode=payment["livemode"],
        attempt_id=payment["attempt_id"],
        was="pending",
        status=payment["status"],
        amount_authorized=payment["amount_authorized"],
        amount_captured=payment["amount_captured"],
        fee=capture_fee(payment["amount_captured"]) if payment["amount_captured"] else 0,
        captured_at=payment["captured_at"],
        network=payment["network"],
        failure_code=payment["failure_code"],
        decline_code=payment["decline_code"],
        pending_reason=payment["pending_reason"],
        resume_at=payment["resume_at"],
        risk_signals=payment["risk_signals"],
        key=payment["idempotency_key"],
        reply_status=status,
        reply=None if refusal is None else kept_refusal(refusal),
        event_id=house.new_id(),
        event_type=outcome.event,
        object=resource,
        request_id=request_id,
        occurred_at=house.clock.now(),
    )
    recorded = await house.decide.submit(decided)
    if recorded and house.remembered.on:
        house.remembered.write(payment_decided(payment), seen_at)
    return resource if recorded else None
