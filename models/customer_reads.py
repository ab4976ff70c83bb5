"""Reading customers: many waiting reads share one statement."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from models.tables import CUSTOMERS
from runtime.batches import ID, batch, rows_of
from runtime.coalescer import Lane
from runtime.database import Row, compile_sql


class CustomerKey(NamedTuple):
    """Whose customer: an id is never read without its merchant and mode."""

    id: UUID
    merchant_id: UUID
    livemode: bool


def _get_statement() -> sa.Select[tuple[object, ...]]:
    asked = rows_of(id=ID, merchant_id=ID)
    customer = CUSTOMERS.c
    # Mode and deletion are compared below: joined by the primary key alone, the statement
    # has one plan.
    same = sa.and_(customer.id == asked.c.id, customer.merchant_id == asked.c.merchant_id)
    return sa.select(CUSTOMERS).select_from(asked.join(CUSTOMERS, same))


GET_MANY = compile_sql(_get_statement()).text.encode()


async def read_customers(lane: Lane, keys: Sequence[CustomerKey]) -> list[Row | None]:
    """The row of each key, or None where this merchant has no such customer any more."""
    distinct = {(key.id, key.merchant_id): key for key in keys}
    rows = await lane.rows(GET_MANY, {"rows": batch(list(distinct.values()))})
    found = {
        (row["id"], row["merchant_id"], row["livemode"]): row
        for row in rows
        if row["deleted_at"] is None
    }
    return [found.get(key) for key in keys]
