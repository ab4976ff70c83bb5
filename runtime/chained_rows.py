"""Statements over a table of chained rows, as both houses have one.

The table is called `audit_entries` and has the columns of COLUMNS; its primary key begins
with a UUIDv7 by which it is partitioned into months.
"""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON, insert

from runtime.batches import FLAG, ID, MOMENT, SqlType, rows_of, text_of
from runtime.database import Row, Statement, Transaction

COLUMNS: dict[str, SqlType] = {
    "id": ID,
    "merchant_id": ID,
    "livemode": FLAG,
    "entry": JSON(),
    "created_at": MOMENT,
    "chain": ID,
    "sequence": sa.BigInteger(),
    "previous": sa.LargeBinary(),
    "hash": sa.LargeBinary(),
}
BEFORE_ALL = UUID(int=0)

# From chain to chain through the index: there are as many as processes were started.
_HEADS = Statement("""
WITH RECURSIVE chains AS (
    (SELECT chain FROM audit_entries
     WHERE chain > %(after)s::uuid AND id >= %(since)s::uuid ORDER BY chain LIMIT 1)
    UNION ALL
    SELECT (SELECT entry.chain FROM audit_entries AS entry
            WHERE entry.chain > chains.chain AND entry.id >= %(since)s::uuid
            ORDER BY entry.chain LIMIT 1)
    FROM chains WHERE chains.chain IS NOT NULL
)
SELECT chains.chain, head.sequence, head.hash FROM chains
CROSS JOIN LATERAL (
    SELECT entry.sequence, entry.hash FROM audit_entries AS entry
    WHERE entry.chain = chains.chain AND entry.id >= %(since)s::uuid
    ORDER BY entry.sequence DESC LIMIT 1
) AS head
WHERE chains.chain IS NOT NULL LIMIT %(limit)s::int""")
# The entry's own text: its hash is over the bytes as they were stored.
_SEGMENT = Statement("""
SELECT id, merchant_id, livemode, entry::text AS entry, created_at,
       chain, sequence, previous, hash
FROM audit_entries
WHERE chain = %(chain)s::uuid AND sequence > %(after)s::bigint AND sequence <= %(through)s::bigint
ORDER BY sequence LIMIT %(limit)s::int""")


def write_statement(table: sa.Table) -> bytes:
    """The statement that stores a batch of rows; run again with the same, it adds nothing."""
    asked = rows_of(**COLUMNS)
    written = insert(table).from_select([*COLUMNS], sa.select(asked)).on_conflict_do_nothing()
    told = sa.select(asked.c.id).limit(sa.literal_column("1"))
    return text_of(told.add_cte(written.cte("written")))


async def read_heads(transaction: Transaction, since: UUID, after: UUID, limit: int) -> list[Row]:
    """chain, sequence and hash of the last row of each chain that has a row from id `since`.

    In the order of the chains, those after the chain `after`, at most `limit`.
    """
    return await transaction.all(_HEADS, since=since, after=after, limit=limit)


async def read_segment(
    transaction: Transaction, chain: UUID, after: int, through: int, limit: int
) -> list[dict[str, Any]]:
    """The rows of a chain with a sequence over `after` up to `through`, at most `limit`."""
    return await transaction.all(_SEGMENT, chain=chain, after=after, through=through, limit=limit)
