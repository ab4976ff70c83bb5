"""How much work is due and how long it has waited, asked of the indexes that find it.

No more than `COUNTED` rows of a kind are looked at, however many there are.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from domain.retention import KEYS_KEPT
from models.tables import (
    DISPUTES,
    HOLD_DRAWS,
    HOLD_TOP_UPS,
    HOLDS,
    IDEMPOTENCY_KEYS,
    PAYMENT_METHODS,
    PAYMENTS,
    PAYOUT_SCHEDULES,
    PAYOUTS,
    REFUNDS,
    WEBHOOK_DELIVERIES,
)
from models.test_clocks import not_held_back
from runtime.batches import MOMENT, word
from runtime.database import Transaction, compile_sql

COUNTED: Final = 10_000

_NOW = sa.bindparam("now", type_=MOMENT)
_DELIVERY, _PAYMENT = WEBHOOK_DELIVERIES.c, PAYMENTS.c


class Backlog(NamedTuple):
    """How many rows of a kind of work are due, at most `COUNTED`, and since when the oldest."""

    work: str
    due: int
    oldest: datetime | None


def _of(
    work: str, due: "sa.Column[Any]", *waits: sa.ColumnElement[bool], follows_clock: bool = True
) -> sa.Select[str, int, Any]:
    table = due.table
    columns = [table.c.merchant_id, table.c.livemode, due.label("due_at")]
    if "attempts" in table.c:
        columns.append(table.c.attempts)
    found = (
        sa.select(*columns)
        .where(due <= _NOW, *waits)
        .order_by(due)
        .limit(sa.literal_column(str(COUNTED)))
        .subquery()
    )
    looked = sa.select(
        word(work).label("work"),
        sa.func.count().label("due"),
        sa.func.min(found.c.due_at).label("oldest"),
    ).select_from(found)
    if not follows_clock:
        return looked
    # A first attempt waits for no clock.
    waiting = [found.c.attempts > sa.literal_column("0")] if "attempts" in found.c else []
    return looked.where(not_held_back(found, found.c.due_at, *waiting))


def _keys() -> sa.Select[str, int, Any]:
    """Answered keys that are to be forgotten, due when they have been kept for long enough."""
    key = IDEMPOTENCY_KEYS.c
    kept: sa.ColumnElement[Any] = sa.literal_column(
        f"interval '{KEYS_KEPT.total_seconds():.0f} seconds'"
    )
    found = (
        sa.select(key.created_at)
        .where(key.created_at < _NOW - kept, key.status.is_not(None))
        .order_by(key.created_at)
        .limit(sa.literal_column(str(COUNTED)))
        .subquery()
    )
    return sa.select(
        word("keys").label("work"),
        sa.func.count().label("due"),
        (sa.func.min(found.c.created_at) + kept).label("oldest"),
    ).select_from(found)


_BACKLOGS = compile_sql(
    sa.union_all(
        _of("deliveries", _DELIVERY.next_attempt_at, _DELIVERY.state == word("pending")),
        _of("payments", _PAYMENT.resume_at, follows_clock=False),
        _of("expiries", _PAYMENT.expires_at, _PAYMENT.operation.is_(None)),
        _of("holds", HOLDS.c.resume_at, follows_clock=False),
        _of("hold_ends", HOLDS.c.end_at),
        _of("top_ups", HOLD_TOP_UPS.c.resume_at, follows_clock=False),
        _of("draws", HOLD_DRAWS.c.present_at, follows_clock=False),
        _of("refunds", REFUNDS.c.settle_at),
        _of("disputes", DISPUTES.c.work_at),
        _of("erasures", PAYMENT_METHODS.c.erase_at, follows_clock=False),
        _of("payouts", PAYOUT_SCHEDULES.c.run_at),
        _of("arrivals", PAYOUTS.c.arrives_at),
        _keys(),
    )
)


async def read_backlogs(transaction: Transaction, now: datetime) -> list[Backlog]:
    """The due work of every kind; what a worker has in hand is not done and counts too."""
    return [Backlog(**row) for row in await transaction.all(_BACKLOGS, now=now)]
