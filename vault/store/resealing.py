"""Sealed numbers in batches, and replacing one that is still what it was."""

from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from runtime.database import Database, compile_sql
from vault.store.tables import instruments

_PLACE = (instruments.c.id, instruments.c.merchant_id)
_BATCH = compile_sql(
    sa.select(*_PLACE, instruments.c.key_version, instruments.c.ciphertext)
    .where(instruments.c.ciphertext.is_not(None))
    .where(
        sa.tuple_(*_PLACE)
        > sa.tuple_(
            sa.bindparam("after_id", type_=instruments.c.id.type),
            sa.bindparam("after_merchant", type_=instruments.c.id.type),
        )
    )
    .order_by(*_PLACE)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_REPLACE = compile_sql(
    sa.update(instruments)
    .values(
        ciphertext=sa.bindparam("new", type_=instruments.c.ciphertext.type),
        key_version=sa.bindparam("new_version", type_=sa.Integer),
    )
    .where(
        instruments.c.id == sa.bindparam("of_id", type_=instruments.c.id.type),
        instruments.c.merchant_id == sa.bindparam("of_merchant", type_=instruments.c.id.type),
        instruments.c.key_version == sa.bindparam("before_version", type_=sa.Integer),
        instruments.c.ciphertext == sa.bindparam("before", type_=instruments.c.ciphertext.type),
    )
)


class SealedNumber(NamedTuple):
    """An instrument's number as it is stored."""

    id: UUID
    merchant_id: UUID
    key_version: int
    ciphertext: bytes


class SealedNumbers:
    """Reads and replaces ciphertexts; a number that was erased meanwhile stays erased."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def batch(self, after: SealedNumber | None, most: int) -> list[SealedNumber]:
        """The next numbers in the order of their ids, from the first where `after` is None."""
        first = UUID(int=0)
        async with self._database.reading() as transaction:
            rows = await transaction.all(
                _BATCH,
                after_id=after.id if after else first,
                after_merchant=after.merchant_id if after else first,
                most=most,
            )
        return [SealedNumber(**{**row, "ciphertext": bytes(row["ciphertext"])}) for row in rows]

    async def replace(self, number: SealedNumber, version: int, ciphertext: bytes) -> bool:
        """Store the same number under another version, unless the row has changed."""
        async with self._database.transaction() as transaction:
            touched = await transaction.run(
                _REPLACE,
                of_id=number.id,
                of_merchant=number.merchant_id,
                before_version=number.key_version,
                before=number.ciphertext,
                new_version=version,
                new=ciphertext,
            )
        return touched == 1
