"""The audit trail: one row per request, chained, written before the answer leaves."""

import asyncio
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from domain.audit_chain import NOBODY, Chains
from models.tables import AUDIT_ENTRIES
from runtime.chained_rows import write_statement
from runtime.database import Row, Transaction, compile_sql
from runtime.ids import uuid7
from runtime.kept_rows import KeptRows

# A merchant and a mode; no mode: the entry is kept, and shown to no merchant.
Whose = tuple[UUID, bool | None]

_WRITE = write_statement(AUDIT_ENTRIES)
_READ = compile_sql(
    sa.select(AUDIT_ENTRIES).where(
        *(
            AUDIT_ENTRIES.c[name] == sa.bindparam(name, type_=AUDIT_ENTRIES.c[name].type)
            for name in ("id", "merchant_id", "livemode")
        )
    )
)


async def read_entry(
    transaction: Transaction, merchant_id: UUID, livemode: bool, request_id: UUID
) -> Row | None:
    """The entry of one request, if it is this merchant's in this mode."""
    return await transaction.maybe(_READ, id=request_id, merchant_id=merchant_id, livemode=livemode)


class AuditTrail:
    """Takes entries and stores them, those of concurrent requests in one statement."""

    def __init__(self, dsn: str) -> None:
        self._chains = Chains(uuid7())
        self.rows = KeptRows(dsn, _WRITE)

    def record(
        self, request_id: UUID, whose: Whose | None, entry: dict[str, Any]
    ) -> "asyncio.Future[None] | None":
        """Chain the entry of a request and queue it; `timestamp` inside it is its moment.

        `whose` is the merchant and mode that may read it; None: nobody may.  Await the
        answer before the request is answered; None: nothing can be stored at present.
        """
        if self.rows.full:
            return self.rows.put(b"")
        merchant_id, livemode = whose or (NOBODY, None)
        return self.rows.put(self._chains.row(request_id, merchant_id, livemode, entry))

    @property
    def state(self) -> str:
        """`ok`, or `down` while entries cannot be stored."""
        return "down" if self.rows.failing else "ok"

    def refuses(self, *, uses_a_card: bool) -> bool:
        """Whether a request must not be begun: what uses a card while entries are not stored,
        everything once no more can be kept."""
        return self.rows.failing and (uses_a_card or self.rows.full)

    async def close(self) -> None:
        """Store what is queued."""
        await self.rows.close()
