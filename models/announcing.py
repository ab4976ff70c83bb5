"""Telling every process that a merchant, its keys or its clock have changed.

PostgreSQL hands the word on when the change commits, and drops it when it does not.
"""

from typing import Final
from uuid import UUID

import sqlalchemy as sa

from runtime.database import Transaction, compile_sql

CHANNEL: Final = "paymint_merchants"
# No id of a merchant: whoever hears it forgets them all.
EVERYBODY: Final = "*"

_ANNOUNCE = compile_sql(
    sa.select(sa.func.pg_notify(CHANNEL, sa.bindparam("merchant", type_=sa.Text)))
)


async def announce_merchant(transaction: Transaction, merchant_id: UUID) -> None:
    """What is remembered of this merchant anywhere is read again after this commit."""
    await transaction.run(_ANNOUNCE, merchant=merchant_id.hex)


async def announce_all(transaction: Transaction) -> None:
    """What is remembered of any merchant is read again after this commit."""
    await transaction.run(_ANNOUNCE, merchant=EVERYBODY)
