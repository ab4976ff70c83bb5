"""Leases on single rows: a moment in a column, until which one worker has the row in hand.

A lease is taken by a conditional UPDATE of that column and never by a lock: Citus refuses
FOR UPDATE SKIP LOCKED across merchants, and a worker that is lost must lose its work too.
The moment is also the token: who gives back, or records, names the lease that it holds.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa

from models.tables import (
    DISPUTES,
    HOLD_DRAWS,
    HOLD_TOP_UPS,
    HOLDS,
    PAYMENT_METHODS,
    PAYMENTS,
    REFUNDS,
)
from runtime.batches import ID, MOMENT
from runtime.database import Row, Statement, Transaction, compile_sql


class Lease(NamedTuple):
    """The column of a table that holds its leases, and the statement that gives one back."""

    column: str
    giving_back: Statement


def _lease(column: "sa.Column[datetime]") -> Lease:
    table = column.table
    giving_back = (
        sa.update(table)
        .values({column.name: sa.bindparam("now", type_=MOMENT)})
        .where(table.c.id == sa.bindparam("of_id", type_=ID))
        .where(table.c.merchant_id == sa.bindparam("of_merchant", type_=ID))
        .where(column == sa.bindparam("lease", type_=MOMENT))
    )
    return Lease(column.name, compile_sql(giving_back))


DISPUTE_LEASE: Final = _lease(DISPUTES.c.leased_until)
DRAW_LEASE: Final = _lease(HOLD_DRAWS.c.present_at)
ERASURE_LEASE: Final = _lease(PAYMENT_METHODS.c.erase_at)
HOLD_LEASE: Final = _lease(HOLDS.c.resume_at)
PAYMENT_LEASE: Final = _lease(PAYMENTS.c.resume_at)
REFUND_LEASE: Final = _lease(REFUNDS.c.leased_until)
TOP_UP_LEASE: Final = _lease(HOLD_TOP_UPS.c.resume_at)


async def give_back(
    transaction: Transaction, lease: Lease, rows: Sequence[Row], now: datetime
) -> None:
    """Let others take leased rows at once; what has ended or was lost meanwhile is left alone.

    `rows` are as they were leased.
    """
    for row in rows:
        of = {"of_id": row["id"], "of_merchant": row["merchant_id"]}
        await transaction.run(lease.giving_back, now=now, lease=row[lease.column], **of)
