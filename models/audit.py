"""The audit trail: one row per request, written in batches, read by its merchant."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from prometheus_client import Counter
from sqlalchemy.dialects.postgresql import JSON, insert

from models.tables import AUDIT_ENTRIES
from runtime.batches import FLAG, ID, MOMENT, batch, rows_of
from runtime.coalescer import Coalescer, Lane
from runtime.database import Row, Transaction, compile_sql

# Nobody waits for an entry, so they gather: fewer statements for the same rows.
GATHER_SECONDS = 0.05

# Entries of callers that no merchant is known of belong to this one.
NOBODY = UUID(int=0)

# A merchant and a mode; no mode: the entry is kept, and shown to no merchant.
Whose = tuple[UUID, bool | None]

_LOST = Counter("paymint_audit_entries_lost", "Audit entries that could not be stored")


class AuditEntry(NamedTuple):
    """One entry; `entry` has the fields of blueprint section 9, "Audit Logging Schema"."""

    id: UUID
    merchant_id: UUID
    livemode: bool | None
    entry: dict[str, Any]
    created_at: str


def _write_statement() -> sa.Select[Any]:
    asked = rows_of(id=ID, merchant_id=ID, livemode=FLAG, entry=JSON(), created_at=MOMENT)
    columns = ["id", "merchant_id", "livemode", "entry", "created_at"]
    written = insert(AUDIT_ENTRIES).from_select(columns, sa.select(asked)).on_conflict_do_nothing()
    return sa.select(asked.c.id).limit(sa.literal_column("1")).add_cte(written.cte("written"))


_WRITE = compile_sql(_write_statement()).text.encode()
_READ = compile_sql(
    sa.select(AUDIT_ENTRIES).where(
        *(
            AUDIT_ENTRIES.c[name] == sa.bindparam(name, type_=AUDIT_ENTRIES.c[name].type)
            for name in ("id", "merchant_id", "livemode")
        )
    )
)


async def _write(lane: Lane, entries: Sequence[AuditEntry]) -> list[None]:
    await lane.rows(_WRITE, {"rows": batch(entries)})
    return [None] * len(entries)


async def read_entry(
    transaction: Transaction, merchant_id: UUID, livemode: bool, request_id: UUID
) -> Row | None:
    """The entry of one request, if it is this merchant's in this mode."""
    return await transaction.maybe(_READ, id=request_id, merchant_id=merchant_id, livemode=livemode)


class AuditTrail:
    """Takes entries and stores them behind the answer, many per statement."""

    def __init__(self, dsn: str) -> None:
        self._writes: Coalescer[AuditEntry, None] = Coalescer(
            _write,
            [Lane(dsn, 0)],
            sort_key=lambda entry: entry.id,
            gather_seconds=GATHER_SECONDS,
        )

    def record(self, request_id: UUID, whose: Whose | None, entry: dict[str, Any]) -> None:
        """Queue the entry of a request; `timestamp` inside it is its moment.

        `whose` is the merchant and mode that may read it; None: nobody may.
        """
        merchant_id, livemode = whose or (NOBODY, None)
        row = AuditEntry(request_id, merchant_id, livemode, entry, entry["timestamp"])
        self._writes.submit(row).add_done_callback(_count_loss)

    async def close(self) -> None:
        """Store what is queued."""
        await self._writes.close()


def _count_loss(future: "asyncio.Future[None]") -> None:
    if not future.cancelled() and future.exception() is not None:
        _LOST.inc()
