"""Leasing payments that a request left unfinished: whoever moves `resume_at` owns the work."""

from datetime import datetime

import sqlalchemy as sa

from models.tables import PAYMENTS
from runtime.batches import MOMENT
from runtime.database import Row, Transaction, compile_sql

_NOW = sa.bindparam("now", type_=MOMENT)


def _lease_statement() -> sa.sql.ClauseElement:
    chosen = (
        sa.select(PAYMENTS.c.id, PAYMENTS.c.merchant_id)
        .where(PAYMENTS.c.resume_at <= _NOW)
        .order_by(PAYMENTS.c.resume_at)
        .limit(sa.bindparam("free", type_=sa.Integer))
        .cte("chosen")
    )
    return (
        sa.update(PAYMENTS)
        .values(resume_at=sa.bindparam("until", type_=MOMENT))
        .where(PAYMENTS.c.id == chosen.c.id, PAYMENTS.c.merchant_id == chosen.c.merchant_id)
        # Asked again under the row's lock: another worker may have been faster.
        .where(PAYMENTS.c.resume_at <= _NOW)
        .returning(*PAYMENTS.c)
    )


_LEASE = compile_sql(_lease_statement())


async def lease_payments(
    transaction: Transaction, now: datetime, until: datetime, free: int
) -> list[Row]:
    """Take up to `free` payments whose `resume_at` has passed until `until`, oldest first."""
    return await transaction.all(_LEASE, now=now, until=until, free=free)
