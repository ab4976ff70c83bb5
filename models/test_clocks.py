"""The business clock of a merchant: the wall clock, unless a test clock holds it.

Work that waits keeps its due moment in a column of business time.  A clock that is moved
forward pulls the due moments that it passes to the present, so that the workers' indexes
find them; `not_held_back` keeps work from starting before the merchant's clock reaches it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.tables import TEST_CLOCKS
from runtime.database import Transaction, compile_sql

_FROZEN_TIME = compile_sql(
    sa.select(TEST_CLOCKS.c.frozen_time)
    .where(TEST_CLOCKS.c.merchant_id == sa.bindparam("merchant_id", type_=TEST_CLOCKS.c.id.type))
    .where(TEST_CLOCKS.c.livemode == sa.bindparam("livemode", type_=sa.Boolean))
)


async def business_now(
    transaction: Transaction, merchant_id: UUID, livemode: bool, now: datetime
) -> datetime:
    """The merchant's own moment; `now` is the wall clock's, which live mode always keeps."""
    if livemode:
        return now
    row = await transaction.maybe(_FROZEN_TIME, merchant_id=merchant_id, livemode=livemode)
    return now if row is None else row["frozen_time"]


def not_held_back(table: sa.FromClause, due: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """For a worker's look at `table`: no test clock of the row's merchant stands before `due`."""
    before: sa.Select[Any] = (
        sa.select(sa.literal_column("1"))
        .where(TEST_CLOCKS.c.merchant_id == table.c.merchant_id)
        .where(TEST_CLOCKS.c.livemode == table.c.livemode)
        .where(TEST_CLOCKS.c.frozen_time < due)
    )
    return ~before.exists()
