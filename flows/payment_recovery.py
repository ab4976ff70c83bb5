"""Finishing what a request left unfinished: unknown outcomes, lost processes, lost vaults.

A payment is due when its `resume_at` has passed.  The vault is asked first what became of
the attempt; asking fences it, so an attempt that never began can never begin later, and
the payment may be tried again under a new one until its authorisation deadline.  A capture
or reversal that did begin is asked for under its own attempt until it is answered: the
vault puts it to the network again, and the network does it once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson

from adapters.vault_door import NoAnswer
from contract import relay
from domain import asking_again, authorisations, payments
from domain.ids import to_text
from flows.house import House
from flows.operation_outcomes import (
    ask_network,
    finish_operation,
    put_back,
    refusal_of_operation,
)
from flows.payment_events import record_payment_event
from flows.recording import outcome_of, record_outcome, refusal_of
from flows.replies import keep_refusal
from models import idempotency
from models.idempotency import KeyName
from models.leases import PAYMENT_LEASE, give_back
from models.payment_changes import key_of, lock_payment, save_payment
from models.payment_leases import lease_payments
from runtime.database import Row, Transaction
from runtime.log import log
from runtime.shared_metrics import REVERSALS_DECLINED

LEASE = timedelta(seconds=5)
AUTHORISATION_DEADLINE_LIVE = timedelta(minutes=15)
AUTHORISATION_DEADLINE_SANDBOX = timedelta(seconds=30)
_OK: Final = 200


async def lease_due_payments(house: House, free: int) -> list[Row]:
    """Up to `free` payments that are due now, for this worker to look after."""
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        return await lease_payments(transaction, now, now + LEASE, free)


async def resume(house: House, payment: Row) -> None:
    """Look after one leased payment; one that the vault says nothing of is due again after 5 s."""
    try:
        await _resume(house, payment)
    except NoAnswer as silence:
        log("recovery_postponed", payment_id=payment["id"], reason=silence.reason)


async def give_back_payments(house: House, leased: Sequence[Row]) -> None:
    """Let other workers look after leased payments at once."""
    async with house.database.transaction() as transaction:
        await give_back(transaction, PAYMENT_LEASE, leased, house.clock.now())


def _request_id(payment: Row) -> str:
    """Recovery answers no request: its lines and events carry the payment's own id."""
    return to_text("req", payment["id"])


async def _resume(house: House, payment: Row) -> None:
    if payment["status"] == "pending":
        await _resume_authorisation(house, payment)
    elif payment["operation"] == "reverse":
        await _resume_reversal(house, payment)
    elif payment["operation"] is not None:
        await _resume_operation(house, payment)


async def _resolve(house: House, payment: Row, attempt: str) -> relay.Resolution:
    answer = await house.vault.call(
        relay.Resolve(
            request_id=_request_id(payment),
            merchant_id=payment["merchant_id"],
            livemode=payment["livemode"],
            attempt_id=payment[attempt],
        )
    )
    if not isinstance(answer, relay.Resolution):
        raise TypeError("the vault answers resolve with a resolution")
    log("attempt_resolved", payment_id=payment["id"], attempt=attempt, state=answer.state)
    return answer


async def _resume_authorisation(house: House, payment: Row) -> None:
    resolution = await _resolve(house, payment, "attempt_id")
    if resolution.decision is not None:
        await record_outcome(
            house, _request_id(payment), outcome_of(house, payment, resolution.decision)
        )
    elif resolution.state == "never_begun":
        if house.clock.now() - payment["created_at"] > _deadline(payment):
            await record_outcome(house, _request_id(payment), authorisations.given_up(payment))
        else:
            await _authorise_again(house, payment)
    elif house.clock.now() - payment["created_at"] > _deadline(payment):
        await _give_up(house, payment)
    else:
        await _queue(house, payment)


def _deadline(payment: Row) -> timedelta:
    return AUTHORISATION_DEADLINE_LIVE if payment["livemode"] else AUTHORISATION_DEADLINE_SANDBOX


async def _authorise_again(house: House, payment: Row) -> None:
    """A new attempt: committed before it is asked for, like the first."""
    async with house.database.transaction() as transaction:
        locked = await _still_pending(transaction, payment)
        if locked is None:
            return
        again = {**locked, "attempt_id": house.new_id(), "resume_at": _next_look(house, locked)}
        await save_payment(transaction, locked, again)
    answer = await house.vault.call(
        relay.Authorise(
            request_id=_request_id(payment),
            merchant_id=again["merchant_id"],
            livemode=again["livemode"],
            attempt_id=again["attempt_id"],
            payment_id=again["id"],
            instrument_id=again["payment_method_id"],
            amount=again["amount"],
            currency=again["currency"],
            capture=again["capture"],
            spent_for=again["idempotency_key"],
        )
    )
    if isinstance(answer, relay.Decision):
        await record_outcome(house, _request_id(payment), outcome_of(house, again, answer))
    elif isinstance(answer, relay.Rejected) and answer.code == payments.NETWORK_UNAVAILABLE:
        await _queue(house, again)
    elif isinstance(answer, relay.Rejected) and answer.code != "attempt_fenced":
        outcome = authorisations.declined(again, None, "processing_error", None)
        await record_outcome(house, _request_id(payment), outcome)


