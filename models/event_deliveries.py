"""Reading how an event was delivered."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models.tables import WEBHOOK_ATTEMPTS, WEBHOOK_DELIVERIES
from runtime.batches import ID
from runtime.database import Row, Transaction, compile_sql

ATTEMPTS_SHOWN: Final = 25

_ATTEMPT, _DELIVERY = WEBHOOK_ATTEMPTS.c, WEBHOOK_DELIVERIES.c
_SHOWN: sa.ColumnElement[int] = sa.literal_column(str(ATTEMPTS_SHOWN), sa.Integer)
_OF_DELIVERY = sa.and_(
    *(_ATTEMPT[name] == _DELIVERY[name] for name in ("event_id", "endpoint_id", "merchant_id")),
    _ATTEMPT.attempt > _DELIVERY.attempts - _SHOWN,
)
_LATEST_ATTEMPTS = compile_sql(
    sa.select(WEBHOOK_ATTEMPTS)
    .select_from(WEBHOOK_ATTEMPTS.join(WEBHOOK_DELIVERIES, _OF_DELIVERY))
    .where(_DELIVERY.event_id == sa.bindparam("event_id", type_=ID))
    .where(_DELIVERY.merchant_id == sa.bindparam("merchant_id", type_=ID))
    .where(_DELIVERY.livemode == sa.bindparam("livemode", type_=sa.Boolean))
    .where(_DELIVERY.endpoint_id == sa.func.any(sa.bindparam("endpoints", type_=ARRAY(ID))))
    .order_by(_ATTEMPT.endpoint_id, sa.desc(_ATTEMPT.attempt))
)


async def latest_attempts(transaction: Transaction, deliveries: Sequence[Row]) -> list[Row]:
    """The latest attempts of deliveries of one event, of each endpoint the newest first."""
    if not deliveries:
        return []
    one = deliveries[0]
    return await transaction.all(
        _LATEST_ATTEMPTS,
        event_id=one["event_id"],
        merchant_id=one["merchant_id"],
        livemode=one["livemode"],
        endpoints=[each["endpoint_id"] for each in deliveries],
    )


def attempts_of(attempts: Sequence[Row], endpoint_id: UUID) -> list[Row]:
    """Those of `attempts` that went to one endpoint."""
    return [attempt for attempt in attempts if attempt["endpoint_id"] == endpoint_id]
