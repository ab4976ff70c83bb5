"""Detached payment methods whose card number the vault has still to forget."""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from models.tables import HOLD_TOP_UPS, HOLDS, PAYMENT_METHODS, PAYMENTS
from runtime.database import Row, Transaction, compile_sql

_METHOD = PAYMENT_METHODS.c
_NOW = sa.bindparam("now", type_=_METHOD.erase_at.type)

# A payment that is still pending may be authorised again and needs the number for it.
_STILL_NEEDED = (
    sa.select(sa.literal_column("1"))
    .where(PAYMENTS.c.merchant_id == _METHOD.merchant_id)
    .where(PAYMENTS.c.livemode == _METHOD.livemode)
    .where(PAYMENTS.c.status == "pending", PAYMENTS.c.payment_method_id == _METHOD.id)
    .exists()
)
# So do a hold, and what is added to one.
_ASKED_FOR_A_HOLD = (
    sa.select(sa.literal_column("1"))
    .where(HOLDS.c.merchant_id == _METHOD.merchant_id)
    .where(HOLDS.c.status == "pending", HOLDS.c.payment_method_id == _METHOD.id)
    .exists()
)
_ADDED_TO_A_HOLD = (
    sa.select(sa.literal_column("1"))
    .select_from(
        HOLD_TOP_UPS.join(
            HOLDS,
            sa.and_(
                HOLDS.c.id == HOLD_TOP_UPS.c.hold_id,
                HOLDS.c.merchant_id == HOLD_TOP_UPS.c.merchant_id,
            ),
        )
    )
    .where(HOLD_TOP_UPS.c.resume_at.is_not(None), HOLDS.c.payment_method_id == _METHOD.id)
    .where(HOLDS.c.merchant_id == _METHOD.merchant_id)
    .exists()
)
_DUE = compile_sql(
    sa.select(PAYMENT_METHODS)
    .where(_METHOD.erase_at <= _NOW, ~_STILL_NEEDED, ~_ASKED_FOR_A_HOLD, ~_ADDED_TO_A_HOLD)
    .order_by(_METHOD.erase_at)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_MINE = (
    _METHOD.id == sa.bindparam("of_id", type_=_METHOD.id.type),
    _METHOD.merchant_id == sa.bindparam("of_merchant", type_=_METHOD.id.type),
)
# A lease, not a lock: whoever moves `erase_at` forward owns the work until then.
_LEASE = compile_sql(
    sa.update(PAYMENT_METHODS)
    .values(erase_at=sa.bindparam("until", type_=_METHOD.erase_at.type))
    .where(*_MINE, _METHOD.erase_at <= _NOW)
    .returning(*_METHOD)
)
_DONE = compile_sql(sa.update(PAYMENT_METHODS).values(erase_at=sa.null()).where(*_MINE))


_IS_KNOWN = compile_sql(
    sa.select(_METHOD.id).where(
        *_MINE, _METHOD.livemode == sa.bindparam("of_mode", type_=_METHOD.livemode.type)
    )
)


async def is_known(
    transaction: Transaction, method_id: UUID, merchant_id: UUID, livemode: bool
) -> bool:
    """Whether a payment method has its row, detached or not."""
    row = await transaction.maybe(
        _IS_KNOWN, of_id=method_id, of_merchant=merchant_id, of_mode=livemode
    )
    return row is not None


async def lease_erasures(
    transaction: Transaction, now: datetime, lease: timedelta, limit: int
) -> list[Row]:
    """Methods whose number is to be forgotten now, each taken until `now + lease`."""
    taken = []
    for row in await transaction.all(_DUE, now=now, limit=limit):
        mine = {"of_id": row["id"], "of_merchant": row["merchant_id"]}
        if leased := await transaction.maybe(_LEASE, now=now, until=now + lease, **mine):
            taken.append(leased)
    return taken


async def erased(transaction: Transaction, method: Row) -> None:
    """The vault has forgotten the number."""
    await transaction.run(_DONE, of_id=method["id"], of_merchant=method["merchant_id"])
