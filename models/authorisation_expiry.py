"""Authorisations whose time is over: `expires_at` is business time."""

from datetime import datetime

import sqlalchemy as sa

from models.payment_reads import PaymentKey
from models.tables import PAYMENTS
from models.test_clocks import not_held_back
from runtime.database import Transaction, compile_sql

_PAYMENT = PAYMENTS.c
# One whose capture or cancellation is under way is looked at again when that has ended.
_DUE = compile_sql(
    sa.select(_PAYMENT.id, _PAYMENT.merchant_id, _PAYMENT.livemode)
    .where(_PAYMENT.expires_at <= sa.bindparam("now", type_=_PAYMENT.expires_at.type))
    .where(_PAYMENT.operation.is_(None), not_held_back(PAYMENTS, _PAYMENT.expires_at))
    .order_by(_PAYMENT.expires_at)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)


async def expired_authorisations(
    transaction: Transaction, now: datetime, limit: int
) -> list[PaymentKey]:
    """Authorised payments whose `expires_at` has passed, oldest first."""
    rows = await transaction.all(_DUE, now=now, limit=limit)
    return [PaymentKey(**row) for row in rows]
