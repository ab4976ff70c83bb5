"""The keys that sign access tokens, the private halves sealed."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from models.inserting import insert_row
from models.tables import OAUTH_SIGNING_KEYS as KEYS
from runtime.database import Row, Transaction, compile_sql

# Any number that nothing else locks by.
_LOCK_NUMBER: sa.ColumnElement[int] = sa.literal_column("736105", sa.BigInteger)

_INSERT = insert_row(KEYS)
_READ = compile_sql(sa.select(KEYS).order_by(KEYS.c.signs_from, KEYS.c.id))
_LOCK = compile_sql(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_NUMBER)))
_DELETE = compile_sql(
    sa.delete(KEYS).where(KEYS.c.signs_from < sa.bindparam("before", type_=KEYS.c.signs_from.type))
)


async def read_signing_keys(transaction: Transaction) -> list[Row]:
    """Every key, in the order in which they sign."""
    return await transaction.all(_READ)


async def lock_signing_keys(transaction: Transaction) -> None:
    """Nobody else makes a key until the transaction ends."""
    await transaction.run(_LOCK)


async def insert_signing_key(transaction: Transaction, **columns: Any) -> None:
    """Store a new key; the keywords are its columns."""
    await transaction.run(_INSERT, **columns)


async def delete_signing_keys(transaction: Transaction, signing_before: datetime) -> int:
    """Forget the keys that began to sign before this moment."""
    return await transaction.run(_DELETE, before=signing_before)
