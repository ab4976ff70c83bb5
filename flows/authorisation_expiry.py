"""Giving back what was authorised and not captured within seven days.

An expiry is a cancellation that nobody asked for: it is begun here, under the payment's
row lock, and finished like one whose request was lost (flows/payment_recovery.py), which
asks the network for the reversal and writes `payment.cancelled`.
"""

from datetime import timedelta
from typing import Final

from domain import payments
from domain.ids import to_text
from flows.house import House
from models.authorisation_expiry import expired_authorisations
from models.payment_changes import lock_payment, save_payment
from models.payment_reads import PaymentKey
from models.test_clocks import business_now
from runtime.log import log

PAYMENTS_PER_ROUND: Final = 32
# A network that declines the reversal is asked again after this, in business time.
ASK_AGAIN: Final = timedelta(hours=1)


async def end_expired_authorisations(house: House) -> int:
    """Begin to cancel the authorisations that are over; how many were begun."""
    now = house.clock.now()
    async with house.database.reading() as transaction:
        keys = await expired_authorisations(transaction, now, PAYMENTS_PER_ROUND)
    return sum([await _end(house, key) for key in keys])


async def _end(house: House, key: PaymentKey) -> bool:
    now = house.clock.now()
    async with house.database.transaction() as transaction:
        reached = await business_now(transaction, key.merchant_id, key.livemode, now)
        payment = await lock_payment(transaction, key)
        # Asked again under the lock: it may be captured, or its clock deleted, by now.
        if payment is None or payment["operation"] is not None:
            return False
        if payment["expires_at"] is None or payment["expires_at"] > reached:
            return False
        payments.transition(payment["status"], "cancel")
        begun = {
            "operation": "cancel",
            "operation_attempt_id": house.new_id(),
            "operation_key": None,
            "resume_at": now,
            "expires_at": reached + ASK_AGAIN,
        }
        await save_payment(transaction, payment, {**payment, **begun})
    log(
        "authorisation_expired",
        payment_id=to_text("pay", key.id),
        merchant_id=to_text("mch", key.merchant_id),
    )
    return True
