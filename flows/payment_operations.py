"""Capturing and cancelling: record the intention, ask the network, record the answer.

While the answer is out, the payment carries its `operation`, and no other operation may
begin on it.  What a request cannot finish, a worker does.

Both commits are coalesced statements where all goes as planned (flows/operation_commits.py).
Whatever else is decided and answered under the payment's row lock.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from adapters.vault_door import NotBegun, Unknown
from contract import relay
from domain import payments
from domain.callers import Asking
from domain.ids import from_text
from domain.refusals import Missing, Unavailable, Unprocessable
from flows.house import House
from flows.operation_commits import OK, RESUME_AFTER, Wanted, begin_at_once, end_at_once
from flows.operation_outcomes import (
    ask_network,
    finish_operation,
    put_back,
    refusal_of_operation,
)
from flows.payment_events import record_payment_event
from flows.replies import Reply, begin_once, earlier_reply, keep, keep_refusal
from models import idempotency
from models.payment_changes import key_of, lock_payment, save_payment
from models.payment_reads import PaymentKey
from runtime.database import DatabaseUnavailable, Row, Transaction

ACCEPTED: Final = 202


async def capture_payment(
    house: House, asking: Asking, payment_id: str, amount: int | None
) -> Reply:
    """Take the money of an authorised payment, all of it or `amount`, once.

    Raises 404, 422 `payment_unexpected_state` or `capture_exceeds_authorization`, and
    503 when nothing was done.  202: the network's answer is still out, or the network is
    away; a worker asks until there is one.
    """

    async def begin(transaction: Transaction) -> Reply | None:
        payment = await _locked(transaction, asking, wanted)
        payments.transition(payment["status"], "capture")
        taken = payments.capture_amount(payment, amount)
        begun.append(await _begin(house, asking, transaction, payment, wanted, taken))
        return None

    begun: list[Row] = []
    wanted = Wanted(payment_id, "capture", house.new_id(), amount)
    return await _operate(house, asking, wanted, begin, begun)


async def cancel_payment(house: House, asking: Asking, payment_id: str) -> Reply:
    """Give an authorisation back, or stop a pending payment.

    An approval that arrives for a cancelled payment is reversed by a worker.
    """

    async def begin(transaction: Transaction) -> Reply | None:
        payment = await _locked(transaction, asking, wanted)
        payments.transition(payment["status"], "cancel")
        if payment["status"] == "pending":
            return await _cancel_pending(house, asking, transaction, payment)
        begun.append(await _begin(house, asking, transaction, payment, wanted, None))
        return None

    begun: list[Row] = []
    wanted = Wanted(payment_id, "cancel", house.new_id())
    return await _operate(house, asking, wanted, begin, begun)


async def _operate(
    house: House,
    asking: Asking,
    wanted: Wanted,
    begin: Callable[[Transaction], Awaitable[Reply | None]],
    begun: list[Row],
) -> Reply:
    payment = await begin_at_once(house, asking, wanted)
    if payment is None:
        reply = await begin_once(house, asking, begin)
        if reply is not None:
            return reply
        payment = begun[-1]
    try:
        return await _ask_and_record(house, asking, payment)
    except DatabaseUnavailable:
        # The operation is recorded and may be done: a worker finishes it once the
        # database is back, so 503, which promises that nothing was done, would be a lie.
        return Reply(ACCEPTED, payments.resource(payment))


async def _ask_and_record(house: House, asking: Asking, payment: Row) -> Reply:
    try:
        decision = await ask_network(house, asking.request_id, payment)
    except NotBegun as silence:
        if await _undo(house, asking, payment):
            raise Unavailable from silence
        # A worker has begun it anew: what becomes of it is read below.
        decision = None
    except Unknown:
        decision = None
    if decision is not None and decision.outcome == "approved":
        after = await end_at_once(house, asking, payment)
        if after is not None:
            return _reply(after)
    return await _record_answer(house, asking, payment, decision)


async def _record_answer(
    house: House, asking: Asking, payment: Row, decision: relay.Decision | None
) -> Reply:
    async with house.database.transaction() as transaction:
        locked = await lock_payment(transaction, key_of(payment))
        if locked is None:
            raise Unavailable
        ours = _still_ours(locked, payment)
        after, refusal, request_id = locked, None, asking.request_id
        async with transaction.together():
            if decision is not None and ours:
                after = await finish_operation(house, transaction, request_id, locked, decision)
                refusal = refusal_of_operation(decision, after)
            reply = _reply(after)
            if refusal is not None and asking.once is not None:
                await keep_refusal(transaction, idempotency.name_of(asking), refusal)
            elif ours:
                await keep(transaction, asking, reply)
    if refusal is not None:
        raise refusal
    return reply if ours else await _overtaken(house, asking, locked)


async def _overtaken(house: House, asking: Asking, payment: Row) -> Reply:
    """A worker took this request for lost and finished it: its word is the reply.

    Raises 422 `payment_unexpected_state` where the network declined, as the worker heard it.
    """
    earlier = await earlier_reply(house, asking)
    if earlier is not None:
        return replace(earlier, replayed=False)
    if payment["status"] == "authorized" and payment["operation"] is None:
        # It was put back as it was before, so it was not done.
        raise Unprocessable("payment_unexpected_state", status=payment["status"])
    return _reply(payment)


def _reply(payment: Row) -> Reply:
    status = ACCEPTED if payment["operation"] is not None else OK
    return Reply(status, payments.resource(payment))


async def _undo(house: House, asking: Asking, payment: Row) -> bool:
    """The network was certainly not asked: nothing was done, and the key is free again.

    False where a worker has gone on in this request's place.
    """
    async with house.database.transaction() as transaction:
        locked = await lock_payment(transaction, key_of(payment))
        if locked is None or not _still_ours(locked, payment):
            return False
        await save_payment(transaction, locked, put_back(locked))
        if asking.once is not None:
            await idempotency.release(transaction, asking)
    return True


def _still_ours(locked: Row, payment: Row) -> bool:
    return bool(locked["operation_attempt_id"] == payment["operation_attempt_id"])


async def _locked(transaction: Transaction, asking: Asking, wanted: Wanted) -> Row:
    identifier = from_text("pay", wanted.payment_id)
    payment = None
    if identifier is not None:
        caller = asking.caller
        key = PaymentKey(identifier, caller.merchant_id, caller.livemode)
        payment = await lock_payment(transaction, key)
    if payment is None:
        raise Missing("resource_missing", "payment_id")
    if payment["operation"] is not None and not _is_begun(payment, wanted):
        raise Unprocessable("payment_unexpected_state", status=payment["status"])
    return payment


def _is_begun(payment: Row, wanted: Wanted) -> bool:
    """Whether this very operation is recorded.

    A statement whose connection is lost may run on, and commit after it was run again.
    """
    return bool(payment["operation_attempt_id"] == wanted.attempt_id)


async def _begin(
    house: House,
    asking: Asking,
    transaction: Transaction,
    payment: Row,
    wanted: Wanted,
    amount: int | None,
) -> Row:
    if _is_begun(payment, wanted):
        return payment
    after = {
        **payment,
        "operation": wanted.operation,
        "operation_amount": amount,
        "operation_attempt_id": wanted.attempt_id,
        "operation_key": None if asking.once is None else asking.once.key,
        "resume_at": house.clock.now() + RESUME_AFTER,
    }
    await save_payment(transaction, payment, after)
    return after


async def _cancel_pending(
    house: House, asking: Asking, transaction: Transaction, payment: Row
) -> Reply:
    step = payments.transition(payment["status"], "cancel")
    after = {
        **payment,
        "status": step.becomes,
        "pending_reason": None,
        # The attempt may still be approved: a worker asks, and reverses it then.
        "operation": "reverse",
        "operation_attempt_id": house.new_id(),
        "resume_at": house.clock.now(),
        "event_sequence": payment["event_sequence"] + 1,
    }
    await save_payment(transaction, payment, after)
    await record_payment_event(house, transaction, asking.request_id, after, step.event)
    return Reply(OK, payments.resource(after))
