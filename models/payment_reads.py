"""Reading payments: many waiting reads share one statement."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from models.tables import PAYMENTS
from runtime.batches import ID, batch, rows_of
from runtime.coalescer import Lane
from runtime.database import Row, compile_sql


class PaymentKey(NamedTuple):
    """Whose payment: an id is never read without its merchant and mode."""

    id: UUID
    merchant_id: UUID
    livemode: bool


def _get_statement() -> sa.Select[tuple[object, ...]]:
    asked = rows_of(id=ID, merchant_id=ID)
    payment = PAYMENTS.c
    # The mode is compared below: joined by the primary key alone, the statement has one plan.
    same = sa.and_(payment.id == asked.c.id, payment.merchant_id == asked.c.merchant_id)
    return sa.select(PAYMENTS).select_from(asked.join(PAYMENTS, same))


GET_MANY = compile_sql(_get_statement()).text.encode()


def _distinct(keys: Sequence[PaymentKey]) -> list[PaymentKey]:
    return list({(key.id, key.merchant_id): key for key in keys}.values())


async def read_payments(lane: Lane, keys: Sequence[PaymentKey]) -> list[Row | None]:
    """The row of each key, or None where this merchant has no such payment."""
    rows = await lane.rows(GET_MANY, {"rows": batch(_distinct(keys))})
    found = {(row["id"], row["merchant_id"], row["livemode"]): row for row in rows}
    return [found.get(key) for key in keys]
