"""Reading payments: many waiting reads share one statement."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from models.tables import PAYMENTS
from runtime.coalescer import Lane
from runtime.database import Row, compile_sql
from runtime.wording import FLAG, ID, batch, rows_of


class PaymentKey(NamedTuple):
    """Whose payment: an id is never read without its merchant and mode."""

    id: UUID
    merchant_id: UUID
    livemode: bool


def _get_statement() -> sa.Select[tuple[object, ...]]:
    asked = rows_of(id=ID, merchant_id=ID, livemode=FLAG)
    payment = PAYMENTS.c
    same = sa.and_(
        payment.id == asked.c.id,
        payment.merchant_id == asked.c.merchant_id,
        payment.livemode == asked.c.livemode,
    )
    return sa.select(PAYMENTS).select_from(asked.join(PAYMENTS, same))


_GET_MANY = compile_sql(_get_statement()).text.encode()


async def read_payments(lane: Lane, keys: Sequence[PaymentKey]) -> list[Row | None]:
    """The row of each key, or None where this merchant has no such payment."""
    rows = await lane.rows(_GET_MANY, {"rows": batch(list(dict.fromkeys(keys)))})
    found = {(row["id"], row["merchant_id"], row["livemode"]): row for row in rows}
    return [found.get(key) for key in keys]
