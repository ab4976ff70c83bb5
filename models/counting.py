"""Exact totals, kept by the statement that changes what they count.

A counter is a row per (merchant, mode, resource, status, slot); a total is the sum over
the slots.  Rows are always touched in key order, so that statements never deadlock.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.tables import COUNTERS
from runtime.database import Row, Transaction, compile_sql

_KEY = ("merchant_id", "livemode", "resource", "status")


def counted(resource: str, changes: Sequence[sa.Select[Any]]) -> sa.CTE:
    """A CTE that adds `changes` to the counters of `resource`.

    Each change selects (merchant_id, livemode, status, delta).  The statement takes the
    parameter `slot`.
    """
    every = sa.union_all(*changes).subquery("changes")
    merchant, livemode, status, delta = every.c
    total = sa.func.sum(delta)
    summed = (
        sa.select(
            merchant,
            livemode,
            sa.literal_column(f"'{resource}'"),
            status,
            sa.bindparam("slot", type_=sa.SmallInteger),
            total,
        )
        .group_by(merchant, livemode, status)
        .having(total != sa.literal_column("0"))
        .order_by(merchant, livemode, status)
    )
    adding = insert(COUNTERS).from_select([*_KEY, "slot", "count"], summed)
    return adding.on_conflict_do_update(
        index_elements=[*_KEY, "slot"],
        set_={"count": COUNTERS.c.count + adding.excluded.count},
    ).cte("counted")


def status_changes(changed: sa.CTE, was: sa.ColumnElement[str]) -> list[sa.Select[Any]]:
    """The changes of rows that were in the status `was` and are in that of `changed`."""
    return [
        sa.select(
            changed.c.merchant_id,
            changed.c.livemode,
            status,
            sa.literal_column(delta).label("delta"),
        )
        for status, delta in ((was.label("status"), "-1"), (changed.c.status, "1"))
    ]


_ADDING = insert(COUNTERS).values(
    {column.name: sa.bindparam(column.name, type_=column.type) for column in COUNTERS.c}
)
_ADD = compile_sql(
    _ADDING.on_conflict_do_update(
        index_elements=[*_KEY, "slot"],
        set_={"count": COUNTERS.c.count + _ADDING.excluded.count},
    )
)

_TOTAL = compile_sql(
    sa.select(sa.func.coalesce(sa.func.sum(COUNTERS.c.count), 0).cast(sa.BigInteger).label("total"))
    .where(COUNTERS.c.merchant_id == sa.bindparam("merchant_id"))
    .where(COUNTERS.c.livemode == sa.bindparam("livemode"))
    .where(COUNTERS.c.resource == sa.bindparam("resource", type_=sa.Text))
    .where(
        sa.or_(
            sa.bindparam("status", type_=sa.Text).is_(None),
            COUNTERS.c.status == sa.bindparam("status", type_=sa.Text),
        )
    )
)


async def add(transaction: Transaction, row: Row, resource: str, changes: dict[str, int]) -> None:
    """Add to the counters of the merchant and mode of `row`: status -> difference."""
    for status, difference in sorted(changes.items()):
        await transaction.run(
            _ADD,
            merchant_id=row["merchant_id"],
            livemode=row["livemode"],
            resource=resource,
            status=status,
            slot=transaction.slot,
            count=difference,
        )


async def total(
    transaction: Transaction,
    merchant_id: UUID,
    livemode: bool,
    resource: str,
    status: str | None = None,
) -> int:
    """How many rows of a resource there are, in one status or in all."""
    row = await transaction.one(
        _TOTAL, merchant_id=merchant_id, livemode=livemode, resource=resource, status=status
    )
    count: int = row["total"]
    return count
