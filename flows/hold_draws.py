"""Drawing a payment on a hold: one transaction, and no network.

The hold's row decides: payments that race for it take turns, and what it has not is refused
by the database, too.  The network hears of it afterwards (flows/hold_presentations.py).
"""

from typing import Final, NamedTuple
from uuid import UUID

import orjson

from domain import holds, payments
from domain.callers import Asking
from domain.ids import from_text
from domain.payment_requests import PaymentRequest
from domain.refusals import Missing, Unprocessable
from domain.risk_signals import from_country
from flows.hold_changes import CREATED, hold_key, missing, use_up_if_empty
from flows.house import House
from flows.payment_events import record_payment_event
from flows.replies import Reply, earlier_reply, once_decided
from models.hold_draws import insert_drawn_payment
from models.hold_top_ups import pending_top_up
from models.holds import Named, key_of, lock_hold_and_find
from runtime.database import Row, Transaction

_STEP: Final = payments.transition("pending", "sell")


class _Draw(NamedTuple):
    """The locked hold as the draw leaves it, and whether nothing is left of it or on its way."""

    hold: Row
    empties: bool


async def draw_payment(house: House, asking: Asking, request: PaymentRequest) -> Reply:
    """Take a payment out of a hold, once per idempotency key.

    Raises 409 for a key that belongs to something else or still runs, 404 and 422 for what
    is named, 422 `hold_unexpected_state` or `hold_insufficient`.
    """
    if asking.once is None:
        raise LookupError("the document requires an idempotency key here")
    if asking.once.seen_before:
        earlier = await earlier_reply(house, asking)
        if earlier is not None:
            return earlier

    async def decide(transaction: Transaction) -> _Draw:
        hold = await _locked(house, asking, transaction, request)
        left = {**hold, "amount_drawn": hold["amount_drawn"] + request.amount}
        empty = not holds.left_of(left) and await pending_top_up(transaction, key_of(hold)) is None
        return _Draw(left, empty)

    async def write(transaction: Transaction, draw: _Draw) -> Reply:
        payment = _new_payment(house, asking, draw.hold, request)
        await insert_drawn_payment(transaction, _stored(payment), _new_draw(house, payment))
        await record_payment_event(house, transaction, asking.request_id, payment, _STEP.event)
        if draw.empties:
            await use_up_if_empty(house, transaction, asking.request_id, draw.hold)
        return Reply(CREATED, payments.resource(payment))

    return await once_decided(house, asking, decide, write)


async def _locked(
    house: House, asking: Asking, transaction: Transaction, request: PaymentRequest
) -> Row:
    """The hold, locked, if it has the money for this request."""
    key = hold_key(asking, request.hold_id or "")
    method_id, customer_id = _named(request)
    hold = await lock_hold_and_find(transaction, key, Named(method_id, customer_id))
    if hold is None:
        raise missing()
    is_token = not request.payment_method_id.startswith("pm_")
    if not hold["method_found"] and not is_token:
        raise Missing("resource_missing", "payment_method_id")
    if customer_id is not None and not hold["customer_found"]:
        raise Missing("resource_missing", "customer_id")
    if hold["payment_method_id"] != method_id:
        raise Unprocessable("payment_method_mismatch", "payment_method_id")
    if customer_id not in (None, hold["customer_id"]):
        raise Unprocessable("customer_mismatch", "customer_id")
    if not request.capture:
        raise Unprocessable("capture_not_supported", "capture")
    if hold["currency"] != request.currency:
        raise Unprocessable("currency_mismatch", "currency")
    holds.check_active(hold, hold["frozen_time"] or house.clock.now())
    holds.check_draw(hold, request.amount)
    return hold


def _named(request: PaymentRequest) -> tuple[UUID, UUID | None]:
    is_token = request.payment_method_id.startswith("tok_")
    method_id = from_text("tok" if is_token else "pm", request.payment_method_id)
    if method_id is None:
        raise Missing("resource_missing", "payment_method_id")
    if request.customer_id is None:
        return method_id, None
    customer_id = from_text("cus", request.customer_id)
    if customer_id is None:
        raise Missing("resource_missing", "customer_id")
    return method_id, customer_id


def _new_payment(house: House, asking: Asking, hold: Row, request: PaymentRequest) -> Row:
    if asking.once is None:
        raise LookupError("the document requires an idempotency key here")
    now = house.clock.now()
    nothing = (
        *("failure_code", "decline_code", "pending_reason", "resume_at", "expires_at"),
        *("operation", "operation_amount", "operation_attempt_id", "operation_key"),
    )
    return {
        **dict.fromkeys(nothing),
        "id": house.new_id(),
        "merchant_id": hold["merchant_id"],
        "livemode": hold["livemode"],
        "amount": request.amount,
        "currency": request.currency,
        "status": _STEP.becomes,
        "capture": True,
        "payment_method_id": hold["payment_method_id"],
        "is_token": False,  # nosec B105  # a flag
        "customer_id": hold["customer_id"],
        "hold_id": hold["id"],
        "description": request.description,
        "metadata": request.metadata,
        "idempotency_key": asking.once.key,
        "attempt_id": house.new_id(),
        "network": hold["network"],
        "risk_signals": from_country(asking.risk_signals["ip_country"]),
        "amount_authorized": request.amount,
        "amount_captured": request.amount,
        "amount_refunded": 0,
        "amount_disputed": 0,
        "event_sequence": 1,
        "created_at": now,
        "captured_at": now,
    }


def _stored(payment: Row) -> Row:
    texts = {name: orjson.dumps(payment[name]).decode() for name in ("metadata", "risk_signals")}
    return {**payment, **texts}


def _new_draw(house: House, payment: Row) -> Row:
    return {
        "id": payment["id"],
        "merchant_id": payment["merchant_id"],
        "livemode": payment["livemode"],
        "hold_id": payment["hold_id"],
        "amount": payment["amount"],
        "currency": payment["currency"],
        "attempt_id": payment["attempt_id"],
        "created_at": payment["created_at"],
        "present_at": payment["created_at"],
    }
