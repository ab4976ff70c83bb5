"""Settling refunds: ask the vault until the network has said yes or no, then write it.

The vault answers a repeated attempt with what it decided before, so asking again costs
nothing and moves no money twice.  An attempt that was fenced has certainly not happened;
the next one has an id that follows from the refund's, so it needs no column.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid5

import orjson

from adapters.vault_door import NoAnswer, Unknown
from contract import relay
from domain import asking_again, payments, refunds
from domain.ids import to_text
from flows.house import House
from models.leases import REFUND_LEASE, give_back
from models.outbox import record_event
from models.payment_changes import lock_payment, save_payment
from models.payment_reads import PaymentKey
from models.refund_settlement import count_pending, lease_refunds, postpone_refund, settle_refund
from runtime.database import Row, Transaction
from runtime.log import log

# Longer than a call to the vault and its inquiry together (3 s each).
LEASE: Final = timedelta(seconds=15)
ASK_AGAIN: Final = timedelta(seconds=1)
MAX_ATTEMPTS: Final = 10
_DECLINED: Final = "refund_declined"
_PUBLISHED_CODES: Final = frozenset({"expired_card", "account_closed", "network_unavailable"})


async def lease_due_refunds(house: House, free: int) -> list[Row]:
    """Up to `free` refunds that are due now, for this worker to settle."""
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        return await lease_refunds(transaction, now, now + LEASE, free)


async def give_back_refunds(house: House, leased: Sequence[Row]) -> None:
    """Let other workers settle leased refunds at once."""
    async with house.database.transaction() as transaction:
        await give_back(transaction, REFUND_LEASE, leased, house.clock.now())


async def settle(house: House, refund: Row) -> None:
    """Ask about one leased refund; settle it, or give it back to be asked about later."""
    request_id = to_text("req", house.new_id())
    try:
        decision = await _ask(house, refund, request_id)
    except NoAnswer as silence:
        decision = None
        _log(refund, request_id, status="pending", reason=silence.reason)
    if decision is None or decision.outcome == "pending":
        now = house.clock.now()
        ask_at = now + asking_again.pause(now - refund["created_at"], ASK_AGAIN)
        async with house.database.transaction() as transaction:
            await postpone_refund(transaction, refund, ask_at)
        return
    failure_code = None if decision.outcome == "approved" else _failure_code(decision.code)
    async with house.database.transaction() as transaction:
        settled = await _settle(house, transaction, request_id, refund, failure_code)
    if settled is not None:
        _log(refund, request_id, status=settled["status"], failure_code=failure_code)


async def _ask(house: House, refund: Row, request_id: str) -> relay.Decision | None:
    """The network's answer; None where it is away or has not decided yet."""
    for number in range(MAX_ATTEMPTS):
        attempt_id = _attempt_id(refund["id"], number)
        try:
            answer = await house.vault.call(_request(refund, request_id, attempt_id))
        except Unknown:
            return await _resolve(house, refund, request_id, attempt_id)
        if isinstance(answer, relay.Decision):
            if answer.outcome == "pending":
                return await _resolve(house, refund, request_id, attempt_id)
            return answer
        if not isinstance(answer, relay.Rejected):
            raise TypeError("the vault answers a refund with a decision or a rejection")
        if answer.code == payments.NETWORK_UNAVAILABLE:
            return None
        if answer.code != "attempt_fenced":
            log("refund_rejected", refund_id=to_text("ref", refund["id"]), code=answer.code)
            return _no(_DECLINED)
    return _no(payments.NETWORK_UNAVAILABLE)


async def _resolve(
    house: House, refund: Row, request_id: str, attempt_id: UUID
) -> relay.Decision | None:
    answer = await house.vault.call(
        relay.Resolve(
            request_id=request_id,
            merchant_id=refund["merchant_id"],
            livemode=refund["livemode"],
            attempt_id=attempt_id,
        )
    )
    return answer.decision if isinstance(answer, relay.Resolution) else None


def _request(refund: Row, request_id: str, attempt_id: UUID) -> relay.Refund:
    return relay.Refund(
        request_id=request_id,
        merchant_id=refund["merchant_id"],
        livemode=refund["livemode"],
        attempt_id=attempt_id,
        payment_id=refund["payment_id"],
        refund_id=refund["id"],
        amount=refund["amount"],
        currency=refund["currency"],
    )


def _attempt_id(refund_id: UUID, number: int) -> UUID:
    return refund_id if number == 0 else uuid5(refund_id, str(number))


def _no(code: str) -> relay.Decision:
    return relay.Decision(outcome="declined", network="", code=code)


def _failure_code(code: str | None) -> str:
    return code if code in _PUBLISHED_CODES else _DECLINED


async def _settle(
    house: House,
    transaction: Transaction,
    request_id: str,
    refund: Row,
    failure_code: str | None,
) -> Row | None:
    """Refund, payment, counters and event in one commit; None when it was settled before."""
    key = PaymentKey(refund["payment_id"], refund["merchant_id"], refund["livemode"])
    payment = await lock_payment(transaction, key)
    if payment is None:
        raise LookupError("a refund without its payment")
    status = "succeeded" if failure_code is None else "failed"
    settled = await settle_refund(transaction, refund, status, failure_code)
    if settled is None:
        return None
    still_pending = await count_pending(transaction, payment)
    after = _payment_after(payment, settled, still_pending)
    if after != payment:
        await save_payment(transaction, payment, after)
    await record_event(
        transaction,
        event_id=house.new_id(),
        merchant_id=settled["merchant_id"],
        livemode=settled["livemode"],
        event_type=f"refund.{status}",
        object_id=settled["id"],
        sequence=settled["event_sequence"],
        object=orjson.dumps(refunds.resource(settled)).decode(),
        request_id=request_id,
        occurred_at=house.clock.now(),
    )
    return settled


def _payment_after(payment: Row, settled: Row, still_pending: int) -> Row:
    """A failed refund gives its reservation back; the last success makes it `refunded`."""
    if settled["status"] == "failed":
        return {**payment, "amount_refunded": payment["amount_refunded"] - settled["amount"]}
    all_of_it = payment["amount_refunded"] == payment["amount_captured"]
    if not all_of_it or still_pending or payment["status"] != "captured":
        return payment
    return {**payment, "status": payments.transition(payment["status"], "refund_all").becomes}


def _log(refund: Row, request_id: str, **fields: str | None) -> None:
    log(
        "refund_settlement",
        refund_id=to_text("ref", refund["id"]),
        payment_id=to_text("pay", refund["payment_id"]),
        merchant_id=to_text("mch", refund["merchant_id"]),
        request_id=request_id,
        **fields,
    )