def _next_look(house: House, payment: Row) -> datetime:
    """Later from try to try, and at once when the deadline has passed."""
    now = house.clock.now()
    created_at: datetime = payment["created_at"]
    pause = asking_again.pause(now - created_at, LEASE)
    return min(now + pause, max(now + LEASE, created_at + _deadline(payment)))


async def _queue(house: House, payment: Row) -> None:
    """Tell the merchant that it waits for its network, where its own request did not."""
    if payment["pending_reason"] is None:
        outcome = authorisations.queued(payment, payment["resume_at"])
        await record_outcome(house, _request_id(payment), outcome)


async def _still_pending(transaction: Transaction, payment: Row) -> Row | None:
    """The row, locked, unless the payment went on while the vault was asked."""
    locked = await lock_payment(transaction, key_of(payment))
    if locked is None or locked["attempt_id"] != payment["attempt_id"]:
        return None
    # One that was cancelled or failed keeps the attempt that it had.
    return locked if locked["status"] == "pending" else None


async def _give_up(house: House, payment: Row) -> None:
    """No answer by the deadline: the payment fails, and a late approval is reversed."""
    async with house.database.transaction() as transaction:
        locked = await _still_pending(transaction, payment)
        if locked is None:
            return
        outcome = authorisations.given_up(locked)
        reversing = {
            "operation": "reverse",
            "operation_attempt_id": house.new_id(),
            "resume_at": house.clock.now() + LEASE,
            "event_sequence": locked["event_sequence"] + 1,
        }
        after = {**outcome.payment, **reversing}
        await save_payment(transaction, locked, after)
        await record_payment_event(house, transaction, _request_id(payment), after, outcome.event)
        refusal = refusal_of(outcome)
        if refusal is not None:
            name = KeyName(payment["idempotency_key"], payment["merchant_id"], payment["livemode"])
            await keep_refusal(transaction, name, refusal)


async def _resume_reversal(house: House, payment: Row) -> None:
    """A payment that ended while its attempt was out: reverse it if it was approved."""
    resolution = await _resolve(house, payment, "attempt_id")
    if resolution.state == "undecided":
        return
    if resolution.decision is not None and resolution.decision.outcome == "approved":
        reversal = await ask_network(house, _request_id(payment), payment)
        if reversal is None:
            return
        if reversal.outcome != "approved":
            REVERSALS_DECLINED.labels("payment").inc()
            log("reversal_declined", payment_id=payment["id"], code=reversal.code)
    async with house.database.transaction() as transaction:
        locked = await lock_payment(transaction, key_of(payment))
        if locked is not None and locked["operation"] == "reverse":
            await save_payment(transaction, locked, put_back(locked))


async def _resume_operation(house: House, payment: Row) -> None:
    resolution = await _resolve(house, payment, "operation_attempt_id")
    decision = resolution.decision
    asked: Row | None = payment
    if resolution.state == "never_begun":
        asked = await _begin_again(house, payment)
    if asked is not None and decision is None:
        decision = await ask_network(house, _request_id(payment), asked)
    if asked is None or decision is None:
        return
    async with house.database.transaction() as transaction:
        locked = await lock_payment(transaction, key_of(payment))
        # Another worker may have ended it, and the merchant begun the next operation.
        if locked is not None and locked["operation_attempt_id"] == asked["operation_attempt_id"]:
            after = await finish_operation(
                house, transaction, _request_id(payment), locked, decision
            )
            await _keep_reply(transaction, locked, after, decision)


async def _keep_reply(
    transaction: Transaction, before: Row, after: Row, decision: relay.Decision
) -> None:
    """A process that was lost left its key unanswered: its caller may still ask."""
    if before["operation_key"] is None:
        return
    name = KeyName(before["operation_key"], before["merchant_id"], before["livemode"])
    refusal = refusal_of_operation(decision, after)
    if refusal is not None:
        await keep_refusal(transaction, name, refusal)
        return
    reply = orjson.dumps(payments.resource(after)).decode()
    await idempotency.answer(transaction, name, _OK, reply)


async def _begin_again(house: House, payment: Row) -> Row | None:
    """The operation under a new attempt, committed before it is asked for; None: overtaken."""
    async with house.database.transaction() as transaction:
        locked = await lock_payment(transaction, key_of(payment))
        if locked is None or locked["operation_attempt_id"] != payment["operation_attempt_id"]:
            return None
        again = {**locked, "operation_attempt_id": house.new_id()}
        await save_payment(transaction, locked, again)
    return again
