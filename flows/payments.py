"""Creating a payment: record, ask the network, record the answer.

Two commits around one network call, none of them open across it.  What the caller learns
is certain: 201 and 402 are stored, 503 says that nothing was done, and where the answer
is unknown the caller gets 202 and a worker finds out (contract-decisions, "Money").
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from adapters.vault_door import NotBegun, Unknown
from contract import relay
from domain import authorisations, payments
from domain.callers import Asking
from domain.ids import from_text
from domain.payment_requests import PaymentRequest
from domain.refusals import Conflict, Missing, Refusal, Unavailable, Unprocessable
from domain.risk_signals import from_country
from flows.authorising import authorise
from flows.house import House
from flows.recording import ACCEPTED, CREATED, outcome_of, record_outcome, refusal_of
from flows.replies import Reply, earlier_reply, keep, refuse_once, replay
from models import idempotency
from models.customer_reads import CustomerKey
from models.payment_changes import withdraw_payment
from models.payment_reads import PaymentKey
from models.payment_record import NewPayment, Recorded
from runtime.database import DatabaseUnavailable, Row

# The worker's first look at a payment whose network is known to be away.
QUEUED_FOR = timedelta(seconds=2)
# A request is over long before; from then on a worker may take the payment up.
RESUME_AFTER = timedelta(seconds=10)
_WAITING: Final = {"pending_reason": payments.NETWORK_UNAVAILABLE}
# Two rows of one key or token that race make each other look twice.
MAX_RECORD_ROUNDS: Final = 5


async def create_payment(house: House, asking: Asking, request: PaymentRequest) -> Reply:
    """Take a payment once per idempotency key.

    Raises 409 for a key that belongs to something else or still runs, 404 and 422 for
    what is named in vain, 402 when the network declines, 503 when nothing was done.
    """
    if asking.once is None:
        raise LookupError("the document requires an idempotency key here")
    if asking.once.seen_before:
        earlier = await earlier_reply(house, asking)
        if earlier is not None:
            return earlier
    try:
        payment = await _new_payment(house, asking, request)
        recorded = await _record(house, payment)
    except Unprocessable as refusal:
        return await refuse_once(house, asking, refusal)
    except Missing as refusal:
        # A key that was used before answers first, whatever this request names.
        return await earlier_reply(house, asking) or _raise(refusal)
    if recorded.earlier is not None and not recorded.recorded:
        return replay(asking, recorded.earlier)
    row = _row(payment, recorded)
    try:
        return await _authorise(house, asking, row)
    except DatabaseUnavailable:
        # It is recorded, and perhaps approved: a worker finds out once the database is
        # back, so 503, which promises that nothing was done, would be a lie.
        return Reply(ACCEPTED, payments.resource({**row, **_WAITING}))


def _raise(refusal: Refusal) -> Reply:
    raise refusal


async def _new_payment(house: House, asking: Asking, request: PaymentRequest) -> NewPayment:
    if asking.once is None:
        raise LookupError("the document requires an idempotency key here")
    caller = asking.caller
    is_token = request.payment_method_id.startswith("tok_")
    method_id = from_text("tok" if is_token else "pm", request.payment_method_id)
    customer_id = None
    if request.customer_id is not None:
        customer_id = from_text("cus", request.customer_id)
        if customer_id is None:
            raise Missing("resource_missing", "customer_id")
    if method_id is None:
        raise Missing("resource_missing", "payment_method_id")
    if is_token:
        try:
            await _check_token(house, asking, method_id, request)
        except Unprocessable:
            # What is named in vain answers before what its state forbids.
            await _check_customer(house, asking, customer_id)
            raise
    payment_id = house.new_id()
    created_at = house.clock.now()
    return NewPayment(
        id=payment_id,
        merchant_id=caller.merchant_id,
        livemode=caller.livemode,
        amount=request.amount,
        currency=request.currency,
        capture=request.capture,
        payment_method_id=method_id,
        is_token=is_token,
        customer_id=customer_id,
        description=request.description,
        metadata=request.metadata,
        key=asking.once.key,
        digest=asking.once.digest.hex(),
        attempt_id=house.new_id(),
        created_at=created_at,
        resume_at=created_at + RESUME_AFTER,
        # Its own: the items of a batch share their request's.
        risk_signals=from_country(asking.risk_signals["ip_country"]),
    )


async def _check_token(
    house: House, asking: Asking, token_id: UUID, request: PaymentRequest
) -> None:
    """Refuse a token that cannot pay this before anything is recorded or claimed."""
    message = relay.Describe(
        request_id=asking.request_id,
        merchant_id=asking.caller.merchant_id,
        livemode=asking.caller.livemode,
        instrument_id=token_id,
        spent_for=None if asking.once is None else asking.once.key,
    )
    try:
        answer = await house.vault.call(message)
    except (NotBegun, Unknown) as silence:
        raise Unavailable from silence
    if isinstance(answer, relay.Rejected):
        raise _rejection(answer)
    if isinstance(answer, relay.Instrument) and answer.type == "bank_account":
        if not request.capture:
            raise Unprocessable("capture_not_supported", "capture")
        if answer.currency not in (None, request.currency):
            raise Unprocessable("currency_mismatch", "currency")


async def _check_customer(house: House, asking: Asking, customer_id: UUID | None) -> None:
    if customer_id is None:
        return
    caller = asking.caller
    key = CustomerKey(customer_id, caller.merchant_id, caller.livemode)
    if await house.customer.submit(key) is None:
        raise Missing("resource_missing", "customer_id")


def _rejection(rejected: relay.Rejected) -> Refusal:
    if rejected.code in ("token_expired", "token_already_used"):
        return Unprocessable(rejected.code, "payment_method_id")
    if rejected.code == "attempt_fenced":
        # A worker has taken this request for lost: nothing was done, it may be repeated.
        return Unavailable()
    return Missing("resource_missing", "payment_method_id")


async def _record(house: House, payment: NewPayment) -> Recorded:
    for _ in range(MAX_RECORD_ROUNDS):
        recorded = await house.record.submit(payment)
        if recorded.recorded or recorded.earlier is not None:
            return recorded
        if not recorded.method_found:
            raise Missing("resource_missing", "payment_method_id")
        if not recorded.customer_found:
            raise Missing("resource_missing", "customer_id")
        if not recorded.customer_fits:
            raise Unprocessable("customer_mismatch", "customer_id")
        if not recorded.capture_fits:
            raise Unprocessable("capture_not_supported", "capture")
        if not recorded.currency_fits:
            raise Unprocessable("currency_mismatch", "currency")
        if not recorded.token_free:
            raise Unprocessable("token_already_used", "payment_method_id")
        # The key was claimed by a request that commits at this moment: look again.
    raise Conflict("idempotency_key_in_use", "Idempotency-Key")


def _row(payment: NewPayment, recorded: Recorded) -> Row:
    """The pending payment as its table has it, without reading it back."""
    row = payment._asdict()
    return {
        **row,
        "customer_id": recorded.customer_id,
        "hold_id": None,
        "idempotency_key": payment.key,
        "status": "pending",
        "amount_authorized": 0,
        "amount_captured": 0,
        "amount_refunded": 0,
        "amount_disputed": 0,
        "failure_code": None,
        "decline_code": None,
        "pending_reason": None,
        "network": None,
        "captured_at": None,
    }


async def _authorise(house: House, asking: Asking, payment: Row) -> Reply:
    message = relay.Authorise(
        request_id=asking.request_id,
        merchant_id=payment["merchant_id"],
        livemode=payment["livemode"],
        attempt_id=payment["attempt_id"],
        payment_id=payment["id"],
        instrument_id=payment["payment_method_id"],
        amount=payment["amount"],
        currency=payment["currency"],
        capture=payment["capture"],
        spent_for=payment["idempotency_key"],
    )
    try:
        answer = await authorise(house, message)
    except NotBegun as silence:
        if not await _withdraw(house, payment):
            return await _overtaken(house, asking, payment)
        raise Unavailable from silence
    if answer is None or isinstance(answer, relay.Resolution):
        return await _finish(house, asking, _resolved(house, payment, answer))
    if isinstance(answer, relay.Rejected):
        if answer.code == payments.NETWORK_UNAVAILABLE:
            return await _finish(house, asking, _queued(house, payment, QUEUED_FOR))
        if not await _withdraw(house, payment):
            return await _overtaken(house, asking, payment)
        raise _rejection(answer)
    if not isinstance(answer, relay.Decision):
        raise TypeError("the vault answers an authorisation with a decision")
    return await _finish(house, asking, outcome_of(house, payment, answer))


def _resolved(
    house: House, payment: Row, resolution: relay.Resolution | None
) -> authorisations.Outcome:
    """What becomes of a payment whose answer did not come."""
    if resolution is not None and resolution.decision is not None:
        return outcome_of(house, payment, resolution.decision)
    # Also what never began is queued: the vault may have spent the token on this payment,
    # and 503 would send the client away to pay with it once more.
    return _queued(house, payment, timedelta(0))


def _queued(house: House, payment: Row, wait: timedelta) -> authorisations.Outcome:
    return authorisations.queued(payment, house.clock.now() + wait)


async def _finish(house: House, asking: Asking, outcome: authorisations.Outcome) -> Reply:
    payment = outcome.payment
    if payment["risk_signals"]["velocity_flag"]:
        asking.risk_signals["velocity_flag"] = True
    resource = await record_outcome(house, asking.request_id, outcome)
    if resource is None:
        return await _overtaken(house, asking, payment)
    refusal = refusal_of(outcome)
    if refusal is not None:
        raise refusal
    status = ACCEPTED if payment["status"] == "pending" else CREATED
    return Reply(status, resource)


async def _withdraw(house: House, payment: Row) -> bool:
    async with house.database.transaction() as transaction:
        return await withdraw_payment(transaction, payment)


async def _overtaken(house: House, asking: Asking, payment: Row) -> Reply:
    """Somebody cancelled or resumed it meanwhile: their word stands, and is the reply."""
    async with house.database.transaction() as transaction:
        earlier = await idempotency.read(transaction, asking)
    if earlier is not None and earlier.status is not None:
        return replace(replay(asking, earlier), replayed=False)
    key = PaymentKey(payment["id"], payment["merchant_id"], payment["livemode"])
    row = await house.payment.submit(key)
    if row is None:
        raise Unavailable
    reply = Reply(ACCEPTED if row["status"] == "pending" else CREATED, payments.resource(row))
    async with house.database.transaction() as transaction:
        await keep(transaction, asking, reply)
    return reply
