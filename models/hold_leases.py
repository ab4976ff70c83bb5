"""Leasing holds, top-ups and draws: whoever moves their due moment forward owns the work."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from models.tables import HOLD_DRAWS, HOLD_TOP_UPS, HOLDS
from runtime.batches import MOMENT, NUMBER
from runtime.database import Row, Statement, Transaction, compile_sql

_NOW = sa.bindparam("now", type_=MOMENT)


def _leasing(due: "sa.Column[Any]") -> Statement:
    table = due.table
    chosen = (
        sa.select(table.c.id, table.c.merchant_id)
        .where(due <= _NOW)
        .order_by(due)
        .limit(sa.bindparam("free", type_=NUMBER))
        .cte("chosen")
    )
    return compile_sql(
        sa.update(table)
        .values({due.name: sa.bindparam("until", type_=MOMENT)})
        .where(table.c.id == chosen.c.id, table.c.merchant_id == chosen.c.merchant_id)
        # Asked again under the row's lock: another worker may have been faster.
        .where(due <= _NOW)
        .returning(*table.c)
    )


_HOLDS = _leasing(HOLDS.c.resume_at)
_TOP_UPS = _leasing(HOLD_TOP_UPS.c.resume_at)
_DRAWS = _leasing(HOLD_DRAWS.c.present_at)


async def lease_holds(
    transaction: Transaction, now: datetime, until: datetime, free: int
) -> list[Row]:
    """Take up to `free` holds that are due to be looked after until `until`."""
    return await transaction.all(_HOLDS, now=now, until=until, free=free)


async def lease_top_ups(
    transaction: Transaction, now: datetime, until: datetime, free: int
) -> list[Row]:
    """Take up to `free` top-ups whose answer is still out."""
    return await transaction.all(_TOP_UPS, now=now, until=until, free=free)


async def lease_draws(
    transaction: Transaction, now: datetime, until: datetime, free: int
) -> list[Row]:
    """Take up to `free` draws that the network is to hear of."""
    return await transaction.all(_DRAWS, now=now, until=until, free=free)
