"""Forgetting what has been kept for long enough, in batches, found by indexes.

A batch ends soon, so that it holds no lock for long; whole months are dropped by the owner's
function (migration 0021), which itself refuses what is too young or not archived.
"""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from models.tables import IDEMPOTENCY_KEYS, PAYMENTS, WEBHOOK_ATTEMPTS, WEBHOOK_DELIVERIES
from runtime.batches import ID, MOMENT, word
from runtime.database import Transaction, compile_sql

ROWS_AT_ONCE: Final = 1000

_KEY = IDEMPOTENCY_KEYS.c
_LIMIT: sa.ColumnElement[int] = sa.literal_column(str(ROWS_AT_ONCE))


class ForgottenKeys(NamedTuple):
    """How many keys a batch forgot, and the age at which the next one goes on."""

    forgotten: int
    newest: datetime | None


def _forget_keys() -> sa.sql.ClauseElement:
    """Answered keys of the right age; one whose payment is still pending is in use."""
    pending = (
        sa.select(sa.literal_column("1"))
        .where(PAYMENTS.c.id == _KEY.resource_id, PAYMENTS.c.merchant_id == _KEY.merchant_id)
        .where(PAYMENTS.c.status == word("pending"))
        .exists()
    )
    old = (
        sa.select(_KEY.key, _KEY.merchant_id, _KEY.livemode)
        .where(_KEY.created_at >= sa.bindparam("after", type_=MOMENT))
        .where(_KEY.created_at < sa.bindparam("before", type_=MOMENT))
        .where(_KEY.status.is_not(None), ~pending)
        .order_by(_KEY.created_at)
        .limit(_LIMIT)
        .cte("old")
    )
    gone = (
        sa.delete(IDEMPOTENCY_KEYS)
        .where(_KEY.key == old.c.key, _KEY.merchant_id == old.c.merchant_id)
        .where(_KEY.livemode == old.c.livemode)
        .returning(_KEY.created_at)
        .cte("gone")
    )
    return sa.select(
        sa.func.count().label("forgotten"), sa.func.max(gone.c.created_at).label("newest")
    ).select_from(gone)


def _forget_of(table: sa.Table) -> sa.Delete:
    """Rows about events before one, found by the primary key."""
    names = [column.name for column in table.primary_key]
    old = (
        sa.select(*(table.c[name] for name in names))
        .where(table.c.event_id < sa.bindparam("before", type_=ID))
        .order_by(*(table.c[name] for name in names))
        .limit(_LIMIT)
        .cte("old")
    )
    return sa.delete(table).where(*(table.c[name] == old.c[name] for name in names))


_FORGET_KEYS = compile_sql(_forget_keys())
_FORGET_ATTEMPTS = compile_sql(_forget_of(WEBHOOK_ATTEMPTS))
_FORGET_DELIVERIES = compile_sql(_forget_of(WEBHOOK_DELIVERIES))
_DROP_MONTHS = compile_sql(
    sa.select(
        sa.func.drop_months(
            sa.bindparam("parent", type_=sa.Text), sa.bindparam("before", type_=MOMENT)
        ).label("dropped")
    )
)
_MISPLACED = compile_sql(
    sa.select(sa.column("parent"), sa.column("misplaced")).select_from(
        sa.func.misplaced_rows().table_valued("parent", "misplaced")
    )
)


async def forget_keys(transaction: Transaction, after: datetime, before: datetime) -> ForgottenKeys:
    """Forget a batch of keys made from `after` to before `before`, the oldest first.

    `after` passes over what earlier batches have left in the index.
    """
    return ForgottenKeys(**await transaction.one(_FORGET_KEYS, after=after, before=before))


async def forget_deliveries(transaction: Transaction, before: UUID) -> int:
    """Forget a batch of deliveries and of attempts of events older than this id; how many rows."""
    attempts = await transaction.run(_FORGET_ATTEMPTS, before=before)
    return attempts + await transaction.run(_FORGET_DELIVERIES, before=before)


async def drop_months(transaction: Transaction, parent: str, before: datetime) -> list[str]:
    """Drop the months of a partitioned table that ended by `before`; the partitions' names.

    Months of events that have deliveries, and of audit entries that are not archived, stay.
    """
    rows = await transaction.all(_DROP_MONTHS, parent=parent, before=before)
    return [row["dropped"] for row in rows]


async def misplaced_rows(transaction: Transaction) -> dict[str, int]:
    """By table, how many rows stand in its default partition, counted to 10,000."""
    rows = await transaction.all(_MISPLACED)
    return {row["parent"]: row["misplaced"] for row in rows}
