"""Reading events."""

from uuid import UUID

import sqlalchemy as sa

from models.tables import EVENTS
from runtime.database import Row, Transaction, compile_sql

_READ = compile_sql(
    sa.select(EVENTS).where(
        EVENTS.c.id == sa.bindparam("id", type_=EVENTS.c.id.type),
        EVENTS.c.merchant_id == sa.bindparam("merchant_id", type_=EVENTS.c.merchant_id.type),
        EVENTS.c.livemode == sa.bindparam("livemode", type_=EVENTS.c.livemode.type),
    )
)


async def read_event(
    transaction: Transaction, merchant_id: UUID, livemode: bool, event_id: UUID
) -> Row | None:
    """One event, if it is there."""
    return await transaction.maybe(_READ, id=event_id, merchant_id=merchant_id, livemode=livemode)
