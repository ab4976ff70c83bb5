"""Refunds on their way: leasing those that are due, writing how they ended.

`settle_at` is business time (models/test_clocks.py), `leased_until` wall time: the network
has a clock of its own, and how soon it is asked again is no business of the merchant's.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from domain import ledger
from models.ledger import post
from models.tables import HOLD_DRAWS, REFUNDS
from models.test_clocks import not_held_back
from runtime.batches import ID, MOMENT, TEXT, word
from runtime.database import Row, Transaction, compile_sql

_THIS_ONE = (
    REFUNDS.c.id == sa.bindparam("of_id", type_=ID),
    REFUNDS.c.merchant_id == sa.bindparam("of_merchant", type_=ID),
    REFUNDS.c.status == word("pending"),
)
_NOW = sa.bindparam("now", type_=MOMENT)
_UNTIL = sa.bindparam("until", type_=MOMENT)


# A lease, not a lock: nobody else looks at the refund until it has run out.
_IS_FREE = sa.or_(REFUNDS.c.leased_until.is_(None), REFUNDS.c.leased_until <= _NOW)
# A payment that was drawn on a hold and that the network has not heard of cannot be refunded
# there yet.
_UNHEARD = (
    sa.select(sa.literal_column("1"))
    .where(HOLD_DRAWS.c.id == REFUNDS.c.payment_id)
    .where(HOLD_DRAWS.c.merchant_id == REFUNDS.c.merchant_id)
    .where(HOLD_DRAWS.c.present_at.is_not(None))
    .correlate(REFUNDS)
    .exists()
)


def _lease_statement() -> sa.sql.ClauseElement:
    chosen = (
        sa.select(REFUNDS.c.id, REFUNDS.c.merchant_id)
        .where(REFUNDS.c.settle_at <= _NOW, _IS_FREE)
        .where(not_held_back(REFUNDS, REFUNDS.c.settle_at), ~_UNHEARD)
        .order_by(REFUNDS.c.settle_at)
        .limit(sa.bindparam("free", type_=sa.Integer))
        .cte("chosen")
    )
    return (
        sa.update(REFUNDS)
        .values(leased_until=_UNTIL)
        .where(REFUNDS.c.id == chosen.c.id, REFUNDS.c.merchant_id == chosen.c.merchant_id)
        # Asked again under the row's lock: another worker may have been faster.
        .where(REFUNDS.c.settle_at <= _NOW, _IS_FREE)
        .returning(*REFUNDS.c)
    )


_LEASE = compile_sql(_lease_statement())
_POSTPONE = compile_sql(
    sa.update(REFUNDS)
    .values(leased_until=_UNTIL)
    .where(*_THIS_ONE, REFUNDS.c.leased_until == sa.bindparam("lease", type_=MOMENT))
)
_SETTLE = compile_sql(
    sa.update(REFUNDS)
    .values(
        status=sa.bindparam("status", type_=TEXT),
        failure_code=sa.bindparam("failure_code", type_=TEXT),
        event_sequence=REFUNDS.c.event_sequence + sa.literal_column("1"),
        settle_at=sa.null(),
        leased_until=sa.null(),
    )
    .where(*_THIS_ONE)
    .returning(*REFUNDS.c)
)
_PENDING = compile_sql(
    sa.select(sa.func.count().label("count"))
    .where(REFUNDS.c.merchant_id == sa.bindparam("of_merchant", type_=ID))
    .where(REFUNDS.c.payment_id == sa.bindparam("of_payment", type_=ID))
    .where(REFUNDS.c.status == word("pending"))
)


def _of(refund: Row) -> dict[str, Any]:
    return {"of_id": refund["id"], "of_merchant": refund["merchant_id"]}


async def lease_refunds(
    transaction: Transaction, now: datetime, until: datetime, free: int
) -> list[Row]:
    """Take up to `free` refunds whose `settle_at` has passed until `until`."""
    return await transaction.all(_LEASE, now=now, until=until, free=free)


async def postpone_refund(transaction: Transaction, refund: Row, until: datetime) -> None:
    """Give a leased refund back, to be asked about again at `until`."""
    await transaction.run(_POSTPONE, lease=refund["leased_until"], until=until, **_of(refund))


async def settle_refund(
    transaction: Transaction, refund: Row, status: str, failure_code: str | None
) -> Row | None:
    """Write and post how a pending refund ended; None when that was written before.

    The payment's row must be locked by this transaction.
    """
    ended = {"status": status, "failure_code": failure_code}
    settled = await transaction.maybe(_SETTLE, **ended, **_of(refund))
    if settled is not None:
        await post(transaction, settled, ledger.of_settled_refund(settled))
    return settled


async def count_pending(transaction: Transaction, payment: Row) -> int:
    """How many refunds of a payment are still on their way."""
    row = await transaction.one(
        _PENDING, of_merchant=payment["merchant_id"], of_payment=payment["id"]
    )
    count: int = row["count"]
    return count
