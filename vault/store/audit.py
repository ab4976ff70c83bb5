"""The audit trail of the token door: one row per request, chained, written before the answer."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from domain.audit_chain import NOBODY, Chains
from runtime.batches import MOMENT
from runtime.chained_rows import read_heads, read_segment, write_statement
from runtime.database import Database, Row, compile_sql
from runtime.ids import uuid7
from runtime.kept_rows import KeptRows
from vault.store.tables import audit_entries

MAKE_PARTITIONS = "SELECT make_partitions(:moment)"

_WRITE = write_statement(audit_entries)
_MAKE = compile_sql(sa.text(MAKE_PARTITIONS).bindparams(sa.bindparam("moment", type_=MOMENT)))


class AuditTrail:
    """Takes entries and stores them, those of concurrent requests in one statement."""

    def __init__(self, dsn: str) -> None:
        self._chains = Chains(uuid7())
        self.rows = KeptRows(dsn, _WRITE)

    def record(
        self, request_id: UUID, whose: tuple[UUID, bool] | None, entry: dict[str, Any]
    ) -> "asyncio.Future[None] | None":
        """Chain the entry of a request and queue it; await the answer before answering."""
        if self.rows.full:
            return self.rows.put(b"")
        merchant_id, livemode = whose or (NOBODY, None)
        return self.rows.put(self._chains.row(request_id, merchant_id, livemode, entry))

    async def close(self) -> None:
        """Store what is queued."""
        await self.rows.close()


class AuditStore:
    """What the main house asks of the vault's trail, to seal and to archive it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def heads(self, since: UUID, after: UUID, limit: int) -> list[Row]:
        """The ends of chains, see `runtime.chained_rows.read_heads`."""
        async with self._database.reading() as transaction:
            return await read_heads(transaction, since, after, limit)

    async def segment(self, chain: UUID, after: int, through: int, limit: int) -> list[Row]:
        """A part of a chain, see `runtime.chained_rows.read_segment`."""
        async with self._database.reading() as transaction:
            return await read_segment(transaction, chain, after, through, limit)

    async def make_partitions(self, now: datetime) -> None:
        """Make what is missing of this month's and the next months' partitions."""
        async with self._database.transaction() as transaction:
            await transaction.run(_MAKE, moment=now)
